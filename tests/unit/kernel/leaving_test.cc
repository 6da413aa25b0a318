#include "kernel/leaving.h"

#include <gtest/gtest.h>

#include <string>

namespace orrery::kernel {
namespace {

TEST(Leaving, PatternsMatchAllOfAText) {
  EXPECT_TRUE(matches("make", "make"));
  EXPECT_FALSE(matches("make", "cmake"));
  EXPECT_FALSE(matches("make", "makedepend"));
  EXPECT_TRUE(matches("*make*", "/usr/bin/cmake"));
  EXPECT_TRUE(matches("python?.*", "python3.11"));
  EXPECT_FALSE(matches("python?.*", "python3"));
  EXPECT_TRUE(matches("*a*b", "aab-ab"));
  EXPECT_FALSE(matches("*a*b", "aab-a"));
  EXPECT_TRUE(matches("[x]", "[x]"));
  EXPECT_FALSE(matches("[x]", "x"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_FALSE(matches("", "x"));
}

TEST(Leaving, ManyStarsTakeNoLonger) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", std::string(4000, 'a')));
}

}  // namespace
}  // namespace orrery::kernel
