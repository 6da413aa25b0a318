// Rules for flags, and for what sets them. Sums, differences and comparisons are bounded by the least and the
// greatest that their operands may be.
#include "translate/definedness_words.h"

namespace orrery::translate {

u64 undefined_of_sum(const Word& a, const Word& b, u64 size) {
  return (a.undefined | b.undefined | ((a.least() + b.least()) ^ (a.most() + b.most()))) & mask_of(size);
}

// --- flags ---

void Definedness::set_flags(u64 written, u64 undefined) {
  if ((written & F::kLess) == 0 && (written & (F::kSign | F::kOverflow)) != 0) {
    written |= F::kLess;
    if ((undefined & (F::kSign | F::kOverflow)) != 0) undefined |= F::kLess;
  }
  bits_.set_flags((bits_.flags() & ~written) | (undefined & written),
                  undefined != 0 ? origin_ : bits_.origin(RegisterName::flags()));
}

/// `others`: those of the carry, the overflow and kLess that are undefined.
void Definedness::flags_of_result(const Word& result, u64 size, u64 others) {
  u64 undefined = others;
  if (result.undefined != 0 && (result.value & ~result.undefined & mask_of(size)) == 0) undefined |= F::kZero;
  if ((result.undefined & top_of(size)) != 0) undefined |= F::kSign;
  if ((result.undefined & 0xff) != 0) undefined |= F::kParity;
  if ((result.undefined & 0x1f) != 0) undefined |= F::kAdjust;
  set_flags(F::kAll, undefined);
}

/// Appendix B.1.4.7 of SDM vol. 1: conditions by tttn.
bool Definedness::condition_undefined(u8 condition) {
  const u64 undefined = bits_.flags();
  if (undefined == 0) return false;
  taint_from(RegisterName::flags());
  const bool zero = (regs_->rflags & F::kZero) != 0, carry = (regs_->rflags & F::kCarry) != 0;
  const bool less = ((regs_->rflags & F::kSign) != 0) != ((regs_->rflags & F::kOverflow) != 0);
  const bool zero_undefined = (undefined & F::kZero) != 0;
  const auto either = [&](bool other, bool other_undefined) {
    if (!zero_undefined && zero) return false;
    if (!other_undefined && other) return false;
    return zero_undefined || other_undefined;
  };
  switch (condition >> 1) {
    case 0:
      return (undefined & F::kOverflow) != 0;
    case 1:
      return (undefined & F::kCarry) != 0;
    case 2:
      return zero_undefined;
    case 3:
      if (bits_.unsigned_order_known()) return false;
      return either(carry, (undefined & F::kCarry) != 0);
    case 4:
      return (undefined & F::kSign) != 0;
    case 5:
      return (undefined & F::kParity) != 0;
    case 6:
      return (undefined & F::kLess) != 0;
    default:
      if (bits_.signed_order_known()) return false;
      return either(less, (undefined & F::kLess) != 0);
  }
}

/// The result, and the flags.
Word Definedness::add(const Word& a, const Word& b, const Word& carry, u64 size) {
  const u64 mask = mask_of(size);
  const Wide least = Wide{a.least()} + b.least() + carry.least(),
             most = Wide{a.most()} + b.most() + carry.most();
  Word result{(a.value + b.value + carry.value) & mask, 0};
  result.undefined = (a.undefined | b.undefined | carry.undefined | static_cast<u64>(least ^ most)) & mask;
  u64 others = 0;
  if ((least >> (size * 8)) != (most >> (size * 8))) others |= F::kCarry;
  if (overflow_undefined(signed_least(a, size) + signed_least(b, size) + carry.least(),
                         signed_most(a, size) + signed_most(b, size) + carry.most(), size))
    others |= F::kOverflow;
  if ((result.undefined & top_of(size)) != 0 || (others & F::kOverflow) != 0) others |= F::kLess;
  flags_of_result(result, size, others);
  return result;
}

/// The same, and for comparisons whether they are equal or less.
Word Definedness::subtract(const Word& a, const Word& b, const Word& borrow, u64 size) {
  const u64 mask = mask_of(size);
  const Wide least = Wide{a.least()} - b.most() - borrow.most(),
             most = Wide{a.most()} - b.least() - borrow.least();
  Word result{(a.value - b.value - borrow.value) & mask, 0};
  result.undefined = (a.undefined | b.undefined | borrow.undefined | static_cast<u64>(least ^ most)) & mask;
  const Wide signed_low = signed_least(a, size) - signed_most(b, size) - borrow.most();
  const Wide signed_high = signed_most(a, size) - signed_least(b, size) - borrow.least();
  u64 others = 0;
  if ((least < 0) != (most < 0)) others |= F::kCarry;
  if (overflow_undefined(signed_low, signed_high, size)) others |= F::kOverflow;
  if ((signed_low < 0) != (signed_high < 0)) others |= F::kLess;
  flags_of_result(result, size, others);
  const bool differ = ((a.value ^ b.value) & ~(a.undefined | b.undefined) & mask) != 0;
  if (differ && borrow.value == 0 && borrow.undefined == 0) set_flags(F::kZero, 0);
  // Where a bound is known, it is one of small numbers.
  const bool bounded = a.floor != 0 || b.floor != 0;
  const Wide low = bounded ? signed_low + (a.at_least() - a.least()) : signed_low;
  const Wide high = bounded ? signed_high - (b.at_least() - b.least()) : signed_high;
  const Wide lowest = least + (a.at_least() - a.least()), highest = most - (b.at_least() - b.least());
  bits_.set_orders_known((low > 0) == (high > 0), (lowest > 0) == (highest > 0));
  if ((low < 0) == (high < 0)) bits_.set_flags_kept(bits_.flags() & ~F::kLess);
  if ((lowest < 0) == (highest < 0)) bits_.set_flags_kept(bits_.flags() & ~F::kCarry);
  return result;
}

/// Operations of the ALU by their number in opcodes 00 to 3f. False if there is no result.
bool Definedness::arithmetic(u32 operation, const Word& a, const Word& b, u64 size, bool same, u64* result) {
  constexpr u32 kAdd = 0, kOr = 1, kAdc = 2, kSbb = 3, kAnd = 4, kSub = 5, kXor = 6, kCmp = 7;
  const Word carry{regs_->rflags & F::kCarry, bits_.flags() & F::kCarry};
  if (same && (operation == kSub || operation == kXor || operation == kCmp)) {
    set_flags(F::kAll, 0);
    *result = 0;
    return operation != kCmp;
  }
  // A number added to itself is shifted.
  if (same && operation == kAdd) {
    constexpr u32 kShiftLeft = 4;
    *result = (a.undefined << 1) & mask_of(size);
    shift_flags(a, *result, size, 1, kShiftLeft);
    return true;
  }
  Word word{};
  switch (operation) {
    case kOr:
      word = {a.value | b.value,
              (a.undefined & b.undefined) | (a.undefined & ~b.value) | (b.undefined & ~a.value)};
      break;
    case kAnd:
      word = {a.value & b.value,
              (a.undefined & b.undefined) | (a.undefined & b.value) | (b.undefined & a.value)};
      break;
    case kXor:
      word = {a.value ^ b.value, a.undefined | b.undefined};
      break;
    case kAdc:
      if (carry.undefined != 0) taint_from(RegisterName::flags());
      *result = add(a, b, carry, size).undefined;
      return true;
    case kSbb:
      if (carry.undefined != 0) taint_from(RegisterName::flags());
      // The same register from itself: all bits are the carry.
      *result = same ? subtract({}, {}, carry, size).undefined : subtract(a, b, carry, size).undefined;
      return true;
    case kSub:
    case kCmp:
      *result = subtract(a, b, {}, size).undefined;
      return operation != kCmp;
    default:
      *result = add(a, b, {}, size).undefined;
      return true;
  }
  word.undefined &= mask_of(size);
  flags_of_result(word, size, (word.undefined & top_of(size)) != 0 ? u64{F::kLess} : 0);
  *result = word.undefined;
  return true;
}

}  // namespace orrery::translate
