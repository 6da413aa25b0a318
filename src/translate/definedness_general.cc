// Rules for general registers: the one-byte map (SDM vol. 2, appendix A).
#include <algorithm>

#include "translate/definedness_words.h"
#include "translate/instruction_accesses.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::Addressing;

void Definedness::arithmetic_to(u32 operation, u64 size, bool to_reg) {
  const Word of_reg = reg(size), of_rm = rm(size);
  const bool same = is_register_form() && rm_register() == reg_register();
  u64 result = 0;
  if (!arithmetic(operation, to_reg ? of_reg : of_rm, to_reg ? of_rm : of_reg, size, same, &result)) return;
  to_reg ? set_gpr(reg_register(), size, result) : set_rm(size, result);
}

void Definedness::immediate_group() {
  const u64 size = decoded_->opcode == 0x80 ? 1 : size_of_operand();
  u64 result = 0;
  if (arithmetic(decoded_->modrm_reg(), rm(size), immediate(size), size, false, &result))
    set_rm(size, result);
}

/// Shifts and rotations of the group of c0, c1 and d0 to d3.
void Definedness::shift() {
  const u8 opcode = decoded_->opcode;
  const u64 size = (opcode & 1) == 0 ? 1 : size_of_operand();
  const u64 width = size * 8;
  Word count = opcode < 0xc2 ? immediate(1) : opcode < 0xd2 ? Word{1, 0} : gpr(number(Gpr::rcx), 1);
  count.value &= size == 8 ? 63 : 31;
  count.undefined &= size == 8 ? 63 : 31;
  const Word from = rm(size);
  const u32 operation = decoded_->modrm_reg();
  const bool rotates_carry = operation == 2 || operation == 3;
  if (count.undefined == 0 && count.value == 0) return set_rm(size, from.undefined);
  const bool carry_undefined = (bits_.flags() & F::kCarry) != 0;
  if (count.undefined != 0 || (rotates_carry && (from.undefined != 0 || carry_undefined))) {
    const bool zero = count.undefined != 0 && from.value == 0 && from.undefined == 0 && !rotates_carry;
    set_rm(size, all_if(!zero, size));
    return set_flags(F::kAll, F::kAll);
  }
  const u64 n = count.value, u = from.undefined;
  const u64 turned = n % width;
  u64 result = 0;
  switch (operation) {
    case 0:
      result = turned == 0 ? u : u << turned | u >> (width - turned);
      break;
    case 1:
      result = turned == 0 ? u : u >> turned | u << (width - turned);
      break;
    case 4:
    case 6:
      result = n >= width ? 0 : u << n;
      break;
    case 5:
      result = n >= width ? 0 : u >> n;
      break;
    case 7:
      result = sign_extended(u, size);
      result = static_cast<u64>(static_cast<i64>(result) >> std::min<u64>(n, 63));
      break;
    default:
      break;
  }
  set_rm(size, result);
  shift_flags(from, result & mask_of(size), size, n, operation);
}

/// Of a shift by a defined count that is not zero.
void Definedness::shift_flags(const Word& from, u64 result, u64 size, u64 count, u32 operation) {
  const u64 any = from.undefined != 0 ? F::kCarry | F::kOverflow | F::kLess : 0;
  if (operation < 4) return set_flags(F::kCarry | F::kOverflow, any);
  Word after{0, result};
  if (operation == 5)
    after.value = count >= 64 ? 0 : (from.value & mask_of(size)) >> count;
  else if (operation == 7)
    after.value =
        static_cast<u64>(static_cast<i64>(sign_extended(from.value, size)) >> std::min<u64>(count, 63));
  else
    after.value = count >= 64 ? 0 : from.value << count;
  const u64 width = size * 8;
  u64 others = any;
  // The last bit that is shifted out.
  const bool right = operation == 5 || operation == 7;
  const u64 out = right ? std::min(count, width) - 1 : width - std::min(count, width);
  if ((from.undefined >> out & 1) == 0) others &= ~F::kCarry;
  flags_of_result({after.value & mask_of(size), after.undefined}, size, others);
}

