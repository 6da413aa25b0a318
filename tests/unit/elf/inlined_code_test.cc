#include <gtest/gtest.h>

#include "elf/inlined_code_hosted.h"

namespace orrery::elf {
namespace {

TEST(InlinedCode, TheInnermostFunctionIsTold) {
  InlinedCode code;
  code.add(0x100, 0x200, "outer");
  code.add(0x140, 0x180, "inner");
  code.add(0x180, 0x190, "beside");
  code.add(0x300, 0x310, "outer");
  EXPECT_EQ(code.at(0xff), "");
  EXPECT_EQ(code.at(0x100), "outer");
  EXPECT_EQ(code.at(0x13f), "outer");
  EXPECT_EQ(code.at(0x140), "inner");
  EXPECT_EQ(code.at(0x17f), "inner");
  EXPECT_EQ(code.at(0x180), "beside");
  EXPECT_EQ(code.at(0x190), "outer");
  EXPECT_EQ(code.at(0x1ff), "outer");
  EXPECT_EQ(code.at(0x200), "");
  EXPECT_EQ(code.at(0x30f), "outer");
  EXPECT_EQ(code.at(0x310), "");
}

TEST(InlinedCode, PartsAtTheEndsOfTheWhole) {
  InlinedCode code;
  code.add(0x100, 0x200, "outer");
  code.add(0x100, 0x110, "first");
  code.add(0x1f0, 0x200, "last");
  code.add(0x120, 0x120, "nothing");
  EXPECT_EQ(code.at(0x100), "first");
  EXPECT_EQ(code.at(0x110), "outer");
  EXPECT_EQ(code.at(0x120), "outer");
  EXPECT_EQ(code.at(0x1f0), "last");
  EXPECT_EQ(code.at(0x200), "");
}

}  // namespace
}  // namespace orrery::elf
