#include "machine/machine.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <signal.h>

#include <algorithm>
#include <string_view>

#include "host/raw_syscall.h"
#include "kernel/process.h"
#include "machine/gate_context.h"
#include "machine/single_step.h"
#include "x86/cpu_profile.h"
#include "x86/exception.h"
#include "x86/profile_names.h"

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
      .fixed_approximations = x86::is_same_everywhere(launch.profile),
      .hwcap2 = launch.hwcap2,
      .vector_components = launch.xcr0};
}

}  // namespace

Machine::Machine(const Parts& parts)
    : parts_(parts),
      stacks_(parts.kernel, {.run = run_tasks, .argument = this}),
      translator_(parts.kernel.address_space(), translator_options(parts.launch)),
      has_fsgsbase_((parts.launch.hwcap2 & kHwcap2Fsgsbase) != 0) {
  if (parts_.control != nullptr) parts_.control->use(translator_);
}

void Machine::run() {
  parts_.kernel.set_task_switch(stacks_);
  stacks_.leave_home(parts_.kernel.current());
}

/// What every task's stack does: turns of whichever task is current on it, that is its own.
void Machine::run_tasks(void* machine) {
  auto& self = *static_cast<Machine*>(machine);
  while (!self.parts_.kernel.ended()) self.turn();
  self.stacks_.go_home();
}

/// One stay in guest code and what it led to.
void Machine::turn() {
  if (mended_) {
    mended_ = false;
    translate::slots().stop_requested = 1;
  } else {
    announce(parts_.kernel.current());
    translate::slots().stop_requested = 0;  // a signal after this one look is noticed by the executor
    parts_.kernel.prepare_to_run();
    if (parts_.kernel.ended()) return;
  }
  kernel::Task& task = parts_.kernel.current();
  apply_segment_bases(task);
  if (parts_.control != nullptr) parts_.control->before_run(task);
  const bool one_by_one = (task.cpu.regs.rflags & (kTrapFlag | kAlignmentFlag)) != 0;
  if (one_by_one && parts_.control != nullptr) parts_.control->before_instruction(task);
  if ((task.cpu.regs.rflags & kTrapFlag) != 0) return single_step(task);
  if ((task.cpu.regs.rflags & kAlignmentFlag) != 0) return one_instruction(task);
  handle(task, run_code(task));
}

/// Guest code until it needs the kernel. Where someone who asks about a replay has it stopped is no point of
/// the run: no signal is looked for there, and nobody else's turn comes.
cpu::Exit Machine::run_code(kernel::Task& task) {
  cpu::RunLimits limits{.stop_at_tick = parts_.host.stop_at_tick()};
  if (parts_.control == nullptr) return translator_.run(task.cpu, limits);
  const u64 tick_of_run = limits.stop_at_tick;
  for (;;) {
    const u64 tick_asked = parts_.control->stop_at_tick(task);
    limits.stop_at_tick = std::min(tick_of_run, tick_asked);
    const u64 pc = task.cpu.regs.rip, ticks = task.cpu.ticks;
    const cpu::Exit exit = translator_.run(task.cpu, limits);
    if (exit.kind == ExitKind::notes_full) {
      const bool same_place = task.cpu.regs.rip == pc && task.cpu.ticks == ticks;
      limits.past_breakpoint = limits.past_breakpoint && same_place;
      after_guest_code(task);
      read_segment_bases(task);
      parts_.control->make_room(task);
      continue;
    }
    const bool at_tick = exit.kind == ExitKind::tick_reached && task.cpu.ticks == tick_asked;
    limits.past_breakpoint = exit.kind == ExitKind::breakpoint;
    if (!at_tick && !limits.past_breakpoint) {
      parts_.control->make_room(task);
      return exit;
    }
    after_guest_code(task);
    read_segment_bases(task);
    if (limits.past_breakpoint) parts_.control->at_breakpoint(task);
    if (at_tick) parts_.control->at_tick(task);
    if (at_tick && tick_asked == tick_of_run) return exit;
  }
}

/// One instruction of a program that has misaligned accesses reported. Blocks have accesses of their own that
/// are not aligned: the look at code that may have changed, the table of indirect targets.
void Machine::one_instruction(kernel::Task& task) { handle(task, translator_.run_one_instruction(task.cpu)); }

/// One instruction of a program that has set the trap flag, and the trap behind it. The flag itself never
/// gets into the processor. After a system call, and after what the kernel performs for the program, there is
/// no trap: the processor looks at the flag when an instruction begins, and the kernel's return is none.
void Machine::single_step(kernel::Task& task) {
  cpu::Registers& regs = task.cpu.regs;
  const SingleStep step(parts_.kernel.address_space(), regs);
  regs.rflags &= ~kTrapFlag;
  cpu::Exit exit = translator_.run_one_instruction(task.cpu);
  while (exit.kind == ExitKind::fault && mend(task, exit.fault))
    exit = translator_.run_one_instruction(task.cpu);
  after_guest_code(task);
  regs.rflags |= kTrapFlag;
  if (exit.kind != ExitKind::one_done)
    step.undo(regs);
  else if (!step.done(parts_.kernel.address_space(), regs))
    translator_.take_back_instruction(task.cpu);
  const bool gated = exit.kind == ExitKind::gated;
  if (exit.kind == ExitKind::one_done) announce(task);
  if (gated ? !handle_gate(task, exit) || kernel_performs(exit.gate) : exit.kind != ExitKind::one_done) {
    if (!gated) handle(task, exit);
    return;
  }
  if (!step.traps()) return;
  parts_.kernel.fault(task, {SIGTRAP, TRAP_TRACE, regs.rip, 0, x86::kVectorDebug});
}

