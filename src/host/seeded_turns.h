// The processes of a run with --seed run one at a time, and who is next the seed decides. See
// seeded_turns.cc.
#pragma once

#include "host/seeded_machine.h"

namespace orrery::host {

class SeededTurns {
 public:
  /// This is process 1 of the machine. `fd_least`: where the engine's descriptors may lie.
  SeededTurns(SeededMachine& machine, int fd_least) : machine_(machine), fd_least_(fd_least) {}

  u32 number() const { return number_; }
  SeededProcess& self() { return machine_.processes[number_]; }
  bool holds() const { return holds_; }

  // --- with the turn ---
  /// A process is about to be made: its number; kNobody if there cannot be one more.
  u32 add_process(bool borrows, u32 parent);
  void made(u32 number, i32 host_pid);
  void not_made(u32 number);
  /// This process did what others may be waiting for.
  void changed() { ++machine_.changes; }
  /// Gives the turn to whom the seed chooses, maybe to this process; returns with the next turn.
  void pass();
  /// As pass(), of a process whose SeededProcess says what it waits for.
  void pass_waiting();
  /// Gives the turn away until take(); `state` says until when it is not given back.
  void leave(TurnState state);
  /// Of the host's clock: for how long a process that waits may sleep on the host as it looks, which is not 0
  /// only when all wait and it is the outside's turn.
  u64 outside_sleep_ns() const;
  /// Whether none of those that wait has a deadline.
  bool only_outside_is_left() const;
  /// A child that borrows its parent's memory has let go.
  void let_go();
  /// The process ends: never again takes a turn.
  void end();
  /// A signal is sent to a process.
  void poke(u32 number) { machine_.processes[number].poked = 1; }
  /// Another process was killed: returns when it is gone.
  void killed(u32 number);
  /// Another one was stopped by SIGSTOP, or is to go on.
  void stopped(u32 number);
  void continued(u32 number);
  /// Before stop(): its body stops another one as well.
  void stops_too(u32 number);

  /// `body` stops this process, and returns when it goes on, or was not stopped after all. Without the turn
  /// then.
  template <class Body>
  i64 stop(const Body& body) {
    self().before_stop = TurnState::ready;
    self().back = 0;
    machine_.stopping = number_;
    leave(TurnState::stopped);
    const i64 result = body();
    came_back();
    return result;
  }

  // --- without ---
  /// In a forked child.
  void begin(u32 number);
  /// Sleeps until it is this process's turn.
  void take();

 private:
  bool is_able(const SeededProcess& process) const;
  bool is_to_look(const SeededProcess& process, bool others_run) const;
  template <class Is>
  u32 draw(u64 count, const Is& is);
  const SeededProcess* first_deadline() const;
  bool outside_had_its_time(const SeededProcess& first) const;
  u32 next_waiting() const;
  u32 waiting_count() const;
  u32 choose();
  void hand_to(u32 next);
  bool look_after(u32 holder);
  void settle();
  void came_back();
  void unlink(u32 number);
  bool is_gone(u32 number, bool waits) const;
  bool is_stopped(u32 number) const;
  void settle_stops();

  SeededMachine& machine_;
  int fd_least_;
  u32 number_ = 1;
  bool holds_ = true;
};

}  // namespace orrery::host
