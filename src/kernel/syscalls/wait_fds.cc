// poll, select and epoll_wait. While the task is alone the host call itself may sleep; a signal that the
// guest would not notice makes it go on with what is left of its time (ask() in forward.cc). For that the
// host is given calls that write back the remaining time wherever such a call exists. Among other tasks the
// host is only asked how things are, and the task waits in the scheduler (look_until).
#include <asm/unistd.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/time_values.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

struct PollEntry {
  i32 fd;
  i16 events;
  i16 revents;
};
static_assert(sizeof(PollEntry) == 8);

constexpr std::size_t kNoFile = 7;  // RLIMIT_NOFILE
constexpr u64 kSetBytes = sizeof(SignalSet);
constexpr i32 kNeverOpen = 0x7fff'ffff;

/// The pollfds of a call. If one names a descriptor of the engine, the host gets a copy in which it is
/// one that is never open: POLLNVAL.
class PollEntries {
 public:
  PollEntries(Call& call, u64 address, u64 count) : call_(call), address_(address) {
    for (u64 i = 0; i < count; ++i) {
      PollEntry entry;
      if (!call.space().read_value(address + i * sizeof entry, entry)) return;
      if (!call.process.fds->is_engine(entry.fd)) continue;
      if (copy_.empty() && !take_copy(count)) return;
      copy_[i].fd = kNeverOpen;
    }
  }

  void give(CallBuilder& builder, u64 count) {
    if (copy_.empty()) return builder.in_out(0, address_, count * sizeof(PollEntry));
    builder.engine_in(0, copy_.data(), count * sizeof(PollEntry));
    builder.engine_out(0, copy_.data(), count * sizeof(PollEntry));
  }

  void write_back() {
    for (u64 i = 0; i < copy_.size(); ++i) {
      const u64 at = address_ + i * sizeof(PollEntry) + offsetof(PollEntry, revents);
      if (!call_.space().write_value(at, copy_[i].revents)) return;
    }
  }

 private:
  bool take_copy(u64 count) {
    copy_.resize(count);
    if (call_.space().read(address_, {reinterpret_cast<u8*>(copy_.data()), count * sizeof(PollEntry)}))
      return true;
    copy_.clear();
    return false;
  }

  Call& call_;
  u64 address_;
  std::vector<PollEntry> copy_;
};

/// Makes a wait under another signal mask, as ppoll and its kin do. `wait(nonblocking)` is the host call.
template <class Wait>
i64 wait_with_mask(Call& call, u64 mask_address, u64 mask_bytes, const Wait& wait) {
  if (mask_address == 0) return wait(false);
  SignalSet mask = 0;
  if (mask_bytes != kSetBytes) return -EINVAL;
  if (!call.space().read_value(mask_address, mask)) return -EFAULT;
  const SignalSet old = call.task.blocked;
  set_blocked(call.task, mask);
  collect_host_signals(call.process);
  // The new mask may let a signal through that waited already. What is ready still counts first.
  const bool interrupted = deliverable_signals(call.task) != 0;
  i64 result = wait(interrupted);
  if (interrupted && result == 0) result = -static_cast<i64>(call.row.restart_rule);
  if (is_interrupted(result))
    call.task.saved_mask = old;
  else
    set_blocked(call.task, old);
  return result;
}

i64 epoll_wait_once(Call& call, i32 milliseconds) {
  constexpr u32 kEventBytes = 12;
  const auto count = static_cast<u64>(std::clamp(static_cast<i32>(call.args[2]), 0, 1 << 20));
  CallBuilder builder(call, __NR_epoll_wait);
  builder.fd(0, call.args[0]);
  builder.out(1, call.args[1], count * kEventBytes, host::Extent::result_items, kEventBytes);
  builder.value(2, call.args[2]);
  builder.value(3, static_cast<u64>(static_cast<i64>(milliseconds)));
  return call.host().call(builder.host_call());
}

/// Without `timeout` the wait has no end.
i64 epoll_wait_for(Call& call, const TimeValue* timeout) {
  const bool finite = timeout != nullptr && !timeout->is_zero();
  TimeValue left = timeout != nullptr ? *timeout : TimeValue{};
  const TimeValue deadline = finite ? host_clock(call, kClockMonotonic).plus(left) : TimeValue{};
  if ((timeout == nullptr || finite) && !call.process.scheduler.alone()) {
    Wait wait;
    wait.descriptors.push_back({call.fd(0), POLLIN, 0});
    const i64 result = look_until(call, timeout != nullptr ? &left : nullptr, wait,
                                  [&] { return epoll_wait_once(call, 0); });
    return is_interrupted(result) ? -EINTR : result;
  }
  for (;;) {
    const i64 result = epoll_wait_once(call, timeout == nullptr ? -1 : left.milliseconds_ceil());
    if (result != -EINTR) return result;
    const bool by_signal = collect_host_signals(call.process);
    if (!by_signal || deliverable_signals(call.task) != 0) return -EINTR;
    if (finite) left = deadline.since(host_clock(call, kClockMonotonic));
  }
}

