// Rules for the instructions of bit manipulation: the maps 0f38 and 0f3a, and VEX.
#include "translate/definedness_words.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::Encoding;

namespace {

constexpr u8 kPrefix66 = 1, kPrefixF3 = 2, kPrefixF2 = 3;  // as VEX counts them

}  // namespace

/// False if it is none.
bool Definedness::bits_by_map() {
  const u8 map = decoded_->map, opcode = decoded_->opcode;
  const bool vex = decoded_->encoding == Encoding::vex;
  const u64 size = size_of_operand(), width = size * 8;
  if (vex && map == 3 && opcode == 0xf0) {  // rorx
    const u64 count = static_cast<u64>(decoded_->immediate) & (width - 1), u = rm(size).undefined;
    return set_gpr(reg_register(), size, count == 0 ? u : u >> count | u << (width - count)), true;
  }
  if (decoded_->encoding == Encoding::evex || map != 2 || opcode < 0xf0 || opcode > 0xf7) return false;
  if (!vex) return bits_without_vex(size);
  const u8 prefix = x86::vector_fields(*decoded_, bytes_).prefix;
  const u32 to = reg_register(), third = decoded_->vvvv & 15u;
  const Word from = rm(size);
  switch (opcode) {
    case 0xf2: {  // andn
      const Word other = gpr(third, size);
      u64 result = 0;
      arithmetic(4, {~other.value & mask_of(size), other.undefined}, from, size, false, &result);
      return set_gpr(to, size, result), true;
    }
    case 0xf3:
      return lowest_bit(from, third, size), true;
    case 0xf5:
      return prefix == 0 ? zero_high(from, gpr(third, size), size)
                         : gather_bits(from, gpr(third, size), size, prefix == kPrefixF3),
             true;
    case 0xf6: {  // mulx
      if (prefix != kPrefixF2) return false;
      const u64 low = upwards(from.undefined | gpr(number(Gpr::rdx), size).undefined);
      set_gpr(third, size, low);
      return set_gpr(to, size, all_if(low != 0, size)), true;
    }
    case 0xf7:
      return prefix == 0 ? extract_field(from, gpr(third, size), size)
                         : shift_without_flags(from, gpr(third, size), size, prefix),
             true;
    default:
      return false;
  }
}

/// crc32, movbe, adcx and adox.
bool Definedness::bits_without_vex(u64 size) {
  const u8 opcode = decoded_->opcode;
  const u32 to = reg_register();
  if ((opcode == 0xf0 || opcode == 0xf1) && decoded_->has_f2) {
    const u64 from = opcode == 0xf0 ? 1 : size;
    return set_gpr(to, 4, all_if((rm(from).undefined | reg(4).undefined) != 0, 4)), true;
  }
  if (opcode == 0xf0)
    return set_gpr(to, size, __builtin_bswap64(rm(size).undefined) >> (64 - size * 8)), true;
  if (opcode == 0xf1) return set_rm(size, __builtin_bswap64(reg(size).undefined) >> (64 - size * 8)), true;
  if (opcode != 0xf6 || (!decoded_->has_66 && !decoded_->has_f3)) return false;
  size = (decoded_->rex & 8) != 0 ? 8 : 4;
  const u64 flag = decoded_->has_f3 ? F::kOverflow : F::kCarry;
  const bool undefined = (bits_.flags() & flag) != 0 || (rm(size).undefined | reg(size).undefined) != 0;
  set_gpr(to, size, all_if(undefined, size));
  return set_flags(flag, undefined ? flag : 0), true;
}

/// blsr, blsmsk and blsi.
void Definedness::lowest_bit(const Word& from, u32 to, u64 size) {
  const LowestOne lowest = lowest_one(from);
  const u64 upto = lowest.position >= 63 ? ~u64{0} : (u64{2} << lowest.position) - 1;
  const bool resets = decoded_->modrm_reg() == 1;
  u64 result = lowest.certain ? 0 : mask_of(size);
  if (resets && lowest.certain) result = from.undefined & ~upto;
  const u64 carry = from.undefined != 0 && !lowest.not_zero ? F::kCarry : 0;
  set_gpr(to, size, result);
  set_flags(F::kAll, (result != 0 ? F::kAll & ~F::kCarry : 0) | carry);
}

/// bzhi.
void Definedness::zero_high(const Word& from, const Word& index, u64 size) {
  const u64 count = index.value & 0xff;
  const u64 kept = count >= size * 8 ? mask_of(size) : (u64{1} << count) - 1;
  const bool unknown = (index.undefined & 0xff) != 0;
  const u64 result = unknown ? mask_of(size) : from.undefined & kept;
  flags_of_result({from.value & kept, result}, size, unknown ? u64{F::kCarry} : 0);
  if (unknown) set_flags(F::kAll, F::kAll);
  set_gpr(reg_register(), size, result);
}

/// pext and pdep.
void Definedness::gather_bits(const Word& mask, const Word& from, u64 size, bool extracts) {
  const u64 moved =
      extracts ? extract_bits(from.undefined, mask.value) : deposit_bits(from.undefined, mask.value);
  set_gpr(reg_register(), size, mask.undefined != 0 ? mask_of(size) : moved);
}

/// bextr.
void Definedness::extract_field(const Word& from, const Word& control, u64 size) {
  const u64 start = control.value & 0xff, length = control.value >> 8 & 0xff;
  const u64 kept = length >= 64 ? ~u64{0} : (u64{1} << length) - 1;
  const auto extracted = [&](u64 bits) { return start >= 64 ? 0 : bits >> start & kept; };
  const bool unknown = (control.undefined & 0xffff) != 0;
  const u64 result = unknown ? mask_of(size) : extracted(from.undefined);
  flags_of_result({unknown ? 0 : extracted(from.value), result}, size, 0);
  set_gpr(reg_register(), size, result);
}

/// shlx, shrx and sarx.
void Definedness::shift_without_flags(const Word& from, const Word& count, u64 size, u8 prefix) {
  const u64 n = count.value & (size * 8 - 1), u = from.undefined;
  u64 moved = mask_of(size);
  if ((count.undefined & (size * 8 - 1)) == 0)
    moved = prefix == kPrefix66   ? u << n
            : prefix == kPrefixF2 ? u >> n
                                  : static_cast<u64>(static_cast<i64>(sign_extended(u, size)) >> n);
  set_gpr(reg_register(), size, moved);
}

}  // namespace orrery::translate
