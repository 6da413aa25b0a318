// The symboliser and unwinder against a real process: the test executable itself, which with
// ORRERY_TEST_CRASH set crashes before main, through functions whose names, lines and arguments are known.
#include <gtest/gtest.h>

#include <cstdlib>

#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "elf/variables_hosted.h"
#include "lens/why/verdict.h"
#include "live_engine.h"
#include "live_process.h"

namespace orrery::testing {
namespace {

struct Account {
  const char* owner;
  int balance;
};

constexpr const char* kCrashVariable = "ORRERY_TEST_CRASH";

struct CrashLines {
  int inner = 0, middle = 0;
};
CrashLines lines;

__attribute__((noinline)) void crash_inner(Account* account, int amount) {
  lines.inner = __LINE__ + 1;
  account->balance = amount;
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) int crash_middle(const char* owner, int amount) {
  Account account{owner, 1};
  lines.middle = __LINE__ + 1;
  crash_inner(amount > 0 ? nullptr : &account, amount);
  __asm__ volatile("" ::"r"(&account) : "memory");
  return account.balance + owner[0];
}

/// Runs before gtest's main when asked for; also fills in the lines, harmlessly, in the test itself.
__attribute__((constructor)) void crash_if_asked() {
  const bool asked = std::getenv(kCrashVariable) != nullptr;
  const int result = crash_middle("ada", asked ? 42 : 0);
  if (asked) std::exit(result);
}

/// The real path: the child's /proc/self is another one.
std::string test_program() {
  char path[4096] = {};
  const ssize_t bytes = readlink("/proc/self/exe", path, sizeof path - 1);
  return bytes > 0 ? std::string(path, static_cast<std::size_t>(bytes)) : "";
}

class Crash : public ::testing::Test {
 protected:
  void SetUp() override { setenv(kCrashVariable, "1", 1); }
  void TearDown() override { unsetenv(kCrashVariable); }
};

TEST_F(Crash, BacktraceHasFunctionsLinesAndArguments) {
  LiveProcess process({test_program()});
  ASSERT_TRUE(process.stopped());
  EXPECT_EQ(process.signal(), SIGSEGV);
  elf::DebugFiles debug_files("", [](const std::string&) {});
  const elf::Images images(process, debug_files);
  const elf::Stack stack = elf::unwind(process, images);
  EXPECT_TRUE(stack.complete);
  ASSERT_GE(stack.frames.size(), 4U);
  const elf::Location inner = elf::locate(images, stack.frames[0].lookup_pc());
  ASSERT_FALSE(inner.frames.empty());
  EXPECT_NE(inner.frames[0].function.find("crash_inner"), std::string::npos);
  EXPECT_EQ(inner.frames[0].source.line, lines.inner);
  EXPECT_TRUE(inner.frames[0].source.file.ends_with("crashing_test.cc"));
  const elf::Location middle = elf::locate(images, stack.frames[1].lookup_pc());
  ASSERT_FALSE(middle.frames.empty());
  EXPECT_NE(middle.frames[0].function.find("crash_middle"), std::string::npos);
  EXPECT_EQ(middle.frames[0].source.line, lines.middle);
  EXPECT_EQ(stack.frames[1].found_by, elf::FoundBy::cfi);

  const auto arguments = elf::arguments_of(process, images, stack, 0);
  ASSERT_FALSE(arguments.empty());
  ASSERT_EQ(arguments[0].size(), 2U);
  EXPECT_EQ(arguments[0][0].name, "account");
  EXPECT_EQ(arguments[0][0].value, "NULL");
  EXPECT_EQ(arguments[0][0].pointer, 0U);
  EXPECT_EQ(arguments[0][1].name, "amount");
  EXPECT_EQ(arguments[0][1].value, "42");
}

TEST_F(Crash, WhyNamesTheLineOverTheControlProtocol) {
  lens::RunSummary run;
  run.program = run.image = test_program();
  run.started = run.ended = true;
  run.signal = SIGSEGV;
  auto facts = lens::why::gather(run, [&] {
    return lens::ReplaySession::attach(LiveEngine::start({run.program}),
                                       {.kept = [](const std::string& path, u64) { return path; }});
  });
  ASSERT_TRUE(static_cast<bool>(facts));
  const lens::why::Verdict verdict = lens::why::explain(facts.value());
  EXPECT_EQ(verdict.category, lens::why::Category::null_access);
  EXPECT_NE(verdict.headline.find("wrote through a null pointer"), std::string::npos) << verdict.headline;
  ASSERT_TRUE(verdict.place.has_value());
  EXPECT_EQ(verdict.place->source.line, lines.inner);
  EXPECT_FALSE(facts.value().calls.empty());
}

}  // namespace

}  // namespace orrery::testing
