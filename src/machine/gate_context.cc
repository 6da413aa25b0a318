#include "machine/gate_context.h"

#include <signal.h>

#include "x86/exception.h"

namespace orrery::machine {

using cpu::Gpr;

namespace {

constexpr u8 kVectorStackFault = 12;
constexpr u8 kPrefixFs = 0x64, kPrefixGs = 0x65;

bool canonical(u64 address) {
  const u64 top = address >> 47;
  return top == 0 || top == 0x1ffff;
}

}  // namespace

bool undefined(Gated& gated) {
  gated.fault = {SIGILL, ILL_ILLOPN, gated.regs.rip, 0, x86::kVectorInvalidOpcode};
  return false;
}

bool general_protection(Gated& gated, u64 error_code) {
  gated.fault = {SIGSEGV, SI_KERNEL, 0, error_code, x86::kVectorGeneralProtection};
  return false;
}

bool access_fault(Gated& gated, u64 address, bool write, bool on_stack) {
  if (!canonical(address)) {
    if (!on_stack) return general_protection(gated);
    gated.fault = {SIGBUS, SI_KERNEL, 0, 0, kVectorStackFault};
    return false;
  }
  const memory::Region* region = gated.context.space.find(address);
  // Of its own half the kernel tells nothing apart: always "present" (fault.c, sanitize_error_code).
  const bool present = (address >> 63) != 0 || (region != nullptr && region->protection != 0);
  const u64 error = 4u | (write ? 2u : 0u) | (present ? 1u : 0u);
  gated.fault = {SIGSEGV, region != nullptr ? SEGV_ACCERR : SEGV_MAPERR, address, error,
                 x86::kVectorPageFault};
  return false;
}

u64& rm_register(const Gated& gated) {
  return gated.regs.gpr[gated.decoded.modrm_rm() | ((gated.decoded.rex & 1) << 3)];
}

u64& reg_register(const Gated& gated) {
  return gated.regs.gpr[gated.decoded.modrm_reg() | (((gated.decoded.rex >> 2) & 1) << 3)];
}

u64 operand_address(const Gated& gated) {
  const x86::Decoded& d = gated.decoded;
  const u8 rex_b = d.rex & 1, rex_x = (d.rex >> 1) & 1;
  const auto value = [&](u8 low, u8 extension) { return gated.regs.gpr[low | (extension << 3)]; };
  u64 address = static_cast<u64>(static_cast<i64>(d.displacement));
  if (d.rip_relative) {
    address += gated.regs.rip + d.length;
  } else if (d.modrm_rm() != 4) {
    address += value(d.modrm_rm(), rex_b);
  } else {
    const u8 base = d.sib & 7, index = (d.sib >> 3) & 7;
    if (base != 5 || d.modrm_mod() != 0) address += value(base, rex_b);
    if (index != 4 || rex_x != 0) address += value(index, rex_x) << (d.sib >> 6);
  }
  if (d.has_67) address &= 0xffff'ffff;
  if (d.segment == kPrefixFs) address += gated.regs.fs_base;
  if (d.segment == kPrefixGs) address += gated.regs.gs_base;
  return address;
}

bool operand_on_stack(const Gated& gated) {
  const x86::Decoded& d = gated.decoded;
  if (d.segment == kPrefixFs || d.segment == kPrefixGs || (d.rex & 1) != 0 || d.rip_relative) return false;
  const u8 base = d.modrm_rm() == 4 ? d.sib & 7 : d.modrm_rm();
  return base == 4 || (base == 5 && d.modrm_mod() != 0);
}

u64 operand_bytes(const Gated& gated) {
  if (wide(gated)) return 8;
  return gated.decoded.has_66 ? 2 : 4;
}

void set_register(const Gated& gated, u64& reg, u64 value) {
  switch (operand_bytes(gated)) {
    case 8:
      reg = value;
      return;
    case 2:
      reg = (reg & ~u64{0xffff}) | (value & 0xffff);
      return;
    default:
      reg = value & 0xffff'ffff;
  }
}

bool operand_accessible(Gated& gated, u64 address, u64 size_bytes, bool write) {
  const memory::Access access = write ? memory::Access::write : memory::Access::read;
  const u64 bytes = gated.context.space.accessible_bytes(address, size_bytes, access);
  if (bytes != size_bytes) return access_fault(gated, address + bytes, write, operand_on_stack(gated));
  if (write) gated.context.space.prepare_write(address, size_bytes);
  return true;
}

bool image_accessible(Gated& gated, u64 address, u64 size_bytes, bool write) {
  const memory::Access access = write ? memory::Access::write : memory::Access::read;
  const u64 last = address + size_bytes - 1;
  if (!gated.context.space.accessible(last, 1, access))
    return access_fault(gated, last, write, operand_on_stack(gated));
  return operand_accessible(gated, address, size_bytes, write);
}

bool read_selector(Gated& gated, u64& selector) {
  selector = 0;
  if (operand_is_register(gated)) {
    selector = rm_register(gated) & 0xffff;
    return true;
  }
  const u64 address = operand_address(gated);
  if (!operand_accessible(gated, address, 2, false)) return false;
  if (gated.context.space.read(address, {reinterpret_cast<u8*>(&selector), 2})) return true;
  return access_fault(gated, address, false, operand_on_stack(gated));
}

}  // namespace orrery::machine
