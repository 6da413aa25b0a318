#include "translate/instruction_accesses.h"

#include "memory/guarded_copy.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::Addressing;
using x86::Decoded;
using x86::MemoryAccess;

namespace {

constexpr u8 kPrefixFs = 0x64, kPrefixGs = 0x65;

u64 segment_base(const cpu::Registers& regs, const Decoded& decoded) {
  return decoded.segment == kPrefixFs ? regs.fs_base : decoded.segment == kPrefixGs ? regs.gs_base : 0;
}

}  // namespace

u64 instruction_address(const MemoryAccess& access, const Decoded& decoded, std::span<const u8> bytes,
                        const cpu::Registers& regs) {
  const auto narrowed = [&](u64 address) { return decoded.has_67 ? address & 0xffff'ffff : address; };
  switch (access.addressing) {
    case Addressing::pushed:
      return regs[Gpr::rsp] - access.size_bytes;
    case Addressing::popped:
      return regs[Gpr::rsp];
    case Addressing::frame:
      return regs[Gpr::rbp];
    case Addressing::source:
      return segment_base(regs, decoded) + narrowed(regs[Gpr::rsi]);
    case Addressing::destination:
      return narrowed(regs[Gpr::rdi]);
    case Addressing::table:
      return segment_base(regs, decoded) + narrowed(regs[Gpr::rbx] + (regs[Gpr::rax] & 0xff));
    case Addressing::offset:
      return segment_base(regs, decoded) + static_cast<u64>(decoded.immediate);
    case Addressing::operand:
    case Addressing::chosen:
      break;
  }
  const x86::AddressForm form = x86::address_form(decoded, bytes);
  u64 address = static_cast<u64>(form.displacement);
  if (form.rip_relative) address += regs.rip + decoded.length;
  if (form.base != x86::AddressForm::kNone) address += regs.gpr[form.base];
  if (form.index != x86::AddressForm::kNone) address += regs.gpr[form.index] << form.shift;
  return segment_base(regs, decoded) + narrowed(address);
}

namespace {

/// How often a repeated string instruction is going to be executed: all that rcx says, or, of those that
/// compare, up to where they end.
u64 repeats(const Decoded& decoded, const x86::Accesses& accesses, const cpu::Registers& regs) {
  const u64 most = decoded.has_67 ? regs[Gpr::rcx] & 0xffff'ffff : regs[Gpr::rcx];
  if (!x86::is_compare_string(decoded)) return most;
  const u64 size = accesses.items[0].size_bytes;
  const u64 step = (regs.rflags >> 10 & 1) != 0 ? u64{0} - size : size;  // DF
  for (u64 done = 0; done < most; ++done) {
    u64 words[2] = {0, regs[Gpr::rax]};
    for (u8 i = 0; i < accesses.count; ++i) {
      const u64 at = (accesses.items[i].addressing == Addressing::source ? regs[Gpr::rsi] : regs[Gpr::rdi]) +
                     done * step;
      words[i] = 0;
      const u64 got =
          memory::guarded_copy(reinterpret_cast<u8*>(&words[i]), reinterpret_cast<const u8*>(at), size);
      if (got != size) return done;
    }
    const u64 mask = size == 8 ? ~u64{0} : (u64{1} << size * 8) - 1;
    const bool equal = ((words[0] ^ words[1]) & mask) == 0;
    if (equal == decoded.has_f2) return done + 1;
  }
  return most;
}

}  // namespace

void instruction_accesses(const cpu::Registers& regs, const Decoded& decoded, std::span<const u8> bytes,
                          const x86::Accesses& accesses, std::vector<Access>& out) {
  for (const MemoryAccess& access : accesses) {
    if (access.addressing == Addressing::chosen) continue;
    u64 address = instruction_address(access, decoded, bytes, regs), size = access.size_bytes;
    if (access.repeated) {
      const u64 times = repeats(decoded, accesses, regs);
      if (times == 0) continue;
      if ((regs.rflags >> 10 & 1) != 0) address -= (times - 1) * size;  // DF
      size *= times;
    }
    out.push_back({address, size, regs.rip, access.kind, AccessBy::instruction});
  }
}

}  // namespace orrery::translate
