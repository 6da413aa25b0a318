#include "translate/chosen_accesses.h"

#include <cstring>

#include "x86/decode.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::AddressForm;
using x86::Decoded;
using x86::Encoding;
using x86::OperandAccess;
using x86::VectorFields;

namespace {

// Offsets of the standard XSAVE format (SDM vol. 1, 13.4.2 and 13.5; the extended ones as every processor has
// them, CPUID leaf 0DH).
constexpr u64 kMmx = 32, kXmm = 160, kYmmHigh = 576, kMasks = 1088, kZmmHigh = 1152, kZmm16 = 1664;

class Chosen {
 public:
  Chosen(const cpu::Registers& regs, const cpu::VectorImage& vectors, std::span<const u8> bytes,
         std::vector<Access>& out)
      : regs_(regs),
        vectors_(vectors),
        bytes_(bytes),
        decoded_(x86::decode(bytes)),
        fields_(vector_fields(decoded_, bytes)),
        operand_(operand_access(decoded_, bytes)),
        form_(address_form(decoded_, bytes)),
        out_(out) {}

  void run() {
    const bool legacy = decoded_.encoding == Encoding::legacy;
    if (legacy && decoded_.map == 0) return enter();
    if (decoded_.map == 1 && decoded_.opcode == 0xf7 && decoded_.modrm_mod() == 3) return mask_move_bytes();
    if (legacy && decoded_.map == 1) return bit_string();
    if (legacy) return move_64_bytes();
    const bool has_index_vector =
        decoded_.map == 2 && (in(0x90, 0x93) || (decoded_.encoding == Encoding::evex && in(0xa0, 0xa3)));
    if (has_index_vector) return gather();
    if (decoded_.encoding == Encoding::vex) return masked_by_vector();
    const bool packs = decoded_.map == 2 && (in(0x88, 0x8b) || in(0x62, 0x63));
    return packs ? packed() : masked();
  }

 private:
  bool in(u8 first, u8 last) const { return decoded_.opcode >= first && decoded_.opcode <= last; }

  void add(u64 address, u64 size_bytes, AccessKind kind) {
    out_.push_back({address, size_bytes, regs_.rip, kind, AccessBy::instruction});
  }

