#include "translate/stack_growth.h"

#include "x86/accesses.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::Category;
using x86::Decoded;

namespace {

constexpr u8 kRsp = 4, kRbp = 5;

/// The general registers that ModRM names.
u8 reg_of(const Decoded& decoded) { return static_cast<u8>(decoded.modrm_reg() | (decoded.reg_high & 8)); }
u8 rm_of(const Decoded& decoded) {
  return static_cast<u8>(decoded.modrm_rm() | ((decoded.rex & 1) != 0 ? 8 : 0));
}

}  // namespace

StackGrowth stack_growth(const Decoded& decoded, std::span<const u8> bytes) {
  using Kind = StackGrowth::Kind;
  const bool wide = decoded.encoding == x86::Encoding::legacy && decoded.map == 0 && (decoded.rex & 8) != 0;
  if (!wide || decoded.category != Category::copy || !decoded.has_modrm) return {};
  const bool to_rm = decoded.modrm_mod() == 3 && rm_of(decoded) == kRsp;
  const i64 value = decoded.immediate;
  switch (decoded.opcode) {
    case 0x81:
    case 0x83: {
      if (!to_rm) return {};
      const u8 operation = decoded.modrm_reg();
      const i64 grown = operation == 5 ? value : operation == 0 || operation == 4 ? -value : 0;
      if (grown <= 0) return {};
      return {Kind::constant, static_cast<u32>(grown)};
    }
    case 0x8d: {
      if (reg_of(decoded) != kRsp || decoded.modrm_mod() == 3) return {};
      const x86::AddressForm form = x86::address_form(decoded, bytes);
      if (form.base == kRsp && form.index == x86::AddressForm::kNone)
        return form.displacement < 0 ? StackGrowth{Kind::constant, static_cast<u32>(-form.displacement)}
                                     : StackGrowth{};
      return form.base == kRbp && form.index == x86::AddressForm::kNone ? StackGrowth{}
                                                                        : StackGrowth{Kind::registers, 0};
    }
    case 0x29:
    case 0x01:
    case 0x21:
      return to_rm ? StackGrowth{Kind::registers, 0} : StackGrowth{};
    case 0x89:
      return to_rm && reg_of(decoded) != kRbp ? StackGrowth{Kind::registers, 0} : StackGrowth{};
    case 0x2b:
    case 0x03:
    case 0x23:
      return reg_of(decoded) == kRsp ? StackGrowth{Kind::registers, 0} : StackGrowth{};
    case 0x8b:
      return reg_of(decoded) == kRsp && decoded.modrm_mod() == 3 && rm_of(decoded) != kRbp
                 ? StackGrowth{Kind::registers, 0}
                 : StackGrowth{};
    default:
      return {};
  }
}

u64 grown_bytes(const Decoded& decoded, std::span<const u8> bytes, const cpu::Registers& regs) {
  if (decoded.modrm_mod() != 3 && decoded.opcode != 0x8d) return 0;
  const u64 rsp = regs[Gpr::rsp];
  const u64 other = regs.gpr[(decoded.opcode & 2) != 0 ? rm_of(decoded) : reg_of(decoded)];
  u64 next = rsp;
  switch (decoded.opcode & 0xfd) {
    case 0x29:
      next = rsp - other;
      break;
    case 0x01:
      next = rsp + other;
      break;
    case 0x21:
      next = rsp & other;
      break;
    case 0x89:
      next = other;
      break;
    default: {
      const x86::AddressForm form = x86::address_form(decoded, bytes);
      next = static_cast<u64>(form.displacement);
      if (form.base < cpu::kGprCount) next += regs.gpr[form.base];
      if (form.index < cpu::kGprCount) next += regs.gpr[form.index] << form.shift;
      break;
    }
  }
  const u64 grown = rsp - next;
  return next < rsp && grown <= kStackFrameMost ? grown : 0;
}

}  // namespace orrery::translate
