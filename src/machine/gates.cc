#include "machine/gates.h"

#include <signal.h>

#include <cstring>

#include "x86/decode.h"

namespace orrery::machine {

using cpu::Gpr;
using x86::Gate;

namespace {

constexpr u64 kCarry = 1 << 0, kParity = 1 << 2, kAuxiliary = 1 << 4, kZero = 1 << 6, kSign = 1 << 7,
              kOverflow = 1 << 11;
constexpr u64 kArithmeticFlags = kCarry | kParity | kAuxiliary | kZero | kSign | kOverflow;
constexpr u64 kTrap = 1 << 8;
/// What popf may change at CPL 3 with IOPL 0 (SDM vol. 2, POPF): not IF, IOPL, VM, RF, VIF, VIP.
constexpr u64 kPopfFlags = kArithmeticFlags | kTrap | (1 << 10) | (1 << 14) | (1 << 18) | (1 << 21);

constexpr u64 kVectorInvalidOpcode = 6, kVectorGeneralProtection = 13, kVectorPageFault = 14;

struct Gated {
  GateContext& context;
  cpu::Registers& regs;
  const x86::Decoded& decoded;
  Gate gate;
  cpu::Fault& fault;
};

bool undefined(Gated& gated) {
  gated.fault = {SIGILL, ILL_ILLOPN, gated.regs.rip, 0, kVectorInvalidOpcode};
  return false;
}

bool page_fault(Gated& gated, u64 address, bool write) {
  const memory::Region* region = gated.context.space.find(address);
  const u64 error = 4u | (write ? 2u : 0u) | (region != nullptr ? 1u : 0u);
  gated.fault = {SIGSEGV, region != nullptr ? SEGV_ACCERR : SEGV_MAPERR, address, error, kVectorPageFault};
  return false;
}

// --- operands ---

u64 register_value(const cpu::Registers& regs, u8 low, u8 extension) {
  return regs.gpr[low | (extension << 3)];
}

/// The linear address of the ModRM memory operand (SDM vol. 2, 2.1.5 and 2.2.1).
u64 operand_address(const Gated& gated) {
  const x86::Decoded& d = gated.decoded;
  const u8 rex_b = d.rex & 1, rex_x = (d.rex >> 1) & 1;
  u64 address = static_cast<u64>(static_cast<i64>(d.displacement));
  if (d.rip_relative) {
    address += gated.regs.rip + d.length;
  } else if (d.modrm_rm() != 4) {
    address += register_value(gated.regs, d.modrm_rm(), rex_b);
  } else {
    const u8 base = d.sib & 7, index = (d.sib >> 3) & 7;
    if (base != 5 || d.modrm_mod() != 0) address += register_value(gated.regs, base, rex_b);
    if (index != 4 || rex_x != 0) address += register_value(gated.regs, index, rex_x) << (d.sib >> 6);
  }
  if (d.has_67) address &= 0xffff'ffff;
  if (d.segment == 0x64) address += gated.regs.fs_base;
  if (d.segment == 0x65) address += gated.regs.gs_base;
  return address;
}

/// Writes a register operand of the instruction's operand size (ModRM.reg or .rm, extended by `extension`).
void set_operand(const Gated& gated, u8 low, u8 extension, u64 value) {
  u64& reg = gated.regs.gpr[low | (extension << 3)];
  if ((gated.decoded.rex & 8) != 0)
    reg = value;
  else if (gated.decoded.has_66)
    reg = (reg & ~u64{0xffff}) | (value & 0xffff);
  else
    reg = value & 0xffff'ffff;
}

// --- identity and clocks ---

bool do_cpuid(Gated& gated) {
  const LaunchHeader& launch = gated.context.launch;
  const u32 leaf = static_cast<u32>(gated.regs[Gpr::rax]), subleaf = static_cast<u32>(gated.regs[Gpr::rcx]);
  const CpuidRow row = x86::cpuid_row({launch.cpuid, launch.cpuid_count}, leaf, subleaf);
  gated.regs[Gpr::rax] = row.eax;
  gated.regs[Gpr::rbx] = row.ebx;
  gated.regs[Gpr::rcx] = row.ecx;
  gated.regs[Gpr::rdx] = row.edx;
  return true;
}

bool do_rdtsc(Gated& gated) {
  const u64 value = gated.context.host.read_tsc();
  gated.regs[Gpr::rax] = value & 0xffff'ffff;
  gated.regs[Gpr::rdx] = value >> 32;
  if (gated.gate == Gate::rdtscp) gated.regs[Gpr::rcx] = gated.context.host.current_cpu();
  return true;
}

bool do_rdpid(Gated& gated) {  // F3 0F C7 /7: always the whole register
  gated.regs.gpr[gated.decoded.modrm_rm() | ((gated.decoded.rex & 1) << 3)] =
      gated.context.host.current_cpu();
  return true;
}

bool do_random(Gated& gated) {  // 0F C7 /6, /7: CF=1, the other arithmetic flags 0
  u64 value = 0;
  gated.context.host.random_bytes({reinterpret_cast<u8*>(&value), sizeof value});
  set_operand(gated, gated.decoded.modrm_rm(), gated.decoded.rex & 1, value);
  gated.regs.rflags = (gated.regs.rflags & ~kArithmeticFlags) | kCarry;
  return true;
}

bool do_xgetbv(Gated& gated) {
  const u64 which = gated.regs[Gpr::rcx] & 0xffff'ffff;
  if (which > 1) {
    gated.fault = {SIGSEGV, SI_KERNEL, 0, 0, kVectorGeneralProtection};
    return false;
  }
  const u64 value = gated.context.launch.xcr0;  // xgetbv(1), XINUSE, is answered as "all in use"
  gated.regs[Gpr::rax] = value & 0xffff'ffff;
  gated.regs[Gpr::rdx] = value >> 32;
  return true;
}

// --- processor state in memory ---

constexpr u64 kLegacyAreaBytes = 512, kXsaveHeaderBytes = 64;

/// FXSAVE and XSAVE areas: the last x87 instruction and operand addresses (SDM vol. 1, 10.5.1.1) would be
/// addresses of emitted code.
void clear_x87_pointers(u64 area) {
  std::memset(reinterpret_cast<u8*>(area) + 6, 0, 2);   // FOP
  std::memset(reinterpret_cast<u8*>(area) + 8, 0, 16);  // FIP, FDP
}

bool area_accessible(Gated& gated, u64 area, u64 size_bytes, bool write) {
  const memory::Access access = write ? memory::Access::write : memory::Access::read;
  const u64 bytes = gated.context.space.accessible_bytes(area, size_bytes, access);
  if (bytes != size_bytes) return page_fault(gated, area + bytes, write);
  if (write) gated.context.space.prepare_write(area, size_bytes);
  return true;
}

bool misaligned(Gated& gated, u64 area, u64 alignment) {
  if (area % alignment == 0) return false;
  gated.fault = {SIGSEGV, SI_KERNEL, 0, 0, kVectorGeneralProtection};
  return true;
}

bool do_xsave(Gated& gated) {
  const u64 area = operand_address(gated);
  const u64 mask =
      ((gated.regs[Gpr::rdx] << 32) | (gated.regs[Gpr::rax] & 0xffff'ffff)) & gated.context.launch.xcr0;
  if (misaligned(gated, area, 64)) return false;
  const bool extended = (mask & ~u64{3}) != 0;
  const u64 size = extended ? gated.context.launch.xsave_bytes : kLegacyAreaBytes + kXsaveHeaderBytes;
  const bool write = gated.gate != Gate::xrstor;
  if (!area_accessible(gated, area, size, write)) return false;
  const u32 low = static_cast<u32>(mask), high = static_cast<u32>(mask >> 32);
  switch (gated.gate) {
    case Gate::xsavec:
      __asm__ volatile("xsavec64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
      break;
    case Gate::xrstor:
      __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
      break;
    default:
      __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
      break;
  }
  if (write && (mask & 1) != 0) clear_x87_pointers(area);
  return true;
}

bool do_fxsave(Gated& gated) {
  const u64 area = operand_address(gated);
  const bool write = gated.gate == Gate::fxsave;
  if (misaligned(gated, area, 16) || !area_accessible(gated, area, kLegacyAreaBytes, write)) return false;
  if (write) {
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    clear_x87_pointers(area);
  } else {
    __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
  }
  return true;
}

bool do_fnstenv(Gated& gated) {
  constexpr u64 kEnvironmentBytes = 28, kStateBytes = 108, kPointersAt = 12, kPointersBytes = 16;
  const u64 area = operand_address(gated);
  const bool whole = gated.gate == Gate::fnsave;
  if (!area_accessible(gated, area, whole ? kStateBytes : kEnvironmentBytes, true)) return false;
  if (whole)
    __asm__ volatile("fnsave (%0)" : : "r"(area) : "memory");
  else
    __asm__ volatile("fnstenv (%0)" : : "r"(area) : "memory");
  std::memset(reinterpret_cast<u8*>(area) + kPointersAt, 0, kPointersBytes);
  return true;
}

// --- flags and segments ---

bool do_popf(Gated& gated) {
  const u64 size = gated.decoded.has_66 ? 2 : 8;
  u64 value = 0;
  const u64 rsp = gated.regs[Gpr::rsp];
  if (!gated.context.space.read(rsp, {reinterpret_cast<u8*>(&value), size}))
    return page_fault(gated, rsp, false);
  if ((value & kTrap) != 0)
    gated.context.report.line(
        "popf with the trap flag set: single-stepping of the program by itself is not supported");
  const u64 changed = (size == 2 ? kPopfFlags & 0xffff : kPopfFlags) & ~kTrap;
  gated.regs.rflags = (gated.regs.rflags & ~changed) | (value & changed);
  gated.regs[Gpr::rsp] += size;
  return true;
}

/// lsl r, selector. Linux keeps the processor's number in the limit of selector 0x7b (GDT_ENTRY_CPUNODE).
bool do_lsl(Gated& gated) {
  constexpr u64 kCpuNodeSelector = 0x7b;
  const x86::Decoded& d = gated.decoded;
  u64 selector = 0;
  if (d.modrm_mod() == 3) {
    selector = register_value(gated.regs, d.modrm_rm(), d.rex & 1) & 0xffff;
  } else {
    const u64 address = operand_address(gated);
    if (!gated.context.space.read(address, {reinterpret_cast<u8*>(&selector), 2}))
      return page_fault(gated, address, false);
  }
  u64 limit = 0;
  bool valid = true;
  if (selector == kCpuNodeSelector)
    limit = gated.context.host.current_cpu();
  else
    __asm__ volatile("lsl %2, %0" : "=r"(limit), "=@ccz"(valid) : "r"(selector));
  gated.regs.rflags = valid ? gated.regs.rflags | kZero : gated.regs.rflags & ~kZero;
  if (valid) set_operand(gated, d.modrm_reg(), (d.rex >> 2) & 1, limit);
  return true;
}

bool do_int80(Gated& gated) {
  gated.context.report.line("int 0x80: 32-bit system calls are not supported; the program gets ENOSYS");
  gated.regs[Gpr::rax] = static_cast<u64>(-38);
  return true;
}

bool unsupported(Gated& gated) {
  gated.context.report.line(
      "an instruction that shows processor tables (lar, verr, verw, sgdt, sidt, sldt, str, smsw, "
      "sysenter) is not supported; the program gets SIGILL");
  return undefined(gated);
}

bool perform(Gated& gated) {
  switch (gated.gate) {
    case Gate::cpuid:
      return do_cpuid(gated);
    case Gate::rdtsc:
    case Gate::rdtscp:
      return do_rdtsc(gated);
    case Gate::rdpid:
      return do_rdpid(gated);
    case Gate::rdrand:
    case Gate::rdseed:
      return do_random(gated);
    case Gate::xgetbv:
      return do_xgetbv(gated);
    case Gate::xsave:
    case Gate::xsavec:
    case Gate::xsaveopt:
    case Gate::xrstor:
      return do_xsave(gated);
    case Gate::fxsave:
    case Gate::fxrstor:
      return do_fxsave(gated);
    case Gate::fnstenv:
    case Gate::fnsave:
      return do_fnstenv(gated);
    case Gate::popf_trap:
      return do_popf(gated);
    case Gate::lsl:
      return do_lsl(gated);
    case Gate::int80:
      return do_int80(gated);
    default:
      return unsupported(gated);
  }
}

}  // namespace

bool perform_gate(GateContext& context, cpu::CpuState& cpu, const cpu::Exit& exit, cpu::Fault& fault) {
  const x86::Decoded decoded =
      x86::decode({reinterpret_cast<const u8*>(cpu.regs.rip), exit.instruction_bytes});
  Gated gated{context, cpu.regs, decoded, exit.gate, fault};
  if (!perform(gated)) return false;
  cpu.regs.rip += exit.instruction_bytes;
  return true;
}

}  // namespace orrery::machine