/// What guest code may have changed without a word: with threads the next one to run may be another.
void Machine::after_guest_code(kernel::Task& task) {
  if (has_threads_) read_segment_bases(task);
  if (translator_.widened() && !frames_widened_) widen_frames();
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
  after_guest_code(task);
  announce(task);
  switch (exit.kind) {
    case ExitKind::syscall:
      return system_call(task);
    case ExitKind::gated:
      handle_gate(task, exit);
      return;
    case ExitKind::fault:
      return handle_fault(task, exit);
    case ExitKind::tick_reached:
    case ExitKind::interrupted:
    case ExitKind::one_done:
    case ExitKind::breakpoint:  // run_code()'s own
    case ExitKind::notes_full:
      return;  // prepare_to_run() takes the signal that waits
  }
}

/// The kernel sees the segment bases in the registers; the program may have set them by wrfsbase since.
void Machine::system_call(kernel::Task& task) {
  if (parts_.control != nullptr) parts_.control->before_system_call(task);
  const u64 number = task.cpu.regs[Gpr::rax];
  const bool makes_task = number == __NR_clone || number == __NR_clone3;
  const bool looks = number == __NR_arch_prctl || number == __NR_execve || number == __NR_execveat;
  if (looks || makes_task) read_segment_bases(task);
  has_threads_ = has_threads_ || makes_task;
  parts_.kernel.system_call(task);
  if (parts_.control != nullptr) parts_.control->after_system_call(task, number);
  const bool new_program = (number == __NR_execve || number == __NR_execveat) && task.call.replaced;
  if (new_program && parts_.control != nullptr) parts_.control->begin_program();
}

void Machine::read_segment_bases(kernel::Task& task) {
  if (!has_fsgsbase_) return;
  __asm__ volatile("rdfsbase %0" : "=r"(fs_base_));
  __asm__ volatile("rdgsbase %0" : "=r"(gs_base_));
  task.cpu.regs.fs_base = fs_base_;
  task.cpu.regs.gs_base = gs_base_;
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

/// Their operands may be relative to fs or gs, which the program may have moved.
bool Machine::handle_gate(kernel::Task& task, const cpu::Exit& exit) {
  announce(task);
  read_segment_bases(task);
  GateContext context{parts_.host, parts_.kernel.address_space(), parts_.launch, parts_.report};
  cpu::Fault fault;
  if (parts_.control != nullptr) parts_.control->perform_gate(task.cpu.regs.rip);
  const bool performed = perform_gate(context, task.cpu, exit, fault);
  if (parts_.control != nullptr) parts_.control->perform_gate(0);
  if (performed) return true;
  translator_.take_back_instruction(task.cpu);
  raise(task, fault, exit.instruction_bytes);
  return false;
}

/// Faults that are the engine's own doing: watched code pages, a stack to be grown. True if the instruction
/// is to run again.
bool Machine::mend(kernel::Task& task, const cpu::Fault& fault) {
  memory::AddressSpace& space = parts_.kernel.address_space();
  if (fault.signal != SIGSEGV) return false;
  if ((fault.error_code & kPageFaultWrite) != 0 && space.handle_write_fault(fault.address)) return true;
  return space.handle_stack_growth(fault.address, task.process.limits[kStackLimit].soft);
}

/// What was mended runs again, alone: with its page watched anew it would never get past its own store. Such
/// a stop is the engine's own and no point of the run: a replay may watch other pages at that time. No signal
/// may be taken there; one that waits comes at the next tick. The rest is the guest's.
void Machine::handle_fault(kernel::Task& task, const cpu::Exit& exit) {
  if (!mend(task, exit.fault)) return raise(task, exit.fault, exit.instruction_bytes);
  cpu::Exit after;
  do {
    translate::slots().stop_requested = 0;  // it would not let the instruction begin; asked for again below
    after = translator_.run_one_instruction(task.cpu);
  } while (after.kind == ExitKind::interrupted);
  if (after.kind != ExitKind::one_done) return handle(task, after);
  after_guest_code(task);
  mended_ = true;
}

/// What the processor stores besides: a trap (int3, icebp, int 4) is reported behind itself, any other fault
/// sets the resume flag in the flags image (SDM vol. 3, 17.3.1.1).
void Machine::raise(kernel::Task& task, const cpu::Fault& fault, u8 instruction_bytes) {
  constexpr u64 kResumeFlag = 1 << 16;
  if (parts_.control != nullptr) parts_.control->note_fault(fault);
  if (fault.signal == SIGTRAP || fault.trap_number == x86::kVectorOverflow)
    task.cpu.regs.rip += instruction_bytes;
  else
    task.cpu.regs.rflags |= kResumeFlag;
  parts_.kernel.fault(task, fault);
}

}  // namespace orrery::machine
