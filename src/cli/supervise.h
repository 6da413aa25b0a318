// What `orrery record` does while the guest runs: hands on signals, reaps, and waits until every process of
// the machine has ended, orphans and daemons too.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <optional>

#include "base/types.h"

namespace orrery::cli {

/// The last processes that a SIGTERM does not end have this long.
inline constexpr u64 kGraceSeconds = 5;

struct Supervision {
  pid_t guest = 0;          ///< the first process
  pid_t writer = 0;         ///< a child of ours that is no guest; 0: none
  int writer_done_fd = -1;  ///< a byte: all processes have ended and are stored. Its end: the writer died
  u64 timeout_ns = 0;       ///< 0: none
  std::function<void()>
      waiting{};  ///< called once when the first process has ended and others go on for long
};

struct Supervised {
  int status = 0;          ///< wait(2) status of the first process
  bool complete = false;   ///< the writer has stored all it was given
  bool timed_out = false;  ///< and the machine was ended for that
};

/// Blocks all signals of this thread for as long as it lives.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Orphans of the machine become our children from now on. Call before the first process starts.
void adopt_orphans();
/// Hands on to `guest` what somebody sends to us alone; what ends a process does not end us. What the
/// terminal sends, or a process of the machine to its whole group, has reached the guest already.
void pass_on_signals(pid_t guest);
Supervised supervise(const Supervision& supervision);

}  // namespace orrery::cli
