#include "machine/gates.h"

#include <signal.h>

#include "machine/gate_context.h"
#include "x86/decode.h"

namespace orrery::machine {

using cpu::Gpr;
using x86::Gate;

namespace {

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
  rm_register(gated) = gated.context.host.current_cpu();
  return true;
}

bool do_random(Gated& gated) {  // 0F C7 /6, /7: CF=1, the other arithmetic flags 0
  u64 value = 0;
  gated.context.host.random_bytes({reinterpret_cast<u8*>(&value), sizeof value});
  set_register(gated, rm_register(gated), value);
  gated.regs.rflags = (gated.regs.rflags & ~kArithmeticFlags) | kCarryFlag;
  return true;
}

bool do_xgetbv(Gated& gated) {
  const u64 which = gated.regs[Gpr::rcx] & 0xffff'ffff;
  if (which > 1) return general_protection(gated);
  const u64 value = which == 0 ? gated.context.launch.xcr0 : components_in_use(gated);
  gated.regs[Gpr::rax] = value & 0xffff'ffff;
  gated.regs[Gpr::rdx] = value >> 32;
  return true;
}

// --- flags, and other doors to the kernel ---

bool do_popf(Gated& gated) {
  const u64 size = gated.decoded.has_66 ? 2 : 8;
  const u64 rsp = gated.regs[Gpr::rsp];
  u64 value = 0;
  const u64 bytes = gated.context.space.accessible_bytes(rsp, size, memory::Access::read);
  if (bytes != size) return access_fault(gated, rsp + bytes, false, true);
  if (!gated.context.space.read(rsp, {reinterpret_cast<u8*>(&value), size}))
    return access_fault(gated, rsp, false, true);
  const u64 changed = size == 2 ? kProgramFlags & 0xffff : kProgramFlags;
  gated.regs.rflags = (gated.regs.rflags & ~changed) | (value & changed);
  gated.regs[Gpr::rsp] += size;
  return true;
}

bool do_int80(Gated& gated) {
  gated.context.report.line("int 0x80: 32-bit system calls are not supported; the program gets ENOSYS");
  gated.regs[Gpr::rax] = static_cast<u64>(-38);
  return true;
}

/// The processor would go on in 32-bit code, at an address the program cannot know: it ends in SIGSEGV.
bool do_sysenter(Gated& gated) {
  gated.context.report.line("sysenter: 32-bit system calls are not supported; the program gets SIGSEGV");
  return general_protection(gated);
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
      return do_xsave(gated);
    case Gate::xrstor:
      return do_xrstor(gated);
    case Gate::fxsave:
      return do_fxsave(gated);
    case Gate::fxrstor:
      return do_fxrstor(gated);
    case Gate::fnstenv:
    case Gate::fnsave:
      return do_fnstenv(gated);
    case Gate::popf_trap:
      return do_popf(gated);
    case Gate::lar:
    case Gate::lsl:
    case Gate::verr:
    case Gate::verw:
      return do_segment_query(gated);
    case Gate::sgdt:
    case Gate::sidt:
    case Gate::sldt:
    case Gate::str:
    case Gate::smsw:
      return do_processor_table(gated);
    case Gate::approximation:
      return do_approximation(gated);
    case Gate::far_transfer:
      return do_far_transfer(gated);
    case Gate::int80:
      return do_int80(gated);
    case Gate::sysenter:
      return do_sysenter(gated);
    case Gate::rdfsbase:
    case Gate::rdgsbase:
    case Gate::wrfsbase:
    case Gate::wrgsbase:
    case Gate::none:
      break;
  }
  return undefined(gated);
}

/// The R, X and B bits of a VEX prefix, as REX has them (SDM vol. 2, 2.3.5).
u8 register_extensions(const x86::Decoded& decoded, const u8* bytes) {
  if (decoded.encoding != x86::Encoding::vex) return 0;
  const u8 payload = static_cast<u8>(~bytes[decoded.prefix_bytes + 1]);
  constexpr u8 kTwoBytes = 0xc5;
  return static_cast<u8>(bytes[decoded.prefix_bytes] == kTwoBytes ? (payload >> 7) << 2 : payload >> 5);
}

}  // namespace

bool perform_gate(GateContext& context, cpu::CpuState& cpu, const cpu::Exit& exit, cpu::Fault& fault) {
  const u8* bytes = reinterpret_cast<const u8*>(cpu.regs.rip);
  x86::Decoded decoded = x86::decode({bytes, exit.instruction_bytes});
  decoded.rex = static_cast<u8>(decoded.rex | register_extensions(decoded, bytes));
  Gated gated{context, cpu.regs, cpu.ticks, decoded, exit.gate, fault};
  if (!perform(gated)) return false;
  cpu.regs.rip += exit.instruction_bytes;
  return true;
}

bool kernel_performs(x86::Gate gate) {
  switch (gate) {
    case Gate::sgdt:
    case Gate::sidt:
    case Gate::sldt:
    case Gate::str:
    case Gate::smsw:
    case Gate::int80:
      return true;
    default:
      return false;
  }
}

}  // namespace orrery::machine