/// f6 and f7.
void Definedness::unary_group() {
  const u64 size = decoded_->opcode == 0xf6 ? 1 : size_of_operand();
  const Word from = rm(size);
  u64 result = 0;
  switch (decoded_->modrm_reg()) {
    case 0:
    case 1:
      arithmetic(4, from, immediate(size), size, false, &result);
      return;
    case 2:
      return set_rm(size, from.undefined);
    case 3:
      return set_rm(size, subtract({}, from, {}, size).undefined);
    case 4:
    case 5:
      return multiply_to(from, gpr(number(Gpr::rax), size), size);
    default:
      break;
  }
  const bool byte = size == 1;
  const u64 high = gpr(number(byte ? Gpr::rax : Gpr::rdx), byte ? 2 : size).undefined;
  const bool undefined = (from.undefined | high | gpr(number(Gpr::rax), size).undefined) != 0;
  set_gpr(number(Gpr::rax), byte ? 2 : size, all_if(undefined, byte ? 2 : size));
  if (!byte) set_gpr(number(Gpr::rdx), size, all_if(undefined, size));
  set_flags(F::kAll, undefined ? F::kAll : 0);
}

/// mul and imul with a result of twice the size.
void Definedness::multiply_to(const Word& a, const Word& b, u64 size) {
  const u64 low = upwards(a.undefined | b.undefined) & mask_of(size);
  const bool undefined = low != 0;
  if (size == 1) {
    set_gpr(number(Gpr::rax), 2, upwards(low));
  } else {
    set_gpr(number(Gpr::rax), size, low);
    set_gpr(number(Gpr::rdx), size, all_if(undefined, size));
  }
  set_flags(F::kAll, undefined ? F::kAll : 0);
}

/// fe, and ff's inc, dec and push.
void Definedness::increments() {
  const u64 size = decoded_->opcode == 0xfe ? 1 : size_of_operand();
  if (decoded_->modrm_reg() == 6) {
    const u64 bytes = accesses_.items[accesses_.count - 1].size_bytes;
    return set_memory((*regs_)[Gpr::rsp] - bytes, bytes, rm(bytes).undefined);
  }
  const u64 carry = bits_.flags() & F::kCarry;
  const Word from = rm(size);
  const Word result =
      decoded_->modrm_reg() == 0 ? add(from, {1, 0}, {}, size) : subtract(from, {1, 0}, {}, size);
  if (carry != 0) taint_from(RegisterName::flags());
  set_flags(F::kCarry, carry);
  set_rm(size, result.undefined);
}

void Definedness::string_instruction() {
  std::vector<Access> accesses;
  instruction_accesses(*regs_, *decoded_, bytes_, accesses_, accesses);
  if (accesses.empty()) return;
  const u64 element = accesses_.items[0].size_bytes;
  const u8 pair = decoded_->opcode & 0xfe;
  const u64 size = accesses[0].size_bytes;
  const auto undefined_in = [&](const Access& access) {
    u64 bits = 0;
    for (u64 at = 0; at < access.size_bytes; at += element) {
      const u64 here = memory_word(access.address + at, element).undefined;
      bits |= here;
    }
    return bits;
  };
  switch (pair) {
    case 0xa4: {
      const bool upwards_first = accesses[1].address <= accesses[0].address;
      for (u64 done = 0; done < size; done += element) {
        const u64 at = upwards_first ? done : size - done - element;
        set_memory(accesses[1].address + at, element,
                   memory_word(accesses[0].address + at, element).undefined);
      }
      return;
    }
    case 0xaa: {
      const u64 undefined = gpr(number(Gpr::rax), element).undefined;
      for (u64 at = 0; at < size; at += element) set_memory(accesses[0].address + at, element, undefined);
      return;
    }
    case 0xac:
      return set_gpr(number(Gpr::rax), element, undefined_in(accesses[0]));
    default: {
      if (!accesses_.items[0].repeated) {
        const Word a =
            pair == 0xa6 ? memory_word(accesses[0].address, element) : gpr(number(Gpr::rax), element);
        subtract(a, memory_word(accesses[pair == 0xa6 ? 1 : 0].address, element), {}, element);
        return;
      }
      u64 bits = pair == 0xae ? gpr(number(Gpr::rax), element).undefined : 0;
      for (const Access& access : accesses) bits |= undefined_in(access);
      return set_flags(F::kAll, bits != 0 ? F::kAll : 0);
    }
  }
}

