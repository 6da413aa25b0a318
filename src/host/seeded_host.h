// `record --seed N`: clocks, timers, random bytes, process ids, and who runs when come from the seed, so that
// the same seed over the same inputs gives the same run. Everything else passes through.
//
// Time is virtual: it moves a little with each tick of guest code and each look at it, and when all processes
// wait it jumps to the first time any waits for (host/seeded_turns.cc).
//
// Processes run one at a time, in turns the seed decides (host/seeded_turns.h); so do the tasks of a process.
// A turn lasts a number of ticks that is decided anew each time: who spins until another one comes by does
// not spin for ever, and other seeds give other interleavings.
#pragma once

#include "base/prng.h"
#include "host/host.h"
#include "host/seeded_machine.h"
#include "host/seeded_turns.h"
#include "host/virtual_pids.h"
#include "host/virtual_timers.h"

namespace orrery::host {

class SeededHost final : public Host {
 public:
  struct Parts {
    Host& inner;
    SeededMachine& machine;  ///< of zeros: this is its first process
    Complaints& complaints;
    int fd_least;  ///< where the engine's descriptors may lie
  };
  SeededHost(u64 seed, i32 pid, const Parts& parts);

  void at(const Instant& instant) override;
  i64 call(HostCall& call) override;
  u64 read_tsc() override;
  u32 current_cpu() override { return 0; }
  void random_bytes(std::span<u8> out) override { machine_.random.fill(out); }
  bool next_signal(HostSignal& signal) override;
  void begin_look(u16 number) override { inner_.begin_look(number); }
  void set_signal_view(const SignalView& view) override;
  void set_preemption(bool wanted) override;
  u64 stop_at_tick() override;
  void exit(int status, int fatal_signal) override;
  void leave(const NextProgram& next) override { inner_.leave(next); }

  i64 fork(ForkRequest& request) override;
  void take_back(std::vector<u8>& changes) override;
  bool let_go(std::span<const PageRange> ranges) override;
  void take_turn() override;
  void give_turn() override { gives_turn_ = turns_.holds(); }
  void task_runs(i32 task) override { inner_.task_runs(task); }
  void task_ended(i32 task) override { inner_.task_ended(task); }
  bool wants_view(bool settled) override { return inner_.wants_view(settled); }
  void show_view(int fd, std::span<const u8> view) override { inner_.show_view(fd, view); }
  void executed(std::span<const u8> words) override { inner_.executed(words); }

  i64 map(const memory::MapRequest& request) override { return inner_.map(request); }
  i64 unmap(u64 address, u64 size_bytes) override { return inner_.unmap(address, size_bytes); }
  i64 protect(u64 address, u64 size_bytes, int protection) override {
    return inner_.protect(address, size_bytes, protection);
  }
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override {
    return inner_.move(from, from_bytes, to, to_bytes);
  }
  i64 discard(u64 address, u64 size_bytes) override { return inner_.discard(address, size_bytes); }

 private:
  // --- seeded_time.cc ---
  u64 look_at_time();
  u64 clock_ns(u64 clock);
  i64 answer_of_time(HostCall& call);
  i64 clock_gettime(const HostCall& call);
  i64 gettimeofday(const HostCall& call);
  i64 time(const HostCall& call);
  i64 times(const HostCall& call);
  i64 system_info(HostCall& call);
  i64 sleep(u64 clock, bool absolute, u64 request_at);
  i64 wait(HostCall& call);
  void hide_usage(const HostCall& call, u64 address, bool of_process);
  static bool is_known_clock(u64 clock);
  VirtualTimers::Clocks clocks() const;

  // --- seeded_host.cc ---
  bool preempting() const;
  void begin_quantum();
  i64 answer(HostCall& call);
  i64 random_call(HostCall& call);

  template <class Look>
  i64 wait_in_turns(u64 deadline_ns, bool by_others, bool descriptors, const Look& look);
  i64 wait_for_descriptors(HostCall& call);
  i64 wait_for_futex(HostCall& call);
  i64 wake_futex(const HostCall& call);
  i64 send_signal(HostCall& call);
  template <class Visit>
  void for_each_target(const HostCall& call, const Visit& visit);
  i64 host_pid_of_pidfd(u64 fd) const;

  Host& inner_;
  SeededMachine& machine_;
  Complaints& complaints_;
  SeededTurns turns_;
  VirtualPids pids_;
  VirtualTimers timers_;
  SignalView view_;
  Instant instant_;
  u64 cpu_ns_ = 0;  ///< virtual time in which this process has computed
  bool preemption_wanted_ = false;
  bool gives_turn_ = false;  ///< between give_turn() and what comes of it
  bool has_quantum_ = false;
  u64 quantum_end_ = 0;  ///< a tick of the current task
};

}  // namespace orrery::host
