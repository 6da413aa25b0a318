#include "kernel/signal_queue.h"

#include <signal.h>

#include <algorithm>
#include <bit>
#include <cstddef>

namespace orrery::kernel {
namespace {

constexpr std::size_t kFieldsOffset = offsetof(SignalInfo, fields);
static_assert(sizeof(siginfo_t) == sizeof(SignalInfo));
static_assert(offsetof(siginfo_t, si_pid) == kFieldsOffset + SignalInfo::kPid);
static_assert(offsetof(siginfo_t, si_uid) == kFieldsOffset + SignalInfo::kUid);
static_assert(offsetof(siginfo_t, si_status) == kFieldsOffset + SignalInfo::kStatus);
static_assert(offsetof(siginfo_t, si_value) == kFieldsOffset + SignalInfo::kValue);
static_assert(offsetof(siginfo_t, si_timerid) == kFieldsOffset + SignalInfo::kTimerId);
static_assert(offsetof(siginfo_t, si_overrun) == kFieldsOffset + SignalInfo::kOverrun);
static_assert(offsetof(siginfo_t, si_addr) == kFieldsOffset + SignalInfo::kAddress);
static_assert(offsetof(siginfo_t, si_lower) == kFieldsOffset + SignalInfo::kLowerBound);
static_assert(offsetof(siginfo_t, si_band) == kFieldsOffset + SignalInfo::kBand);
static_assert(offsetof(siginfo_t, si_fd) == kFieldsOffset + SignalInfo::kFd);

constexpr int kFirstRealTime = 32;

constexpr SignalSet kSynchronous = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) |
                                   signal_bit(SIGTRAP) | signal_bit(SIGFPE) | signal_bit(SIGSYS);

}  // namespace

SignalInfo SignalInfo::from_sender(int number, int code, i32 pid, u32 uid) {
  SignalInfo info;
  info.number = number;
  info.code = code;
  info.set32(kPid, static_cast<u32>(pid));
  info.set32(kUid, uid);
  return info;
}

SignalInfo SignalInfo::from_bytes(std::span<const u8, 128> bytes) {
  SignalInfo info;
  std::memcpy(&info, bytes.data(), sizeof info);
  return info;
}

int next_signal_number(SignalSet set) {
  if (set == 0) return 0;
  const SignalSet urgent = set & kSynchronous;
  return std::countr_zero(urgent != 0 ? urgent : set) + 1;
}

void PendingSignals::add(const SignalInfo& info) {
  if (info.code == SI_TIMER) {
    for (SignalInfo& queued : queue_) {
      if (queued.code != SI_TIMER || queued.number != info.number ||
          queued.get32(SignalInfo::kTimerId) != info.get32(SignalInfo::kTimerId))
        continue;
      queued.set32(SignalInfo::kOverrun,
                   queued.get32(SignalInfo::kOverrun) + info.get32(SignalInfo::kOverrun) + 1);
      return;
    }
  }
  if (info.number < kFirstRealTime && contains(set_, info.number)) return;
  set_ |= signal_bit(info.number);
  queue_.push_back(info);
}

bool PendingSignals::take(SignalSet wanted, SignalInfo& out) {
  const int number = next_signal_number(set_ & wanted);
  if (number == 0) return false;
  const auto has_number = [number](const SignalInfo& info) { return info.number == number; };
  const auto first = std::find_if(queue_.begin(), queue_.end(), has_number);
  out = {};
  out.number = number;
  if (first != queue_.end()) {
    out = *first;
    queue_.erase(first);
  }
  if (std::none_of(queue_.begin(), queue_.end(), has_number)) set_ &= ~signal_bit(number);
  return true;
}

void PendingSignals::discard(SignalSet unwanted) {
  set_ &= ~unwanted;
  std::erase_if(queue_, [unwanted](const SignalInfo& info) { return contains(unwanted, info.number); });
}

}  // namespace orrery::kernel