/// push, pop, enter, leave and the flags among them.
void Definedness::stack(bool push) {
  const u64 bytes = accesses_.items[0].size_bytes;
  const u64 rsp = (*regs_)[Gpr::rsp];
  const u8 opcode = decoded_->opcode;
  const u32 named = (opcode & 7u) | ((decoded_->rex & 1) != 0 ? 8u : 0u);
  if (push) {
    u64 undefined = 0;
    if (opcode < 0x58) undefined = gpr(named, bytes).undefined;
    if (opcode == 0x9c) undefined = bits_.flags() & ~F::kLess;
    return set_memory(rsp - bytes, bytes, undefined);
  }
  const u64 undefined = memory_word(rsp, bytes).undefined;
  if (opcode < 0x60) return set_gpr(named, bytes, undefined);
  set_flags(F::kAll & ~F::kLess, undefined);
}

/// The one-byte map. False if there is no rule.
bool Definedness::one_byte() {
  const u8 opcode = decoded_->opcode;
  const u64 size = (opcode & 1) == 0 ? 1 : size_of_operand();
  const u32 rax = number(Gpr::rax);
  const u32 named = (opcode & 7u) | ((decoded_->rex & 1) != 0 ? 8u : 0u);
  u64 result = 0;
  if (opcode < 0x40 && (opcode & 7) < 6) {
    if ((opcode & 4) == 0) return arithmetic_to(opcode >> 3, size, (opcode & 2) != 0), true;
    if (arithmetic(opcode >> 3, gpr(rax, size), immediate(size), size, false, &result))
      set_gpr(rax, size, result);
    return true;
  }
  if (opcode >= 0x50 && opcode < 0x60) return stack(opcode < 0x58), true;
  if (opcode >= 0xb0 && opcode < 0xc0) return set_gpr(named, opcode < 0xb8 ? 1 : size_of_operand(), 0), true;
  if ((opcode >= 0xa4 && opcode < 0xa8) || (opcode >= 0xaa && opcode < 0xb0))
    return string_instruction(), true;
  if (opcode >= 0x90 && opcode < 0x98 && named != rax) {
    const u64 whole = size_of_operand();
    const u64 mine = gpr(named, whole).undefined, its = gpr(rax, whole).undefined;
    set_gpr(named, whole, its);
    set_gpr(rax, whole, mine);
    return true;
  }
  return move(size) || flags_or_stack(size) || operation(size);
}

/// Those that compute.
bool Definedness::operation(u64 size) {
  u64 result = 0;
  switch (decoded_->opcode) {
    case 0x69:
    case 0x6b: {
      const u64 whole = size_of_operand(), undefined = upwards(rm(whole).undefined);
      set_gpr(reg_register(), whole, undefined);
      set_flags(F::kAll, undefined != 0 ? F::kAll : 0);
      return true;
    }
    case 0x80:
    case 0x81:
    case 0x83:
      return immediate_group(), true;
    case 0x84:
    case 0x85:
      arithmetic(4, rm(size), reg(size), size, false, &result);
      return true;
    case 0xa8:
    case 0xa9:
      arithmetic(4, gpr(number(Gpr::rax), size), immediate(size), size, false, &result);
      return true;
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return shift(), true;
    case 0xf6:
    case 0xf7:
      return unary_group(), true;
    case 0xfe:
    case 0xff:
      return increments(), true;
    default:
      return false;
  }
}

