// A system call that cannot sleep through a signal: there is no instant between "is a signal waiting?"
// and the `syscall` instruction at which a signal would be missed (design.md, section 6, first trap).
#pragma once

#include "base/types.h"

extern "C" {

/// Makes the call unless *pending is not 0; then, or when a signal comes before the kernel was
/// entered, -EINTR.
orrery::i64 orrery_interruptible_syscall(orrery::u64 number, orrery::u64 a0, orrery::u64 a1, orrery::u64 a2,
                                         orrery::u64 a3, orrery::u64 a4, orrery::u64 a5,
                                         const volatile orrery::u32* pending);

/// What SA_RESTORER wants: rt_sigreturn.
void orrery_signal_restorer();

extern const char orrery_interruptible_check[];  ///< first instruction of the window
extern const char orrery_interruptible_end[];    ///< first instruction after `syscall`
extern const char orrery_interruptible_give_up[];
}

namespace orrery::host {

/// For a host signal handler that has just queued its signal: if it interrupted the window between the
/// check and the kernel (also when the kernel has backed up to restart the call), makes the
/// interrupted code return -EINTR. True if `pc` was changed.
inline bool fix_interrupted_pc(u64& pc) {
  const u64 check = reinterpret_cast<u64>(orrery_interruptible_check);
  const u64 end = reinterpret_cast<u64>(orrery_interruptible_end);
  if (pc < check || pc >= end) return false;
  pc = reinterpret_cast<u64>(orrery_interruptible_give_up);
  return true;
}

}  // namespace orrery::host
