// Signal sets, siginfo and the queue of pending signals: leaf mechanisms of the guest kernel without
// any knowledge of tasks. Standard signals are coalesced, real-time ones queue up (kernel/signal.c
// __send_signal_locked, next_signal, collect_signal).
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "base/types.h"

namespace orrery::kernel {

inline constexpr int kSignalCount = 64;

/// Bit n - 1 stands for signal n, as in the kernel's sigset_t.
using SignalSet = u64;
constexpr SignalSet signal_bit(int number) { return u64{1} << (number - 1); }
constexpr bool contains(SignalSet set, int number) { return (set & signal_bit(number)) != 0; }

/// siginfo_t of x86-64, 128 bytes. The members of its union that the guest kernel fills are at fixed
/// offsets; signal_queue.cc proves them against the host's header.
struct SignalInfo {
  i32 number = 0;
  i32 error = 0;
  i32 code = 0;
  i32 padding = 0;
  u8 fields[112] = {};

  void set32(std::size_t offset, u32 value) { std::memcpy(fields + offset, &value, sizeof value); }
  void set64(std::size_t offset, u64 value) { std::memcpy(fields + offset, &value, sizeof value); }
  u32 get32(std::size_t offset) const {
    u32 value;
    std::memcpy(&value, fields + offset, sizeof value);
    return value;
  }
  u64 get64(std::size_t offset) const {
    u64 value;
    std::memcpy(&value, fields + offset, sizeof value);
    return value;
  }
  // Offsets into `fields`.
  static constexpr std::size_t kPid = 0, kUid = 4, kStatus = 8;            // _kill, _rt, _sigchld
  static constexpr std::size_t kValue = 8;                                 // _rt
  static constexpr std::size_t kTimerId = 0, kOverrun = 4;                 // _timer; its value at kValue
  static constexpr std::size_t kAddress = 0, kLowerBound = 16, kKey = 16;  // _sigfault
  static constexpr std::size_t kBand = 0, kFd = 8;                         // _sigpoll

  /// The kill(2) family's: si_code SI_USER, SI_TKILL, ..., sender's pid and uid.
  static SignalInfo from_sender(int number, int code, i32 pid, u32 uid);
  static SignalInfo from_bytes(std::span<const u8, 128> bytes);
};
static_assert(sizeof(SignalInfo) == 128);

/// What is pending for one task or for one process.
class PendingSignals {
 public:
  /// Adds `info`; a standard signal already pending swallows it. A timer has at most one signal pending:
  /// the next ones count as its overruns.
  void add(const SignalInfo& info);
  /// As when the queue is full: the signal is pending, who sent it is lost.
  void add_without_info(int number) { set_ |= signal_bit(number); }
  SignalSet set() const { return set_; }
  /// Takes the next of those in `wanted`: synchronous ones first, then the lowest number, oldest
  /// first. One without siginfo comes as from nobody's kill(2) (collect_signal). False if none.
  bool take(SignalSet wanted, SignalInfo& out);
  void discard(SignalSet unwanted);
  std::span<const SignalInfo> queued() const { return queue_; }

 private:
  SignalSet set_ = 0;
  std::vector<SignalInfo> queue_;
};

/// The order in which pending signals are delivered (next_signal): the lowest of the synchronous ones, else
/// the lowest. 0 if the set is empty.
int next_signal_number(SignalSet set);

}  // namespace orrery::kernel
