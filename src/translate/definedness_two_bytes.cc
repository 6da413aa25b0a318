// Rules for general registers: the two-byte map (SDM vol. 2, appendix A).
#include "translate/definedness_words.h"

namespace orrery::translate {

using cpu::Gpr;

namespace {

bool holds(u8 condition, u64 rflags) {
  const bool zero = (rflags & F::kZero) != 0, carry = (rflags & F::kCarry) != 0;
  const bool less = ((rflags & F::kSign) != 0) != ((rflags & F::kOverflow) != 0);
  const bool base[] = {
      (rflags & F::kOverflow) != 0, carry, zero,        carry || zero, (rflags & F::kSign) != 0,
      (rflags & F::kParity) != 0,   less,  less || zero};
  return base[condition >> 1] != ((condition & 1) != 0);
}

}  // namespace

// --- the two-byte map ---

void Definedness::bit_test(const Word& index) {
  const u64 size = size_of_operand(), width = size * 8;
  const u32 operation = decoded_->opcode == 0xba ? decoded_->modrm_reg() & 3u : decoded_->opcode >> 3 & 3u;
  const bool by_register = decoded_->opcode != 0xba && !is_register_form();
  if (by_register)
    address_ += static_cast<u64>(static_cast<i64>(sign_extended(index.value, size)) >> 3) & ~(size - 1);
  const Word from = rm(size);
  const u64 bit = u64{1} << index.value % width;
  const bool unknown = (index.undefined & (by_register ? ~u64{0} : width - 1)) != 0;
  set_flags(F::kCarry, unknown || (from.undefined & bit) != 0 ? F::kCarry : 0);
  if (operation == 0) return;
  set_rm(size, unknown ? mask_of(size) : operation == 3 ? from.undefined : from.undefined & ~bit);
}

/// bsf, bsr, tzcnt and lzcnt.
void Definedness::bit_scan(bool forward, bool counts_width) {
  const u64 size = size_of_operand();
  Word from = rm(size);
  if (!forward) {  // the same from the other end
    const auto mirrored = [&](u64 bits) {
      u64 result = 0;
      for (u64 bit = 0; bit < size * 8; ++bit) result |= (bits >> bit & 1) << (size * 8 - 1 - bit);
      return result;
    };
    from = {mirrored(from.value), mirrored(from.undefined)};
  }
  const LowestOne lowest = lowest_one(from);
  const bool may_be_zero = from.undefined != 0 && !lowest.not_zero;
  // bsf and bsr of zero leave the whole register as it is.
  const bool keeps = !counts_width && from.value == 0 && from.undefined == 0;
  if (!keeps)
    set_gpr(reg_register(), !counts_width && may_be_zero && size > 2 ? 8 : size, all_if(!lowest.certain, 8));
  // Counted zeros: no fewer than there certainly are.
  const u32 certain = static_cast<u32>(std::countr_zero(from.value | from.undefined));
  if (counts_width && !lowest.certain && size >= 4) {
    set_gpr(reg_register(), size, 0x7f);
    bits_.set_floor(reg_register(), static_cast<u8>(std::min<u64>(certain, size * 8)));
  }
  u64 undefined = 0;
  if (counts_width) {
    if (may_be_zero) undefined |= F::kCarry;
    if ((from.undefined & 1) != 0) undefined |= F::kZero;
  } else {
    if (may_be_zero) undefined |= F::kZero;
  }
  set_flags(F::kAll, undefined);
}

void Definedness::exchange_and_add() {
  const u64 size = decoded_->opcode == 0xc0 ? 1 : size_of_operand();
  const Word of_rm = rm(size), of_reg = reg(size);
  const Word sum = add(of_rm, of_reg, {}, size);
  set_gpr(reg_register(), size, of_rm.undefined);
  set_rm(size, sum.undefined);
}

void Definedness::compare_exchange() {
  const u64 size = decoded_->opcode == 0xb0 ? 1 : size_of_operand();
  const u32 rax = number(Gpr::rax);
  const Word of_rm = rm(size), of_reg = reg(size), expected = gpr(rax, size);
  subtract(expected, of_rm, {}, size);
  const bool unknown = (bits_.flags() & F::kZero) != 0;
  const bool equal = expected.value == of_rm.value;
  if (unknown) {
    // Whether the upper half of a register becomes zero is unknown too.
    const u64 whole = size == 4 ? 8 : size;
    set_rm(is_register_form() ? whole : size, all_if(true, 8));
    set_gpr(rax, whole, all_if(true, 8));
  } else if (equal) {
    set_rm(size, of_reg.undefined);
  } else {
    set_gpr(rax, size, of_rm.undefined);
  }
}

/// shld and shrd.
void Definedness::double_shift() {
  const u64 size = size_of_operand(), width = size * 8;
  Word count = (decoded_->opcode & 1) == 0 ? immediate(1) : gpr(number(Gpr::rcx), 1);
  count.value &= size == 8 ? 63 : 31, count.undefined &= size == 8 ? 63 : 31;
  const Word to = rm(size), from = reg(size);
  if (count.undefined == 0 && count.value == 0) return set_rm(size, to.undefined);
  const bool any = (to.undefined | from.undefined | count.undefined) != 0;
  u64 result = all_if(any, size);
  if (count.undefined == 0 && count.value < width)
    result = decoded_->opcode < 0xa8 ? to.undefined << count.value | from.undefined >> (width - count.value)
                                     : to.undefined >> count.value | from.undefined << (width - count.value);
  set_rm(size, result);
  set_flags(F::kAll, any ? F::kAll : 0);
}

/// The two-byte map without vectors. False if there is no rule.
bool Definedness::two_bytes() {
  const u8 opcode = decoded_->opcode;
  const u64 size = size_of_operand();
  const u32 named = (opcode & 7u) | ((decoded_->rex & 1) != 0 ? 8u : 0u);
  if (opcode == 0x0d || (opcode >= 0x18 && opcode < 0x20)) return true;  // prefetches and nops
  if (opcode >= 0x40 && opcode < 0x50) {
    const Word to = reg(size), from = rm(size);
    const bool unknown = condition_undefined(opcode & 15);
    const u64 moved = holds(opcode & 15, regs_->rflags) ? from.undefined : to.undefined;
    const u64 either = to.undefined | from.undefined | (to.value ^ from.value);
    return set_gpr(reg_register(), size, unknown ? either : moved), true;
  }
  if (opcode >= 0x90 && opcode < 0xa0) return set_rm(1, condition_undefined(opcode & 15) ? 1 : 0), true;
  if (opcode >= 0xc8 && opcode < 0xd0)
    return set_gpr(named, size, __builtin_bswap64(gpr(named, size).undefined) >> (64 - size * 8)), true;
  return of_bits(size) || of_words(size);
}

bool Definedness::of_bits(u64 size) {
  switch (const u8 opcode = decoded_->opcode; opcode) {
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
      return bit_test(reg(size)), true;
    case 0xba:
      return bit_test(immediate(1)), true;
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad:
      return double_shift(), true;
    case 0xb8: {
      if (!decoded_->has_f3) return false;
      const Word from = rm(size);
      set_gpr(reg_register(), size, from.undefined != 0 ? 0x7f : 0);
      return set_flags(F::kAll, from.undefined != 0 && from.least() == 0 ? F::kZero : 0), true;
    }
    case 0xbc:
    case 0xbd:
      return bit_scan(opcode == 0xbc, decoded_->has_f3), true;
    default:
      return false;
  }
}

/// cmpxchg8b and cmpxchg16b.
void Definedness::compare_exchange_twice() {
  const u64 half = size_of_operand() == 8 ? 8 : 4;
  u64 undefined = memory_word(address_, half).undefined | memory_word(address_ + half, half).undefined;
  for (const Gpr reg : {Gpr::rax, Gpr::rdx, Gpr::rbx, Gpr::rcx})
    undefined |= gpr(number(reg), half).undefined;
  if (undefined == 0) return set_flags(F::kZero, 0);
  for (const Gpr reg : {Gpr::rax, Gpr::rdx}) set_gpr(number(reg), 8, ~u64{0});
  for (const u64 at : {u64{0}, half}) set_memory(address_ + at, half, ~u64{0});
  set_flags(F::kZero, F::kZero);
}

bool Definedness::of_words(u64 size) {
  switch (const u8 opcode = decoded_->opcode; opcode) {
    case 0xaf: {
      const u64 undefined = upwards(rm(size).undefined | reg(size).undefined);
      set_gpr(reg_register(), size, undefined);
      return set_flags(F::kAll, undefined != 0 ? F::kAll : 0), true;
    }
    case 0xb0:
    case 0xb1:
      return compare_exchange(), true;
    case 0xb6:
    case 0xb7:
      return set_gpr(reg_register(), size, rm(opcode == 0xb6 ? 1 : 2).undefined), true;
    case 0xbe:
    case 0xbf: {
      const u64 from = opcode == 0xbe ? 1 : 2;
      return set_gpr(reg_register(), size, sign_extended(rm(from).undefined, from)), true;
    }
    case 0xc0:
    case 0xc1:
      return exchange_and_add(), true;
    case 0xc7:
      if (decoded_->modrm_reg() != 1 || is_register_form()) return false;
      return compare_exchange_twice(), true;
    case 0xc3:
      return set_rm(size, reg(size).undefined), true;
    default:
      return false;
  }
}

}  // namespace orrery::translate
