// Host signals.
//
// A synchronous fault in emitted code: the host registers are the guest's (identity mapping), but for
// what the glue has borrowed; the translator knows. They are lifted into the slots and the handler
// returns into the executor's exit path.
//
// A signal from outside while guest code runs must stop it at a tick. Fast code has no checks, so the
// handler single-steps the host (trap flag) to the start of the next block, where the registers are
// clean; from there exact code runs on to the next tick (Translator::stop_after_next_tick). This costs
// some microseconds a signal and nothing without one. Two things need care while the trap flag is set:
// pushf would show it to the guest, so the stored copy is cleared; and a rep string instruction traps
// after each iteration, so an int3 planted behind it takes over.
#include "machine/host_signals.h"

#include <signal.h>
#include <ucontext.h>

#include "base/check.h"
#include "host/interruptible.h"
#include "host/live_host.h"
#include "machine/fatal.h"
#include "machine/root.h"
#include "memory/guarded_copy.h"
#include "translate/slots.h"
#include "translate/translator.h"
#include "x86/decode.h"

namespace orrery::machine {

using translate::slots;
using translate::Translator;

namespace {

constexpr u64 kTrapFlag = 0x100;
constexpr u64 kPlainFlags = 0x202;

/// A register of the interrupted code. The frame's type is long long; only its signedness may be changed.
unsigned long long& reg(ucontext_t* context, int index) {
  return reinterpret_cast<unsigned long long&>(context->uc_mcontext.gregs[index]);
}

Translator::HostFrame frame_of(ucontext_t* context) {
  static constexpr int kOrder[cpu::kGprCount] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                                 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                                 REG_R12, REG_R13, REG_R14, REG_R15};
  Translator::HostFrame frame{};
  for (int i = 0; i < cpu::kGprCount; ++i) frame.gpr[i] = reg(context, kOrder[i]);
  frame.rip = reg(context, REG_RIP);
  frame.rflags = reg(context, REG_EFL);
  return frame;
}

void resume_at(ucontext_t* context, u64 pc) {
  reg(context, REG_RIP) = pc;
  reg(context, REG_EFL) = kPlainFlags;
}

// --- stepping to the next block ---

void stop_stepping(ucontext_t* context) {
  root().stepping.active = false;
  reg(context, REG_EFL) &= ~kTrapFlag;
}

/// Looks at the instruction about to be stepped: see the essay above.
void prepare_step(ucontext_t* context) {
  Stepping& stepping = root().stepping;
  u8* const pc = reinterpret_cast<u8*>(reg(context, REG_RIP));
  stepping.pushes_flags = false;
  reg(context, REG_EFL) |= kTrapFlag;
  if (!Translator::owns(reinterpret_cast<u64>(pc))) return;
  const x86::Decoded decoded = x86::decode({pc, 15});
  if (decoded.map == 0 && decoded.encoding == x86::Encoding::legacy && decoded.opcode == 0x9c)
    stepping.pushes_flags = true;
  if (decoded.map == 0 && (decoded.has_f2 || decoded.has_f3) && decoded.length != 0) {
    stepping.planted_at = reinterpret_cast<u64>(pc) + decoded.length;
    stepping.planted_over = pc[decoded.length];
    pc[decoded.length] = 0xcc;
    reg(context, REG_EFL) &= ~kTrapFlag;
  }
}

void begin_stepping(ucontext_t* context) {
  if (root().stepping.active) return;
  root().stepping.active = true;
  prepare_step(context);
}

/// A trap while stepping. True if it was one of ours.
bool step_on(ucontext_t* context) {
  Stepping& stepping = root().stepping;
  if (!stepping.active) return false;
  if (stepping.planted_at != 0) {
    if (reg(context, REG_RIP) != stepping.planted_at + 1) return false;
    *reinterpret_cast<u8*>(stepping.planted_at) = stepping.planted_over;
    reg(context, REG_RIP) = stepping.planted_at;
    stepping.planted_at = 0;
  }
  if (stepping.pushes_flags) *reinterpret_cast<u64*>(reg(context, REG_RSP)) &= ~kTrapFlag;
  if (slots().in_guest == 0 || Translator::in_exit_path(reg(context, REG_RIP))) {
    stop_stepping(context);  // on the way out already; run() sees stop_requested
    return true;
  }
  if (root().translator->lift_block_start(frame_of(context))) {
    stop_stepping(context);
    resume_at(context, Translator::resume_after_fault());
    return true;
  }
  prepare_step(context);
  return true;
}

/// A fault of the guest's while stepping: the plant must go, the fault is the stop.
void abandon_stepping(ucontext_t* context) {
  Stepping& stepping = root().stepping;
  if (!stepping.active) return;
  if (stepping.planted_at != 0) *reinterpret_cast<u8*>(stepping.planted_at) = stepping.planted_over;
  stepping.planted_at = 0;
  stop_stepping(context);
}

// --- the two kinds of signals ---

bool is_synchronous(int number, const siginfo_t* info) {
  const bool fault =
      number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGTRAP;
  return fault && info->si_code > 0;
}

/// si_addr as the guest should see it: for faults of an operation it is the instruction, which the host
/// met in the cache. The guest's pc was lifted before.
u64 fault_address(int number, const siginfo_t* info) {
  const bool names_instruction = number == SIGFPE || number == SIGILL || number == SIGTRAP;
  return names_instruction ? slots().regs.rip : reinterpret_cast<u64>(info->si_addr);
}

void guest_fault(int number, const siginfo_t* info, ucontext_t* context) {
  if (number == SIGTRAP && step_on(context)) return;
  if (const u64 resume = memory::guarded_copy_resume(reg(context, REG_RIP)); resume != 0) {
    reg(context, REG_RIP) = resume;
    return;
  }
  switch (root().translator->lift_fault(frame_of(context))) {
    case Translator::FaultKind::guest:
      abandon_stepping(context);
      slots().fault = {number, info->si_code, fault_address(number, info), reg(context, REG_ERR),
                       reg(context, REG_TRAPNO)};
      return resume_at(context, Translator::resume_after_fault());
    case Translator::FaultKind::missing_entry:
      abandon_stepping(context);
      reg(context, REG_RIP) = Translator::resume_miss();
      return;
    case Translator::FaultKind::not_ours:
      break;
  }
  fatal_engine_fault(number, reinterpret_cast<u64>(info->si_addr), reg(context, REG_RIP));
}

void signal_from_outside(int number, const siginfo_t* info, ucontext_t* context) {
  if (root().live == nullptr) return;
  root().live->queue_signal(number, info, *reinterpret_cast<u64*>(&context->uc_sigmask));
  u64 resume_pc = reg(context, REG_RIP);
  if (host::fix_interrupted_pc(resume_pc)) reg(context, REG_RIP) = resume_pc;
  slots().stop_requested = 1;
  if (slots().in_guest == 0) return;
  const u64 pc = reg(context, REG_RIP);
  if (Translator::enters(pc)) {
    Translator::abandon_entry();
    return resume_at(context, Translator::resume_after_fault());
  }
  if (!Translator::in_exit_path(pc)) begin_stepping(context);
}

}  // namespace

void handle_host_signal(int number, void* siginfo, void* context) {
  const auto* info = static_cast<const siginfo_t*>(siginfo);
  auto* machine_context = static_cast<ucontext_t*>(context);
  if (is_synchronous(number, info))
    guest_fault(number, info, machine_context);
  else
    signal_from_outside(number, info, machine_context);
}

}  // namespace orrery::machine
