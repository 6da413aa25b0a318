// The explanations are functions of facts: facts are made up here and the words looked at.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <csignal>

#include "lens/call.h"
#include "lens/memory_operand.h"
#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

constexpr int kEnoent = 2;

Facts died_of(int signal) {
  Facts facts;
  facts.run.program = "/srv/app/prog";
  facts.run.started = facts.run.ended = facts.replayed = true;
  facts.run.signal = signal;
  facts.stop.reason = machine::StopReason::fatal_signal;
  facts.registers.gpr[elf::kRspIndex] = 0x7fff'0000'1000;
  return facts;
}

Facts segfault(u64 address, Access access) {
  Facts facts = died_of(SIGSEGV);
  Fault fault;
  fault.signal = SIGSEGV;
  fault.address = address;
  fault.address_known = true;
  fault.access = access;
  facts.fault = fault;
  return facts;
}

Call failing_open(const std::string& path) {
  Call call;
  call.name = "openat";
  call.path = path;
  call.returned = true;
  call.result = -kEnoent;
  return call;
}

Call stderr_write(const std::string& text) {
  Call call;
  call.name = "write";
  call.fd = 2;
  call.returned = true;
  call.result = static_cast<i64>(text.size());
  call.written = text;
  return call;
}

Facts exited_with(int status, std::vector<Call> calls) {
  Facts facts = died_of(0);
  facts.run.status = status;
  facts.stop.reason = machine::StopReason::exit;
  facts.calls = std::move(calls);
  return facts;
}

TEST(Explain, ReadAndWriteNearNull) {
  EXPECT_EQ(explain(segfault(8, Access::write)).category, Category::null_access);
  EXPECT_NE(explain(segfault(8, Access::write)).headline.find("wrote through a null pointer"),
            std::string::npos);
  EXPECT_NE(explain(segfault(8, Access::read)).headline.find("read through a null pointer"),
            std::string::npos);
  EXPECT_EQ(explain(segfault(0x10000, Access::read)).category, Category::unmapped_memory);
}

TEST(Explain, JumpToNullAndIntoData) {
  EXPECT_EQ(explain(segfault(0, Access::execute)).category, Category::null_call);
  Facts facts = segfault(0x400000, Access::execute);
  facts.fault->region = elf::MappedRegion{
      .start = 0x400000, .end = 0x401000, .protection = PROT_READ | PROT_WRITE, .path = "", .kept_file = ""};
  EXPECT_EQ(explain(facts).category, Category::bad_jump);
}

TEST(Explain, WritesToReadOnlyAndToNoAccess) {
  Facts facts = segfault(0x400010, Access::write);
  facts.fault->region = elf::MappedRegion{
      .start = 0x400000, .end = 0x401000, .protection = PROT_READ, .path = "/x/prog", .kept_file = ""};
  EXPECT_EQ(explain(facts).category, Category::write_to_read_only);
  facts.fault->region->protection = PROT_NONE;
  EXPECT_EQ(explain(facts).category, Category::no_access);
}

TEST(Explain, StackOverflowOnlyNearTheStackPointer) {
  Facts facts = segfault(0x7fff'0000'0ff8, Access::write);
  facts.fault->above = elf::MappedRegion{.start = 0x7fff'0000'1000,
                                         .end = 0x7fff'0080'0000,
                                         .protection = PROT_READ | PROT_WRITE,
                                         .path = "[stack]",
                                         .kept_file = ""};
  EXPECT_EQ(explain(facts).category, Category::stack_overflow);
  facts.registers.gpr[elf::kRspIndex] = 0x7fff'0070'0000;
  EXPECT_EQ(explain(facts).category, Category::unmapped_memory);
}

TEST(Explain, WildPointerThatIsText) {
  Facts facts = segfault(0x6f77206f6c6c6568, Access::unknown);
  facts.fault->operand = MemoryOperand{.address = 0x6f77206f6c6c6568, .base = 0};
  facts.registers.gpr[0] = 0x6f77206f6c6c6568;
  const Verdict verdict = explain(facts);
  EXPECT_EQ(verdict.category, Category::wild_pointer);
  ASSERT_GE(verdict.sentences.size(), 2U);
  EXPECT_NE(verdict.sentences[1].find("\"hello wo\""), std::string::npos) << verdict.sentences[1];
}

TEST(Explain, TheFailingCallWhosePathWasComplainedOf) {
  const Facts facts =
      exited_with(1, {failing_open("/etc/app.conf"), failing_open("/srv/app/.apprc"),
                      stderr_write("app: cannot open /etc/app.conf: No such file or directory\n")});
  const Verdict verdict = explain(facts);
  EXPECT_EQ(verdict.category, Category::exit_status);
  ASSERT_EQ(verdict.failing_calls.size(), 1U);
  EXPECT_EQ(verdict.failing_calls[0].path, "/etc/app.conf");
}

