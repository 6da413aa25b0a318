// When a symbol is the function that somebody named.
#include "lens/function_names.h"

#include <gtest/gtest.h>

namespace orrery::lens {
namespace {

TEST(FunctionNames, OfC) {
  EXPECT_TRUE(is_called("work", "work"));
  EXPECT_TRUE(is_called("work.constprop.0", "work"));
  EXPECT_TRUE(is_called("work.isra.12", "work"));
  EXPECT_FALSE(is_called("work.cold", "work"));
  EXPECT_FALSE(is_called("work.part.0", "work"));
  EXPECT_TRUE(is_called("work.part.0", "work.part.0"));
  EXPECT_FALSE(is_called("worker", "work"));
  EXPECT_FALSE(is_called("_work", "work"));
}

TEST(FunctionNames, OfCpp) {
  const char* push_back = "_ZNSt6vectorIiSaIiEE9push_backEOi";  // std::vector<int, ...>::push_back(int&&)
  EXPECT_TRUE(is_called(push_back, "push_back"));
  EXPECT_TRUE(is_called(push_back, "vector::push_back"));
  EXPECT_TRUE(is_called(push_back, "std::vector::push_back"));
  EXPECT_TRUE(is_called(push_back, "std::vector<int, std::allocator<int> >::push_back"));
  EXPECT_TRUE(is_called(push_back, "std::vector<int, std::allocator<int> >::push_back(int&&)"));
  EXPECT_TRUE(is_called(push_back, push_back));
  EXPECT_FALSE(is_called(push_back, "back"));
  EXPECT_FALSE(is_called(push_back, "std::vector"));
  EXPECT_FALSE(is_called(push_back, "list::push_back"));
  EXPECT_TRUE(is_called("_ZN1a1fEi", "f"));
  EXPECT_TRUE(is_called("_ZN1a1fEi", "a::f"));
  EXPECT_TRUE(is_called("_ZN1a1fEi", "a::f(int)"));
  EXPECT_FALSE(is_called("_ZN1a1fEi", "a::f(char)"));
  EXPECT_TRUE(is_called("_Znwm", "operator new"));
  EXPECT_FALSE(is_called("_Znam", "operator new"));
  EXPECT_TRUE(is_called("_ZN1aD2Ev", "~a"));
}

}  // namespace
}  // namespace orrery::lens
