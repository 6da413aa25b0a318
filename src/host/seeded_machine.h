// What all processes of a run with --seed share: the virtual clock, the generators, who is there, and whose
// turn it is. It lies behind the trace::MachinePage in the memfd that they all map, and is changed only by
// the process that holds the turn, but for the words that say so.
//
// A process is named by its number: 1 is the first, others count up in the order in which they were made. Its
// virtual process id follows from that, so no run shows another run's ids.
#pragma once

#include "base/prng.h"
#include "base/types.h"

namespace orrery::host {

inline constexpr u32 kNobody = 0;
inline constexpr u64 kNever = ~u64{0};

enum class TurnState : u32 {
  none,
  ready,    ///< has guest code to run
  waiting,  ///< looks, when it is given the turn, whether it can go on
  away,     ///< sleeps until a child that borrows its memory lets go
  stopped,  ///< by a job-control signal
  ended,
};

struct SeededProcess {
  TurnState state = TurnState::none;
  TurnState before_stop = TurnState::none;
  u32 parent = kNobody;
  u32 previous = kNobody, next = kNobody;  ///< of those that live, in the order in which they were made
  u32 borrows = 0;                         ///< its parent is away until it lets go
  u32 back = 0;                            ///< 1 when its stop is over, whoever ended it
  u32 stops_too = 0;                       ///< it is stopped by the call that SeededMachine::stopping makes
  u32 calls = 0;                           ///< a futex on which it sleeps until its turn
  u32 reaped = 0;                          ///< its parent has waited for it

  // While it waits.
  u32 poked = 0;             ///< a signal was sent to it, or a child of its ended or stopped
  u32 by_others = 0;         ///< what another process does may let it go on
  u32 descriptors = 0;       ///< the outside may let it go on
  u64 deadline_ns = kNever;  ///< on the virtual clock
  u64 seen_changes = 0;      ///< SeededMachine::changes when it looked last
  u64 looked_at_turn = 0;    ///< SeededMachine::turns then
  u64 futex_address = 0;     ///< of the word in shared memory that it waits for; 0: none
  u32 futex_bitset = 0;
  u32 futex_woken = 0;
};

struct SeededMachine {
  static constexpr u32 kProcessesMost = 32'768;
  static constexpr u32 kOutsideMost = 64;

  u32 holder = kNobody;    ///< number of the process whose turn it is
  u32 ending = kNobody;    ///< gave its turn away to end: who has it now waits for that first
  u32 stopping = kNobody;  ///< the same to be stopped
  u32 count = 0;           ///< highest number given
  u32 first = kNobody, last = kNobody, live = 0;
  i32 first_pid = 0;
  u32 outside_count = 0;  ///< of outside_ids
  u64 now_ns = 0;         ///< virtual time since the start
  u64 epoch_ns = 0;       ///< CLOCK_REALTIME at the start
  u64 changes = 0;        ///< how often a process did what others could be waiting for
  u64 turns = 0;
  u64 outside_since_ns = 0;  ///< of the host's clock: since when all wait for the outside; 0: they do not
  SplitMix64 random{0}, quanta{0}, order{0};
  i32 outside_ids[kOutsideMost] = {};  ///< process ids of the host that are not of the machine
  i32 host_pids[kProcessesMost] = {};  ///< by number
  SeededProcess processes[kProcessesMost] = {};

  void begin(u64 seed, i32 pid, i32 host_pid);

  // --- process ids ---
  i32 pid_of(u32 number) const { return first_pid + static_cast<i32>(number) - 1; }
  /// kNobody unless it is one of the machine's.
  u32 number_of(i32 pid) const;
  u32 number_of_host(i32 host_pid) const;
  /// What the guest is shown of a process or a group of the host. The outside's get small numbers of their
  /// own.
  i32 to_guest(i32 host_pid);
  /// The host's id for what the guest names; -1: it names nobody.
  i32 to_host(i32 pid) const;

 private:
  bool is_known(u32 number) const;
};

}  // namespace orrery::host
