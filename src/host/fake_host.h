// A world made of a seed: answers without a kernel, the same for the same questions in the same order.
// For tests of everything above the door. Guest memory is real, as behind every host.
#pragma once

#include <vector>

#include "base/prng.h"
#include "host/host.h"

namespace orrery::host {

class FakeHost final : public Host {
 public:
  explicit FakeHost(u64 seed) : random_(seed) {}

  /// The next call answers this; without one the seed decides: errors, short and full results.
  void answer_next_call(i64 result) { results_.push_back(result); }
  /// Handed out by next_signal() in this order.
  void deliver(const HostSignal& signal) { signals_.push_back(signal); }
  /// The next memory operation fails so, without being done.
  void fail_next_memory_operation(i64 error) { memory_error_ = error; }

  bool exited() const { return exited_; }
  int exit_status() const { return exit_status_; }
  int fatal_signal() const { return fatal_signal_; }
  u64 calls_made() const { return calls_made_; }

  void at(const Instant&) override {}
  i64 call(HostCall& call) override;
  u64 read_tsc() override { return tsc_ += 1 + random_.below(1000); }
  u32 current_cpu() override { return static_cast<u32>(random_.below(64)); }
  void random_bytes(std::span<u8> out) override { random_.fill(out); }
  bool next_signal(HostSignal& signal) override;
  u64 stop_at_tick() override { return ~u64{0}; }
  void exit(int status, int fatal_signal) override;

  i64 map(const memory::MapRequest& request) override;
  i64 unmap(u64 address, u64 size_bytes) override;
  i64 protect(u64 address, u64 size_bytes, int protection) override;
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override;
  i64 discard(u64 address, u64 size_bytes) override;

 private:
  i64 choose_result(const HostCall& call);
  i64 take_memory_error();

  SplitMix64 random_;
  std::vector<i64> results_;
  std::vector<HostSignal> signals_;
  std::size_t results_used_ = 0, signals_used_ = 0;
  i64 memory_error_ = 0;
  u64 tsc_ = 0, calls_made_ = 0;
  bool exited_ = false;
  int exit_status_ = 0, fatal_signal_ = 0;
};

}  // namespace orrery::host