i64 epoll_wait_masked(Call& call, const TimeValue* timeout, u64 mask, u64 mask_bytes) {
  return wait_with_mask(call, mask, mask_bytes, [&](bool nonblocking) {
    const TimeValue zero{};
    return epoll_wait_for(call, nonblocking ? &zero : timeout);
  });
}

i64 epoll_wait_milliseconds(Call& call, u64 mask, u64 mask_bytes) {
  const auto milliseconds = static_cast<i32>(call.args[3]);
  const TimeValue timeout = TimeValue::from_milliseconds(std::max(milliseconds, 0));
  return epoll_wait_masked(call, milliseconds < 0 ? nullptr : &timeout, mask, mask_bytes);
}

/// ppoll on the host: `left` is what remains of the time-out after it, null if there is none.
i64 host_poll(Call& call, TimeValue* left) {
  const u64 count = static_cast<u32>(call.args[1]);
  if (count > call.process.limits[kNoFile].soft) return -EINVAL;
  PollEntries entries(call, call.args[0], count);
  CallBuilder builder(call, __NR_ppoll);
  entries.give(builder, count);
  builder.value(1, count);
  if (left != nullptr) {
    builder.engine_in(2, left, sizeof *left);
    builder.engine_out(2, left, sizeof *left);
  }
  const i64 result = builder.perform();
  if (left != nullptr && result != -EINVAL && !left->valid()) *left = {};  // a stranger's recording
  if (result >= 0) entries.write_back();
  return result;
}

i64 poll_among_others(Call& call, TimeValue* left) {
  Wait wait;
  for (u64 i = 0; i < static_cast<u32>(call.args[1]); ++i) {
    PollEntry entry;
    if (!call.space().read_value(call.args[0] + i * sizeof entry, entry)) break;
    if (entry.fd >= 0 && !call.process.fds->is_engine(entry.fd))
      wait.descriptors.push_back({entry.fd, entry.events, 0});
  }
  return look_until(call, left, wait, [&] {
    TimeValue zero;
    return host_poll(call, &zero);
  });
}

i64 poll(Call& call, TimeValue* left) {
  const bool sleeps = left == nullptr || !left->is_zero();
  return sleeps && !call.process.scheduler.alone() ? poll_among_others(call, left) : host_poll(call, left);
}

/// Whether a set asks for a descriptor that lies in its words from `first_word` on.
bool asks_beyond(Call& call, u64 first_word, u64 word_count) {
  for (std::size_t argument = 1; argument <= 3; ++argument) {
    u64 word = 0;
    for (u64 i = first_word; call.args[argument] != 0 && i < word_count; ++i)
      if (!call.space().read_value(call.args[argument] + i * sizeof word, word) || word != 0) return true;
  }
  return false;
}

/// core_sys_select: bits beyond the table of descriptors are not looked at. The host's table is longer than
/// the guest's would be, because the engine's descriptors lie at its end.
void clip_set_size(Call& call) {
  constexpr u64 kBits = 64;
  const auto count = static_cast<i32>(call.args[0]);
  if (count <= static_cast<i32>(kBits)) return;
  const u64 word_count = (static_cast<u64>(count) + kBits - 1) / kBits;
  u64 size = kBits;
  if (asks_beyond(call, 1, word_count)) size = descriptor_table_size(call.process);
  call.args[0] = std::min<u64>(static_cast<u64>(count), size);
}

/// Bytes of each of select's sets.
u64 set_bytes(const Call& call) {
  const auto bits = static_cast<i32>(call.args[0]);
  return bits <= 0 ? 0 : (static_cast<u64>(bits) + 63) / 64 * 8;
}

/// A look: select without waiting.
i64 select_now(Call& call) {
  TimeValue zero;
  CallBuilder builder(call, __NR_pselect6);
  builder.value(0, call.args[0]);
  for (int set = 1; set <= 3; ++set)
    builder.in_out(set, call.args[static_cast<std::size_t>(set)], set_bytes(call));
  builder.engine_in(4, &zero, sizeof zero);
  builder.engine_out(4, &zero, sizeof zero);
  return builder.perform();
}

