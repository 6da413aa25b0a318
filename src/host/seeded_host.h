// `record --seed N`: clocks, the time stamp counter, the cpu number and random bytes come from the seed,
// so that the same seed over the same inputs gives the same run. Everything else passes through.
//
// Time is virtual: it stands still while the program computes and moves a fixed step whenever it is
// looked at; a sleep takes no real time and moves it by what was slept. A wait for descriptors sleeps really,
// since what they lead to has no virtual time, and moves it if it ends by its time-out.
//
// Tasks take turns after a number of ticks that the seed decides anew each time: a task that spins until
// another one comes by does not spin for ever, and other seeds give other interleavings.
#pragma once

#include "base/prng.h"
#include "host/host.h"

namespace orrery::host {

class SeededHost final : public Host {
 public:
  SeededHost(u64 seed, Host& inner);

  void at(const Instant& instant) override;
  i64 call(HostCall& call) override;
  u64 read_tsc() override;
  u32 current_cpu() override { return 0; }
  void random_bytes(std::span<u8> out) override { random_.fill(out); }
  bool next_signal(HostSignal& signal) override;
  void begin_look(u16 number) override { inner_.begin_look(number); }
  void set_signal_view(const SignalView& view) override { inner_.set_signal_view(view); }
  void set_preemption(bool wanted) override;
  u64 stop_at_tick() override { return preempting_ ? quantum_end_ : inner_.stop_at_tick(); }
  void exit(int status, int fatal_signal) override { inner_.exit(status, fatal_signal); }

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
  u64 look_at_time();
  u64 clock_ns(u64 clock);
  i64 clock_gettime(const HostCall& call);
  i64 gettimeofday(const HostCall& call);
  i64 time(const HostCall& call);
  i64 sleep(u64 clock, bool absolute, u64 request_at);
  i64 wait(HostCall& call);
  void begin_quantum();

  Host& inner_;
  SplitMix64 random_;
  SplitMix64 quanta_;
  Instant instant_;
  bool preempting_ = false;
  u64 quantum_end_ = 0;     ///< a tick of the current task
  u64 since_start_ns_ = 0;  ///< virtual time
  u64 epoch_ns_;            ///< CLOCK_REALTIME at the start
};

}  // namespace orrery::host
