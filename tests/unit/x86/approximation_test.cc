#include "x86/approximation.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace orrery::x86 {
namespace {

constexpr double kErrorMost = 1.5 / 4096;

double value_of(u32 bits) { return static_cast<double>(std::bit_cast<float>(bits)); }

/// A normal number whose results are normal too.
u32 random_operand(std::mt19937& random) {
  const u32 exponent = 1 + static_cast<u32>(random() % 251);
  return exponent << 23 | static_cast<u32>(random() & 0x7f'ffff);
}

TEST(Approximation, StaysWithinTheBound) {
  std::mt19937 random(2026);
  for (int i = 0; i < 2'000'000; ++i) {
    const u32 operand = random_operand(random);
    const double x = value_of(operand);
    ASSERT_LE(std::fabs(value_of(approximate_reciprocal(operand)) * x - 1), kErrorMost)
        << std::hex << operand;
    ASSERT_LE(std::fabs(value_of(approximate_reciprocal_root(operand)) * std::sqrt(x) - 1), kErrorMost)
        << std::hex << operand;
    ASSERT_EQ(approximate_reciprocal(operand | 0x8000'0000), approximate_reciprocal(operand) | 0x8000'0000);
  }
}

TEST(Approximation, IsTheExactValueRoundedToTwelveBits) {
  std::mt19937 random(7);
  const auto rounded = [](double exact) {
    int power;
    const double fraction = std::frexp(exact, &power);  // [1/2, 1)
    return std::ldexp(std::nearbyint(std::ldexp(fraction, 12)), power - 12);
  };
  for (int i = 0; i < 500'000; ++i) {
    const u32 operand = random_operand(random);
    const double x = value_of(operand);
    ASSERT_EQ(value_of(approximate_reciprocal(operand)), rounded(1 / x)) << std::hex << operand;
    ASSERT_EQ(value_of(approximate_reciprocal_root(operand)), rounded(1 / std::sqrt(x)))
        << std::hex << operand;
  }
}

TEST(Approximation, KnowsTheSpecialValues) {
  constexpr u32 kInfinity = 0x7f80'0000, kNegative = 0x8000'0000;
  EXPECT_EQ(approximate_reciprocal(0), kInfinity);
  EXPECT_EQ(approximate_reciprocal(kNegative), kInfinity | kNegative);
  EXPECT_EQ(approximate_reciprocal(1), kInfinity);  // a denormal
  EXPECT_EQ(approximate_reciprocal(kInfinity), 0u);
  EXPECT_EQ(approximate_reciprocal(kInfinity | kNegative), kNegative);
  EXPECT_EQ(approximate_reciprocal(0x7f80'0001), 0x7fc0'0001u);
  EXPECT_EQ(approximate_reciprocal(0x7f7f'ffff), 0u);  // 2^-128 would be denormal
  EXPECT_EQ(approximate_reciprocal(0x3f80'0000), 0x3f80'0000u);
  EXPECT_EQ(approximate_reciprocal_root(0), kInfinity);
  EXPECT_EQ(approximate_reciprocal_root(kNegative), kInfinity | kNegative);
  EXPECT_EQ(approximate_reciprocal_root(kNegative | 1), kInfinity | kNegative);
  EXPECT_EQ(approximate_reciprocal_root(0xbf80'0000), 0xffc0'0000u);
  EXPECT_EQ(approximate_reciprocal_root(kInfinity), 0u);
  EXPECT_EQ(approximate_reciprocal_root(kInfinity | kNegative), 0xffc0'0000u);
  EXPECT_EQ(approximate_reciprocal_root(0xff80'0001), 0xffc0'0001u);
  EXPECT_EQ(approximate_reciprocal_root(0x4080'0000), 0x3f00'0000u);  // 4
}

}  // namespace
}  // namespace orrery::x86