  u64 general(u8 number) const { return number == AddressForm::kNone ? 0 : regs_.gpr[number]; }
  u64 segment_base() const {
    return decoded_.segment == 0x64 ? regs_.fs_base : decoded_.segment == 0x65 ? regs_.gs_base : 0;
  }
  u64 narrowed(u64 offset) const { return decoded_.has_67 ? offset & 0xffff'ffff : offset; }

  u64 operand_address(u64 added = 0) const {
    u64 offset = static_cast<u64>(form_.displacement) + added + general(form_.base) +
                 (general(form_.index) << form_.shift);
    if (form_.rip_relative) offset += regs_.rip + decoded_.length;
    return segment_base() + narrowed(offset);
  }

  template <class T>
  T at(u64 offset) const {
    T value;
    std::memcpy(&value, vectors_.bytes + offset, sizeof value);
    return value;
  }

  /// The bytes of a vector register from `byte` on.
  u64 vector_word(unsigned number, u64 byte) const {
    if (number >= 16) return at<u64>(kZmm16 + (number - 16) * 64 + byte);
    if (byte >= 32) return at<u64>(kZmmHigh + number * 32 + byte - 32);
    return byte >= 16 ? at<u64>(kYmmHigh + number * 16 + byte - 16) : at<u64>(kXmm + number * 16 + byte);
  }
  u64 vector_element(unsigned number, u64 index, u64 size) const {
    const u64 byte = index * size;
    const u64 word = vector_word(number, byte & ~u64{7}) >> (byte & 7) * 8;
    return size == 8 ? word : word & ((u64{1} << size * 8) - 1);
  }
  static bool highest_bit(u64 value, u64 size) { return (value >> (size * 8 - 1) & 1) != 0; }

  u64 vector_bytes() const { return u64{16} << fields_.length; }
  u64 mask() const { return fields_.mask == 0 ? ~u64{0} : at<u64>(kMasks + fields_.mask * 8u); }
  u64 element_bytes() const { return fields_.wide ? 8 : 4; }

  /// push rbp, the frame pointers of the levels around, and its own (SDM vol. 2, ENTER).
  void enter() {
    const u64 level = static_cast<u64>(decoded_.immediate) >> 16 & 31;
    const u64 size = decoded_.has_66 && (decoded_.rex & 8) == 0 ? 2 : 8;
    u64 stack = regs_[Gpr::rsp] - size;
    add(stack, size, AccessKind::write);
    for (u64 i = 1; i < level; ++i) {
      add(regs_[Gpr::rbp] - i * size, size, AccessKind::read);
      add(stack -= size, size, AccessKind::write);
    }
    add(stack - size, size, AccessKind::write);
  }

  /// maskmovq, maskmovdqu: the bytes of ModRM.reg that ModRM.rm chooses.
  void mask_move_bytes() {
    const bool mmx = decoded_.encoding == Encoding::legacy && !decoded_.has_66;
    const unsigned number = decoded_.modrm_rm() | (fields_.b && !mmx ? 8u : 0u);
    const u64 to = segment_base() + narrowed(regs_[Gpr::rdi]);
    for (u64 i = 0; i < (mmx ? 8u : 16u); ++i) {
      const u8 chosen = mmx ? at<u8>(kMmx + number * 16 + i) : static_cast<u8>(vector_element(number, i, 1));
      if (highest_bit(chosen, 1)) add(to + i, 1, AccessKind::write);
    }
  }

  /// bt and its kin with the offset in a register: it reaches beyond the operand (SDM vol. 2, BT).
  void bit_string() {
    const u64 size = operand_.size_bytes;
    const u64 value = general(static_cast<u8>(decoded_.modrm_reg() | (decoded_.reg_high & 8)));
    const i64 offset = size == 8   ? static_cast<i64>(value)
                       : size == 4 ? static_cast<i32>(value)
                                   : static_cast<i16>(value);
    const i64 bits = static_cast<i64>(size) * 8;
    const i64 element = (offset - ((offset % bits) + bits) % bits) / bits;
    add(operand_address(static_cast<u64>(element) * size), size, operand_.kind);
  }

  /// movdir64b: from the operand to where a register says.
  void move_64_bytes() {
    add(operand_address(), 64, AccessKind::read);
    add(narrowed(general(static_cast<u8>(decoded_.modrm_reg() | (decoded_.reg_high & 8)))), 64,
        AccessKind::write);
  }

  void gather() {
    const bool wide_index = (decoded_.opcode & 1) != 0;
    const u64 size = element_bytes(), index_size = wide_index ? 8 : 4;
    const u64 count = vector_bytes() / (size > index_size ? size : index_size);
    const bool evex = decoded_.encoding == Encoding::evex;
    const unsigned index = (decoded_.sib >> 3 & 7) | (fields_.x ? 8u : 0u) | (fields_.v2 ? 16u : 0u);
    for (u64 i = 0; i < count; ++i) {
      const bool chosen =
          evex ? (mask() >> i & 1) != 0 : highest_bit(vector_element(decoded_.vvvv, i, size), size);
      if (!chosen) continue;
      const u64 value = vector_element(index, i, index_size);
      const i64 step = wide_index ? static_cast<i64>(value) : static_cast<i32>(value);
      const u64 offset = static_cast<u64>(form_.displacement) + general(form_.base) +
                         (static_cast<u64>(step) << form_.shift);
      add(segment_base() + narrowed(offset), size, operand_.kind);
    }
  }

  /// vmaskmovps and its kin, vpmaskmovd and its kin: the highest bits of the vvvv register's elements choose.
  void masked_by_vector() {
    const u64 size = in(0x2c, 0x2f) ? ((decoded_.opcode & 1) != 0 ? 8 : 4) : element_bytes();
    for (u64 i = 0; i < vector_bytes() / size; ++i)
      if (highest_bit(vector_element(decoded_.vvvv, i, size), size))
        add(operand_address(i * size), size, operand_.kind);
  }

  /// Compress and expand: as many elements as the mask has, one behind the other.
  void packed() {
    const u64 size = operand_.element_bytes;
    u64 count = 0;
    for (u64 i = 0; i < vector_bytes() / size; ++i) count += mask() >> i & 1;
    if (count != 0) add(operand_address(), count * size, operand_.kind);
  }

  void masked() {
    const u64 size = operand_.element_bytes, count = operand_.size_bytes / size;
    const bool repeats = fields_.broadcast || (decoded_.map == 2 && (in(0x18, 0x1b) || in(0x58, 0x5b)));
    const u64 lanes = repeats ? vector_bytes() / size : count;
    u64 chosen = 0;
    for (u64 i = 0; i < lanes; ++i) chosen |= (mask() >> i & 1) << i % count;
    for (u64 i = 0; i < count; ++i)
      if ((chosen >> i & 1) != 0) add(operand_address(i * size), size, operand_.kind);
  }

  const cpu::Registers& regs_;
  const cpu::VectorImage& vectors_;
  std::span<const u8> bytes_;
  Decoded decoded_;
  VectorFields fields_;
  OperandAccess operand_;
  AddressForm form_;
  std::vector<Access>& out_;
};

}  // namespace

void chosen_accesses(const cpu::Registers& regs, const cpu::VectorImage& vectors, std::span<const u8> bytes,
                     std::vector<Access>& out) {
  Chosen(regs, vectors, bytes, out).run();
}

}  // namespace orrery::translate
