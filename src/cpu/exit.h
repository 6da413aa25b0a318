// Why guest code stopped running. Executors (translate, step) return one by value and call nobody.
#pragma once

#include "base/types.h"
#include "cpu/registers.h"
#include "x86/gate.h"

namespace orrery::cpu {

enum class ExitKind : u8 {
  syscall,       ///< `syscall`; rip is after it, rcx and r11 not yet clobbered
  fault,         ///< a synchronous fault; rip is at the instruction
  gated,         ///< an instruction of design.md invariant 3; rip is at it
  tick_reached,  ///< RunLimits::stop_at_tick; rip is the target of the transfer that ticked
  interrupted,   ///< a host signal asked for a stop; taken at a tick
  one_done,      ///< the one instruction that was asked for has been executed
  breakpoint,    ///< before the instruction at rip, where one was set; only a replay that is asked has any
  notes_full,    ///< no room is left for notes of memory accesses, which the same kind of replay may ask for
};

/// Which instruction of x86/gate.h stopped the run.
using x86::Gate;

/// A synchronous fault, in the kernel's words: what siginfo will carry.
struct Fault {
  int signal = 0;       ///< SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP
  int code = 0;         ///< si_code
  u64 address = 0;      ///< si_addr
  u64 error_code = 0;   ///< page fault error code (SDM vol. 3, 4.7), for sigcontext.err
  u64 trap_number = 0;  ///< sigcontext.trapno
};

struct Exit {
  ExitKind kind = ExitKind::interrupted;
  Gate gate = Gate::none;
  u8 instruction_bytes = 0;  ///< length of the gated instruction at rip
  Fault fault{};
};

struct RunLimits {
  /// Stop when CpuState::ticks reaches this; none if ~0. While a stop is set the exact (slower)
  /// version of the code runs.
  u64 stop_at_tick = ~u64{0};
  /// The run before stopped at a breakpoint and this one is to go on past it.
  bool past_breakpoint = false;
};

/// What runs guest code. One per process; no upcalls.
class Executor {
 public:
  /// Runs `cpu` until something needs the kernel. Preconditions: the task is current on this host
  /// thread and its vector state is in the host registers.
  virtual Exit run(CpuState& cpu, const RunLimits& limits) = 0;

 protected:
  ~Executor() = default;
};

}  // namespace orrery::cpu