/// pushes, pops, enter, leave, and what moves flags or sets one.
bool Definedness::flags_or_stack(u64) {
  const u32 rax = number(Gpr::rax), rbp = number(Gpr::rbp);
  switch (decoded_->opcode) {
    case 0x68:
    case 0x6a:
    case 0x9c:
      return stack(true), true;
    case 0x9d:
      return stack(false), true;
    case 0x9e:
      set_flags(F::kAll & ~F::kOverflow & ~F::kLess, gpr(rax, 2).undefined >> 8);
      return true;
    case 0x9f:
      if (bits_.has(RegisterName::flags())) taint_from(RegisterName::flags());
      return set_gpr(rax, 2, (bits_.gpr(rax) & 0xff) | (bits_.flags() & 0xd5) << 8), true;
    case 0xc8:
      set_memory((*regs_)[Gpr::rsp] - 8, 8, gpr(rbp, 8).undefined);
      return set_gpr(rbp, 8, 0), true;
    case 0xc9:
      return set_gpr(rbp, 8, memory_word((*regs_)[Gpr::rbp], 8).undefined), true;
    case 0x90:
    case 0xf5:
    case 0xfc:
    case 0xfd:
      return true;
    case 0xf8:
    case 0xf9:
      return set_flags(F::kCarry, 0), true;
    default:
      return false;
  }
}

/// lea: a sum.
void Definedness::address_to_register() {
  const x86::AddressForm form = x86::address_form(*decoded_, bytes_);
  Word sum{static_cast<u64>(form.displacement), 0};
  const bool doubles = form.base < 16 && form.base == form.index && form.shift == 0;
  if (doubles) {
    const Word one = gpr(form.base, 8);
    sum.undefined = undefined_of_sum(sum, {one.value << 1, one.undefined << 1}, 8);
  } else if (form.base < 16) {
    const Word base = gpr(form.base, 8);
    sum = {sum.value + base.value, undefined_of_sum(sum, base, 8)};
  }
  if (form.index < 16 && !doubles) {
    const Word index = gpr(form.index, 8);
    sum.undefined = undefined_of_sum(sum, {index.value << form.shift, index.undefined << form.shift}, 8);
  }
  set_gpr(reg_register(), size_of_operand(), decoded_->has_67 ? sum.undefined & 0xffff'ffff : sum.undefined);
}

/// Moves, and extensions of signs.
bool Definedness::move(u64 size) {
  const u32 rax = number(Gpr::rax);
  const u64 whole = size_of_operand();
  const auto implicit = [&](Addressing addressing) {
    return instruction_address({.addressing = addressing}, *decoded_, bytes_, *regs_);
  };
  switch (decoded_->opcode) {
    case 0x63:
      return set_gpr(reg_register(), whole, sign_extended(rm(4).undefined, 4)), true;
    case 0x86:
    case 0x87: {
      const u64 of_rm = rm(size).undefined, of_reg = reg(size).undefined;
      set_rm(size, of_reg);
      return set_gpr(reg_register(), size, of_rm), true;
    }
    case 0x88:
    case 0x89:
      return set_rm(size, reg(size).undefined), true;
    case 0x8a:
    case 0x8b:
      return set_gpr(reg_register(), size, rm(size).undefined), true;
    case 0x8d:
      return address_to_register(), true;
    case 0x98:
      return set_gpr(rax, whole, sign_extended(gpr(rax, whole / 2).undefined, whole / 2)), true;
    case 0x99:
      return set_gpr(number(Gpr::rdx), whole,
                     all_if((gpr(rax, whole).undefined & top_of(whole)) != 0, whole)),
             true;
    case 0xa0:
    case 0xa1:
      return set_gpr(rax, size, memory_word(implicit(Addressing::offset), size).undefined), true;
    case 0xa2:
    case 0xa3:
      return set_memory(implicit(Addressing::offset), size, gpr(rax, size).undefined), true;
    case 0xc6:
    case 0xc7:
      return set_rm(size, 0), true;
    case 0xd7: {
      const u64 index = all_if(gpr(rax, 1).undefined != 0, 1);
      return set_gpr(rax, 1, index | memory_word(implicit(Addressing::table), 1).undefined), true;
    }
    default:
      return false;
  }
}

}  // namespace orrery::translate