/// Each look empties the sets, so they are kept here and put back for the next one.
i64 select_among_others(Call& call, TimeValue* left) {
  static constexpr i16 kEvents[] = {POLLIN, POLLOUT, POLLPRI};
  Wait wait;
  std::vector<u8> sets[3];
  for (std::size_t set = 0; set < 3; ++set) {
    const u64 address = call.args[set + 1];
    if (address == 0) continue;
    sets[set].resize(set_bytes(call));
    if (!call.space().read(address, sets[set])) return -EFAULT;
    for (i32 fd = 0; fd < static_cast<i32>(call.args[0]); ++fd)
      if ((sets[set][static_cast<u32>(fd) / 8] >> (fd % 8) & 1) != 0)
        wait.descriptors.push_back({fd, kEvents[set], 0});
  }
  return look_until(call, left, wait, [&] {
    for (std::size_t set = 0; set < 3; ++set)
      if (!sets[set].empty() && !call.space().write(call.args[set + 1], sets[set])) return i64{-EFAULT};
    return select_now(call);
  });
}

}  // namespace

i64 sys_poll(Call& call) {
  const auto milliseconds = static_cast<i32>(call.args[2]);
  if (milliseconds < 0) return poll(call, nullptr);
  TimeValue left = TimeValue::from_milliseconds(milliseconds);
  const i64 result = poll(call, &left);
  if (is_interrupted(result)) {
    call.task.restart = {};
    call.task.restart.number = __NR_poll;
    call.task.restart.args = {call.args[0], call.args[1], static_cast<u64>(left.milliseconds_ceil())};
  }
  return result;
}

i64 sys_ppoll(Call& call) {
  TimeValue left;
  const u64 timeout = call.args[2];
  if (timeout != 0 && !call.space().read_value(timeout, left)) return -EFAULT;
  if (timeout != 0 && !left.valid()) return -EINVAL;
  const i64 result = wait_with_mask(call, call.args[3], call.args[4], [&](bool nonblocking) {
    TimeValue zero;
    if (nonblocking) return host_poll(call, &zero);
    return poll(call, timeout != 0 ? &left : nullptr);
  });
  // As the kernel's poll_select_finish: a time-out that cannot be written back stays as it is.
  if (timeout != 0 && !call.space().write_value(timeout, left)) return result;
  return result;
}

i64 sys_select(Call& call) {
  struct {
    i64 seconds = 0, microseconds = 0;
  } timeout;
  clip_set_size(call);
  if (call.process.scheduler.alone()) return forward(call);
  if (call.args[4] == 0) return select_among_others(call, nullptr);
  if (!call.space().read_value(call.args[4], timeout)) return -EFAULT;
  TimeValue left{timeout.seconds + timeout.microseconds / 1'000'000, timeout.microseconds % 1'000'000 * 1000};
  if (!left.valid()) return -EINVAL;
  const i64 result = select_among_others(call, &left);
  timeout = {left.seconds, left.nanoseconds / 1000};
  (void)call.space().write_value(call.args[4], timeout);  // one that cannot be written stays as it is
  return result;
}

i64 sys_pselect6(Call& call) {
  struct {
    u64 address = 0, size_bytes = 0;
  } mask;
  if (call.args[5] != 0 && !call.space().read_value(call.args[5], mask)) return -EFAULT;
  clip_set_size(call);
  call.args[5] = 0;
  return wait_with_mask(call, mask.address, mask.size_bytes, [&](bool nonblocking) {
    if (nonblocking) return select_now(call);
    if (call.process.scheduler.alone()) return forward(call);
    TimeValue left;
    const u64 timeout = call.args[4];
    if (timeout != 0 && !call.space().read_value(timeout, left)) return i64{-EFAULT};
    if (timeout != 0 && !left.valid()) return i64{-EINVAL};
    const i64 result = select_among_others(call, timeout != 0 ? &left : nullptr);
    if (timeout != 0) (void)call.space().write_value(timeout, left);
    return result;
  });
}

i64 sys_epoll_wait(Call& call) { return epoll_wait_milliseconds(call, 0, 0); }

i64 sys_epoll_pwait(Call& call) { return epoll_wait_milliseconds(call, call.args[4], call.args[5]); }

i64 sys_epoll_pwait2(Call& call) {
  TimeValue timeout;
  if (call.args[3] == 0) return epoll_wait_masked(call, nullptr, call.args[4], call.args[5]);
  if (!call.space().read_value(call.args[3], timeout)) return -EFAULT;
  if (!timeout.valid()) return -EINVAL;
  return epoll_wait_masked(call, &timeout, call.args[4], call.args[5]);
}

}  // namespace orrery::kernel
