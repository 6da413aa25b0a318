#include "kernel/exec_stack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace orrery::kernel {
namespace {

constexpr u64 kTop = 0x1000'0000;

struct Built {
  StackContent content;
  StackPlan plan;
  u64 word(u64 address) const {
    u64 value;
    std::memcpy(&value, content.bytes.data() + (address - content.start), sizeof value);
    return value;
  }
  std::string text(u64 address) const {
    return reinterpret_cast<const char*>(content.bytes.data()) + (address - content.start);
  }
};

Built build(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  StringList argument_list, environment_list;
  for (const auto& text : arguments) argument_list.push_back(text);
  for (const auto& text : environment) environment_list.push_back(text);
  StackRequest request{
      .arguments = argument_list, .environment = environment_list, .executed_path = "/bin/x", .top = kTop};
  for (u8 i = 0; i < 16; ++i) request.random[i] = i;
  AuxVector auxv;
  Built built;
  built.plan = plan_stack(request);
  auxv.add(6, 4096);
  auxv.add(25, built.plan.random);
  built.content = build_stack(request, built.plan, auxv);
  return built;
}

TEST(ExecStack, HasTheTablesWhereTheProgramLooks) {
  for (std::size_t extra = 0; extra < 5; ++extra) {
    std::vector<std::string> arguments(1 + extra, "argument");
    arguments[0] = "";
    const Built built = build(arguments, {"A=1", "LONG=" + std::string(extra * 7, 'x')});
    u64 at = built.content.start;
    EXPECT_EQ(at % 16, 0U);
    EXPECT_EQ(built.word(at), arguments.size());
    for (const auto& text : arguments) EXPECT_EQ(built.text(built.word(at += 8)), text);
    EXPECT_EQ(built.word(at += 8), 0U);
    EXPECT_EQ(built.text(built.word(at += 8)), "A=1");
    EXPECT_EQ(built.text(built.word(at += 8)), "LONG=" + std::string(extra * 7, 'x'));
    EXPECT_EQ(built.word(at += 8), 0U);
    const u64 wanted[] = {6, 4096, 25, built.plan.random, 0, 0};
    for (const u64 value : wanted) EXPECT_EQ(built.word(at += 8), value);
    EXPECT_LE(at + 8, built.plan.random);
    EXPECT_EQ(built.text(built.plan.platform), "x86_64");
    EXPECT_EQ(built.text(built.plan.execfn), "/bin/x");
    EXPECT_EQ(built.word(kTop - 8), 0U);
    EXPECT_EQ(built.content.start + built.content.bytes.size(), kTop);
  }
}

TEST(ExecStack, LimitsWhatIsCarriedOver) {
  StringList small, large, many;
  small.push_back("x");
  for (int i = 0; i < 100; ++i) large.push_back(std::string(70000, 'y'));
  for (int i = 0; i < 200000; ++i) many.push_back("");
  constexpr u64 kMegabyte = 1 << 20;
  EXPECT_FALSE(arguments_too_big(small, small, "p", 8 * kMegabyte));
  EXPECT_TRUE(arguments_too_big(large, small, "p", ~u64{0}));       // 6 MiB at most
  EXPECT_TRUE(arguments_too_big(many, small, "p", 4 * kMegabyte));  // pointers count
  EXPECT_FALSE(arguments_too_big(many, small, "p", 16 * kMegabyte));
  EXPECT_FALSE(arguments_too_big(small, small, "p", 4096));  // 128 KiB are always allowed
}

TEST(StringList, PushesAndPopsAtTheFront) {
  StringList list;
  list.push_back("b");
  list.push_front("aa");
  EXPECT_EQ(std::string(list.bytes.data(), list.bytes.size()), std::string("aa\0b\0", 5));
  list.pop_front();
  EXPECT_EQ(list.count, 1U);
  EXPECT_STREQ(list.bytes.data(), "b");
  list.pop_front();
  list.pop_front();
  EXPECT_EQ(list.count, 0U);
}

}  // namespace
}  // namespace orrery::kernel
