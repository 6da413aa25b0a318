#include "kernel/syscalls/wait_host.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

/// Calls that sleep until their first argument, a descriptor, is ready.
struct Sleeper {
  u32 number;
  i16 events;
  i8 flags_argument;  ///< where MSG_DONTWAIT would stand; -1: nowhere
};
constexpr Sleeper kSleepers[] = {
    {__NR_read, POLLIN, -1},     {__NR_readv, POLLIN, -1},     {__NR_pread64, POLLIN, -1},
    {__NR_preadv, POLLIN, -1},   {__NR_preadv2, POLLIN, -1},   {__NR_write, POLLOUT, -1},
    {__NR_writev, POLLOUT, -1},  {__NR_pwritev2, POLLOUT, -1}, {__NR_accept, POLLIN, -1},
    {__NR_accept4, POLLIN, -1},  {__NR_recvfrom, POLLIN, 3},   {__NR_recvmsg, POLLIN, 2},
    {__NR_recvmmsg, POLLIN, 3},  {__NR_sendto, POLLOUT, 3},    {__NR_sendmsg, POLLOUT, 2},
    {__NR_sendmmsg, POLLOUT, 3},
};

const Sleeper* sleeper(u32 number) {
  const auto* const found = std::find_if(std::begin(kSleepers), std::end(kSleepers),
                                         [&](const Sleeper& row) { return row.number == number; });
  return found == std::end(kSleepers) ? nullptr : found;
}

/// One look whether the descriptor is ready; true also when it cannot be told.
bool is_ready(Call& call, Descriptor descriptor) {
  TimeValue zero;
  host::HostCall poll;
  poll.number = __NR_ppoll;
  poll.args = {reinterpret_cast<u64>(&descriptor), 1, reinterpret_cast<u64>(&zero)};
  poll.checked_args = 0b10;
  poll.in.add({reinterpret_cast<u64>(&descriptor), sizeof descriptor});
  poll.out.add({.address = reinterpret_cast<u64>(&descriptor), .capacity_bytes = sizeof descriptor});
  return call.host().call(poll) != 0;
}

bool is_pipe_or_socket(Call& call, int fd) {
  struct stat status {};
  host::HostCall ask;
  ask.number = __NR_fstat;
  ask.args = {static_cast<u64>(fd), reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call.host().call(ask) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

bool never_sleeps(Call& call, int fd) {
  host::HostCall ask;
  ask.number = __NR_fcntl;
  ask.args = {static_cast<u64>(fd), F_GETFL};
  const i64 flags = call.host().call(ask);
  return flags < 0 || (flags & O_NONBLOCK) != 0;
}

}  // namespace

i64 wait_among_others(Call& call, Wait& wait) {
  call.process.scheduler.block(wait);
  return wait.woken || wait.ready || wait.timed_out ? 0 : -EINTR;
}

i64 monotonic_deadline_ns(Call& call, u64 clock, const TimeValue& deadline) {
  if (clock == kClockMonotonic) return deadline.total_nanoseconds();
  const TimeValue now = host_clock(call, kClockMonotonic);
  return now.plus(deadline.since(host_clock(call, clock))).total_nanoseconds();
}

bool write_in_pieces(Call& call, i64& result) {
  constexpr u64 kPieceBytes = 4096;  // PIPE_BUF: a pipe that is ready takes as much
  const u64 size_bytes = call.args[2];
  if (call.row.number != __NR_write || size_bytes <= kPieceBytes || !is_pipe_or_socket(call, call.fd(0)))
    return false;
  u64 done = 0;
  result = 0;
  while (done < size_bytes) {
    CallBuilder builder(call, __NR_write);
    builder.fd(0, call.args[0]);
    const u64 piece = std::min(kPieceBytes, size_bytes - done);
    builder.in(1, call.args[1] + done, piece);
    builder.value(2, piece);
    result = builder.perform();
    if (result <= 0) break;
    done += static_cast<u64>(result);
  }
  if (done != 0) result = static_cast<i64>(done);
  return true;
}

i64 wait_until_ready(Call& call, const host::HostCall& host_call) {
  const Sleeper* const row = sleeper(host_call.number);
  if (row == nullptr) return 0;
  const auto fd = static_cast<int>(host_call.args[0]);
  const bool asks_not_to =
      row->flags_argument >= 0 &&
      (host_call.args[static_cast<std::size_t>(row->flags_argument)] & MSG_DONTWAIT) != 0;
  const Descriptor descriptor{fd, row->events, 0};
  if (asks_not_to || is_ready(call, descriptor) || never_sleeps(call, fd)) return 0;
  Wait wait;
  wait.descriptors.push_back(descriptor);
  return wait_among_others(call, wait);
}

}  // namespace orrery::kernel
