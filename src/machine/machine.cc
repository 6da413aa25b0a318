#include "machine/machine.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <signal.h>

#include <string_view>

#include "host/raw_syscall.h"
#include "kernel/process.h"
#include "machine/gates.h"
#include "x86/cpu_profile.h"

namespace orrery::machine {

using cpu::ExitKind;
using cpu::Gpr;

namespace {

constexpr u64 kHwcap2Fsgsbase = 1 << 1;
constexpr u64 kPageFaultWrite = 2;
constexpr std::size_t kStackLimit = 3;  // RLIMIT_STACK

/// The default profile hides AVX-512 to have its registers, not to be portable.
constexpr std::string_view kWideningProfile = "auto";

translate::Translator::Options translator_options(const LaunchHeader& launch) {
  return {
      .tick_home = launch.ticks_in_memory != 0 ? translate::TickHome::memory : translate::TickHome::vector,
      .features = x86::features_of({launch.cpuid, launch.cpuid_count}),
      .may_widen = std::string_view(launch.profile) == kWideningProfile,
      .hwcap2 = launch.hwcap2};
}

}  // namespace

Machine::Machine(const Parts& parts)
    : parts_(parts),
      translator_(parts.kernel.address_space(), translator_options(parts.launch)),
      has_fsgsbase_((parts.launch.hwcap2 & kHwcap2Fsgsbase) != 0) {}

void Machine::run() {
  if (parts_.control != nullptr) parts_.control->stopped_at_start(parts_.kernel.current());
  while (!parts_.kernel.ended()) turn();
}

/// One stay in guest code and what it led to.
void Machine::turn() {
  announce(parts_.kernel.current());
  translate::slots().stop_requested = 0;  // a signal after this one look is noticed by the executor
  parts_.kernel.prepare_to_run();
  if (parts_.kernel.ended()) return;
  kernel::Task& task = parts_.kernel.current();
  apply_segment_bases(task);
  if (parts_.control != nullptr) parts_.control->before_run(task);
  const cpu::Exit exit = translator_.run(task.cpu, {.stop_at_tick = parts_.host.stop_at_tick()});
  if (translator_.widened() && !frames_widened_) widen_frames();
  handle(task, exit);
}

/// The code of the program uses AVX-512 although cpuid hides it: a signal frame has to carry it too.
void Machine::widen_frames() {
  frames_widened_ = true;
  auto host = x86::make_cpu_profile("host", x86::this_cpu(parts_.launch.hwcap2));
  if (host) parts_.kernel.widen_vector_state(host.value().xcr0, host.value().xsave_bytes);
}

void Machine::announce(const kernel::Task& task) {
  parts_.host.at({.task = task.id.value, .ticks = task.cpu.ticks, .pc = task.cpu.regs.rip});
}

void Machine::handle(kernel::Task& task, const cpu::Exit& exit) {
  announce(task);
  switch (exit.kind) {
    case ExitKind::syscall:
      return system_call(task);
    case ExitKind::gated:
      return handle_gate(task, exit);
    case ExitKind::fault:
      return handle_fault(task, exit);
    case ExitKind::tick_reached:
    case ExitKind::interrupted:
      return;  // prepare_to_run() takes the signal that waits
  }
}

/// The kernel sees the segment bases in the registers; the program may have set them by wrfsbase since.
void Machine::system_call(kernel::Task& task) {
  if (parts_.control != nullptr) parts_.control->before_system_call(task);
  const u64 number = task.cpu.regs[Gpr::rax];
  if (has_fsgsbase_ && (number == __NR_arch_prctl || number == __NR_execve || number == __NR_execveat)) {
    __asm__ volatile("rdfsbase %0" : "=r"(fs_base_));
    __asm__ volatile("rdgsbase %0" : "=r"(gs_base_));
    task.cpu.regs.fs_base = fs_base_;
    task.cpu.regs.gs_base = gs_base_;
  }
  parts_.kernel.system_call(task);
}

void Machine::apply_segment_bases(kernel::Task& task) {
  const cpu::Registers& regs = task.cpu.regs;
  if (regs.fs_base != fs_base_) {
    fs_base_ = regs.fs_base;
    host::raw_syscall(__NR_arch_prctl, ARCH_SET_FS, fs_base_);
  }
  if (regs.gs_base != gs_base_) {
    gs_base_ = regs.gs_base;
    host::raw_syscall(__NR_arch_prctl, ARCH_SET_GS, gs_base_);
  }
}

void Machine::handle_gate(kernel::Task& task, const cpu::Exit& exit) {
  GateContext context{parts_.host, parts_.kernel.address_space(), parts_.launch, parts_.report};
  cpu::Fault fault;
  if (!perform_gate(context, task.cpu, exit, fault)) parts_.kernel.fault(task, fault);
}

/// Faults that are the engine's own doing (watched code pages, a stack to be grown) are mended and the
/// instruction runs again; the rest is the guest's.
void Machine::handle_fault(kernel::Task& task, const cpu::Exit& exit) {
  memory::AddressSpace& space = parts_.kernel.address_space();
  const cpu::Fault& fault = exit.fault;
  if (fault.signal == SIGSEGV && (fault.error_code & kPageFaultWrite) != 0 &&
      space.handle_write_fault(fault.address)) {
    const cpu::Exit after = translator_.run_one_instruction(task.cpu);
    if (after.kind != ExitKind::interrupted) handle(task, after);
    return;
  }
  if (fault.signal == SIGSEGV &&
      space.handle_stack_growth(fault.address, task.process.limits[kStackLimit].soft))
    return;
  if (parts_.control != nullptr) parts_.control->note_fault(fault);
  // What the processor stores besides: a trap (int3, icebp) is reported behind itself, any other fault sets
  // the resume flag in the flags image (SDM vol. 3, 17.3.1.1).
  constexpr u64 kResumeFlag = 1 << 16;
  if (fault.signal == SIGTRAP)
    task.cpu.regs.rip += exit.instruction_bytes;
  else
    task.cpu.regs.rflags |= kResumeFlag;
  parts_.kernel.fault(task, fault);
}

}  // namespace orrery::machine
