#include "x86/approximation.h"

namespace orrery::x86 {
namespace {

constexpr u32 kSign = 0x8000'0000, kInfinity = 0x7f80'0000, kQuiet = 0x0040'0000, kIndefinite = 0xffc0'0000;
constexpr u32 kFractionBits = 23, kFraction = (1u << kFractionBits) - 1;
constexpr u32 kKeptBits = 12;  ///< significant bits of a result
constexpr int kBias = 127;

bool is_nan(u32 value) { return (value & ~kSign) > kInfinity; }
bool is_zero(u32 value) { return (value & kInfinity) == 0; }  // denormals count as zeros
int exponent(u32 value) { return static_cast<int>((value & kInfinity) >> kFractionBits) - kBias; }
/// 1.fraction as an integer of 24 bits.
u64 significand(u32 value) { return (value & kFraction) | (1u << kFractionBits); }

/// significand * 2^exponent, the significand in [2^11, 2^12] (12 bits, or rounded up to the next power).
u32 assemble(u32 sign, u64 kept, int power) {
  if (kept >> kKeptBits) kept >>= 1, ++power;
  if (power < 1 - kBias) return sign;  // what would be denormal is zero
  const u32 fraction = static_cast<u32>(kept << (kFractionBits + 1 - kKeptBits)) & kFraction;
  return sign | static_cast<u32>(power + kBias) << kFractionBits | fraction;
}

}  // namespace

u32 approximate_reciprocal(u32 operand) {
  const u32 sign = operand & kSign;
  if (is_nan(operand)) return operand | kQuiet;
  if (is_zero(operand)) return sign | kInfinity;
  if ((operand & ~kSign) == kInfinity) return sign;
  const u64 divisor = significand(operand);  // m * 2^23 with 1 <= m < 2
  // 1/m lies in (1/2, 1]: as 12 bits, 2^12 / m.
  const bool is_power = divisor == u64{1} << kFractionBits;
  if (is_power) return assemble(sign, u64{1} << (kKeptBits - 1), -exponent(operand));
  const u64 dividend = u64{1} << (kFractionBits + kKeptBits);
  const u64 quotient = dividend / divisor, rest = dividend % divisor;
  const bool up = 2 * rest > divisor || (2 * rest == divisor && (quotient & 1) != 0);
  return assemble(sign, quotient + (up ? 1 : 0), -exponent(operand) - 1);
}

u32 approximate_reciprocal_root(u32 operand) {
  if (is_nan(operand)) return operand | kQuiet;
  if (is_zero(operand)) return (operand & kSign) | kInfinity;
  if ((operand & kSign) != 0) return kIndefinite;
  if (operand == kInfinity) return 0;
  // x = m * 4^half with 1 <= m < 4, m * 2^23 an integer: 1/sqrt(x) = 1/sqrt(m) * 2^-half.
  const int power = exponent(operand), half = power >> 1;
  const u64 scaled = significand(operand) << (power & 1);
  if (scaled == u64{1} << kFractionBits) return assemble(0, u64{1} << (kKeptBits - 1), -half);
  // The largest k with k / 2^12 <= 1/sqrt(m), that is k^2 * m <= 2^24; 1/sqrt(m) is in (1/2, 1).
  const u64 bound = u64{1} << (kFractionBits + 2 * kKeptBits);
  u64 kept = 0;
  for (u64 bit = u64{1} << (kKeptBits - 1); bit != 0; bit >>= 1)
    if ((kept + bit) * (kept + bit) * scaled <= bound) kept += bit;
  // Up where (k + 1/2)^2 * m < 2^24. Both sides times four; a tie would need an irrational root to end.
  const u64 doubled = 2 * kept + 1;
  if (doubled * doubled * scaled < 4 * bound) ++kept;
  return assemble(0, kept, -half - 1);
}

bool is_approximation(const Decoded& decoded) {
  constexpr u8 kReciprocalRoot = 0x52, kReciprocal = 0x53;
  return decoded.map == 1 && (decoded.opcode == kReciprocalRoot || decoded.opcode == kReciprocal) &&
         (decoded.encoding == Encoding::legacy || decoded.encoding == Encoding::vex);
}

}  // namespace orrery::x86