TEST(Explain, UsualFailuresAreNotBlamed) {
  const Facts facts =
      exited_with(1, {failing_open("/usr/share/locale/de/app.mo"), stderr_write("usage: app FILE\n")});
  EXPECT_TRUE(explain(facts).failing_calls.empty());
}

TEST(Explain, MissingLibraryAndWhoNeedsIt) {
  Facts facts = exited_with(
      127, {failing_open("/lib/glibc-hwcaps/x86-64-v3/libx.so.1"), failing_open("/lib/libx.so.1"),
            stderr_write("/srv/app/prog: error while loading shared libraries: libx.so.1: cannot open "
                         "shared object file: No such file or directory\n")});
  facts.images.push_back(
      {.path = "/srv/app/prog", .kept_file = "", .needed = {"libc.so.6", "libx.so.1"}, .soname = ""});
  const Verdict verdict = explain(facts);
  EXPECT_EQ(verdict.category, Category::missing_library);
  ASSERT_FALSE(verdict.sentences.empty());
  EXPECT_NE(verdict.sentences[0].find("/srv/app/prog"), std::string::npos);
  ASSERT_EQ(verdict.failing_calls.size(), 1U);
  EXPECT_EQ(verdict.failing_calls[0].path, "/lib/libx.so.1");
}

TEST(Explain, CleanExitIsNoFinding) { EXPECT_EQ(explain(exited_with(0, {})).category, Category::clean); }

TEST(Explain, AssertionByTheFunctionOnTheStack) {
  Facts facts = died_of(SIGABRT);
  FrameFact frame;
  frame.function = "__assert_fail";
  facts.stack.inner.push_back(frame);
  facts.calls = {stderr_write("prog: a.c:3: f: Assertion `x > 0' failed.\n")};
  const Verdict verdict = explain(facts);
  EXPECT_EQ(verdict.category, Category::assertion);
  EXPECT_NE(verdict.headline.find("`x > 0`"), std::string::npos) << verdict.headline;
}

TEST(MemoryOperand, BaseIndexAndDisplacement) {
  elf::MachineRegisters registers;
  registers.gpr[7] = 0x1000;                                                     // rdi
  registers.gpr[6] = 4;                                                          // rsi
  const u8 store[] = {0x89, 0x44, 0xb7, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};  // mov %eax,0x10(%rdi,%rsi,4)
  const auto operand = memory_operand(store, registers);
  ASSERT_TRUE(operand.has_value());
  EXPECT_EQ(operand->address, 0x1020U);
  EXPECT_EQ(operand->base, 7);
  EXPECT_EQ(operand->index, 6);
}

TEST(MemoryOperand, RipRelativeAndExtended) {
  elf::MachineRegisters registers;
  registers.rip = 0x400000;
  registers.gpr[13] = 0x2000;
  const u8 load[] = {0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};  // mov 0x10(%rip),%rax
  EXPECT_EQ(memory_operand(load, registers)->address, 0x400017U);
  const u8 extended[] = {0x41, 0xc6, 0x45, 0x08, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};  // movb $1,8(%r13)
  EXPECT_EQ(memory_operand(extended, registers)->address, 0x2008U);
  const u8 register_form[] = {0x89, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_FALSE(memory_operand(register_form, registers).has_value());
}

TEST(Names, FunctionsWithoutTheirParameters) {
  EXPECT_EQ(short_function("f(int, char const*)"), "f");
  EXPECT_EQ(short_function("ns::C::g(std::map<int, int>) const"), "ns::C::g");
  EXPECT_EQ(short_function("raise@@GLIBC_2.2.5"), "raise");
  EXPECT_EQ(short_function("main"), "main");
}

TEST(Names, QuotesHideWhatTerminalsObey) {
  EXPECT_EQ(quote("a\"b\n\x1b", 32), "\"a\\\"b\\n\\33\"");
  EXPECT_EQ(quote("abcdef", 3), "\"abc\"...");
}

TEST(Canonical, TheHoleInTheMiddle) {
  EXPECT_TRUE(is_canonical(0));
  EXPECT_TRUE(is_canonical(0x7fff'ffff'ffff));
  EXPECT_FALSE(is_canonical(0x8000'0000'0000));
  EXPECT_TRUE(is_canonical(0xffff'8000'0000'0000));
}

}  // namespace
}  // namespace orrery::lens::why
