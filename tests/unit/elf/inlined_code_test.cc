#include <gtest/gtest.h>

#include "elf/inlined_code_hosted.h"

namespace orrery::elf {
namespace {

constexpr u64 kOuter = 11, kInner = 12, kBeside = 13, kFirst = 14, kLast = 15, kNothing = 16;

TEST(InlinedCode, TheInnermostFunctionIsTold) {
  InlinedCode code;
  code.add(0x100, 0x200, kOuter);
  code.add(0x140, 0x180, kInner);
  code.add(0x180, 0x190, kBeside);
  code.add(0x300, 0x310, kOuter);
  EXPECT_EQ(code.at(0xff), InlinedCode::kNone);
  EXPECT_EQ(code.at(0x100), kOuter);
  EXPECT_EQ(code.at(0x13f), kOuter);
  EXPECT_EQ(code.at(0x140), kInner);
  EXPECT_EQ(code.at(0x17f), kInner);
  EXPECT_EQ(code.at(0x180), kBeside);
  EXPECT_EQ(code.at(0x190), kOuter);
  EXPECT_EQ(code.at(0x1ff), kOuter);
  EXPECT_EQ(code.at(0x200), InlinedCode::kNone);
  EXPECT_EQ(code.at(0x30f), kOuter);
  EXPECT_EQ(code.at(0x310), InlinedCode::kNone);
}

TEST(InlinedCode, PartsAtTheEndsOfTheWhole) {
  InlinedCode code;
  code.add(0x100, 0x200, kOuter);
  code.add(0x100, 0x110, kFirst);
  code.add(0x1f0, 0x200, kLast);
  code.add(0x120, 0x120, kNothing);
  EXPECT_EQ(code.at(0x100), kFirst);
  EXPECT_EQ(code.at(0x110), kOuter);
  EXPECT_EQ(code.at(0x120), kOuter);
  EXPECT_EQ(code.at(0x1f0), kLast);
  EXPECT_EQ(code.at(0x200), InlinedCode::kNone);
}

}  // namespace
}  // namespace orrery::elf
