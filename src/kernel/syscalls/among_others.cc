// Where a descriptor says when a call can go on, the host is asked for that first, and the task waits for
// it in the scheduler. Then the call is made in a form that does not sleep, if it has one: what was ready may
// have been taken by somebody else meanwhile.
//
// Calls without such a descriptor (locks of files, System V queues and semaphores, FIFOs without a partner)
// are tried in that form again and again: after pauses, and at once when another task of the process has
// made such a call with success. What is lost by this is the host's order among those who wait, and EDEADLK
// of F_SETLKW between processes.
//
// What sleeps all the same is interrupted when the quantum ends, as long as any other task could run, and
// made again.
#include "kernel/syscalls/among_others.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/forward.h"
#include "kernel/signal.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

using host::HostCall;

constexpr i64 kPauseMostNs = 10'000'000;
constexpr u64 kLockNonblock = 4;    // LOCK_NB
constexpr u64 kSpliceNonblock = 2;  // SPLICE_F_NONBLOCK
constexpr u64 kNoWait = 8;          // RWF_NOWAIT
constexpr u64 kOfdSetLock = 37, kOfdSetLockWait = 38;
constexpr u64 kGetTerminal = 0x5401;  // TCGETS

/// How a call is made so that it does not sleep.
struct Way {
  u32 number;
  i8 reads = -1, writes = -1;  ///< arguments: descriptors that must be readable, writable
  i8 flags = -1;               ///< argument with the flag below
  u16 flag = 0;                ///< by which a caller says that it will not sleep
  bool may_add_flag = true;    ///< it means nothing else
  i16 would_sleep = EAGAIN;    ///< what the call gives then
  bool tries_first = false;    ///< before it looks at its descriptor
};

constexpr Way kWays[] = {
    {__NR_read, 0},
    {__NR_readv, 0},
    {__NR_pread64, 0},
    {__NR_preadv, 0},
    {__NR_preadv2, 0, -1, 5, kNoWait, false},
    {__NR_write, -1, 0},
    {__NR_writev, -1, 0},
    {__NR_pwritev2, -1, 0, 5, kNoWait, false},
    {__NR_accept, 0},
    {__NR_accept4, 0},
    {__NR_recvfrom, 0, -1, 3, MSG_DONTWAIT},
    {__NR_recvmsg, 0, -1, 2, MSG_DONTWAIT},
    {__NR_recvmmsg, 0, -1, 3, MSG_DONTWAIT},
    {__NR_sendto, -1, 0, 3, MSG_DONTWAIT},
    {__NR_sendmsg, -1, 0, 2, MSG_DONTWAIT},
    {__NR_sendmmsg, -1, 0, 3, MSG_DONTWAIT},
    {__NR_sendfile, -1, 0},
    {__NR_splice, 0, 2, 5, kSpliceNonblock},
    {__NR_tee, 0, 1, 3, kSpliceNonblock},
    {__NR_mq_timedreceive, 0, -1, -1, 0, true, ETIMEDOUT, true},
    {__NR_mq_timedsend, -1, 0, -1, 0, true, ETIMEDOUT, true},
    {__NR_flock, -1, -1, 1, kLockNonblock},
    {__NR_msgsnd, -1, -1, 3, IPC_NOWAIT},
    {__NR_msgrcv, -1, -1, 4, IPC_NOWAIT, true, ENOMSG},
    {__NR_fcntl},
    {__NR_semop},
    {__NR_semtimedop},
};

const Way* way_of(u32 number) {
  const auto* const found =
      std::find_if(std::begin(kWays), std::end(kWays), [&](const Way& way) { return way.number == number; });
  return found == std::end(kWays) ? nullptr : found;
}

u64 argument(const HostCall& call, int index) { return call.args[static_cast<std::size_t>(index)]; }

i64 ask_flags(Call& call, int fd) {
  HostCall ask;
  ask.number = __NR_fcntl;
  ask.args = {static_cast<u64>(fd), F_GETFL};
  return call_uninterrupted(call.process, ask);
}

/// Whether it fails, rather than sleep, when one of a set's operations would sleep: all of them say so.
bool all_say_nowait(Call& call) {
  struct Operation {
    u16 number;
    i16 by;
    u16 flags;
  };
  constexpr u64 kOperationsMost = 500;  // SEMOPM
  for (u64 i = 0; i < std::min(call.args[2], kOperationsMost); ++i) {
    Operation operation{};
    if (!call.space().read_value(call.args[1] + i * sizeof operation, operation)) return true;
    if ((operation.flags & IPC_NOWAIT) == 0) return false;
  }
  return true;
}

/// Whether the caller itself asked for a call that does not sleep.
bool asks_not_to_sleep(Call& call, const HostCall& host_call, const Way& way) {
  if (way.flags >= 0) return (argument(host_call, way.flags) & way.flag) != 0;
  if (way.number == __NR_fcntl) return host_call.args[1] != F_SETLKW && host_call.args[1] != kOfdSetLockWait;
  if (way.number == __NR_semop || way.number == __NR_semtimedop) return all_say_nowait(call);
  const bool moves_bytes = way.number == __NR_read || way.number == __NR_write;
  return moves_bytes && host_call.args[2] == 0;
}

constexpr TimeValue kNow{};

/// The form that does not sleep.
HostCall made_quick(const HostCall& host_call, const Way& way) {
  HostCall quick = host_call;
  const auto time_argument = [&](std::size_t index) {
    quick.args[index] = reinterpret_cast<u64>(&kNow);
    quick.checked_args = static_cast<u8>(quick.checked_args & ~(1U << index));
  };
  if (way.flags >= 0 && way.may_add_flag) quick.args[static_cast<std::size_t>(way.flags)] |= way.flag;
  switch (way.number) {
    case __NR_fcntl:
      quick.args[1] = host_call.args[1] == F_SETLKW ? u64{F_SETLK} : kOfdSetLock;
      break;
    case __NR_semop:
    case __NR_semtimedop:
      quick.number = __NR_semtimedop;
      time_argument(3);
      break;
    case __NR_mq_timedreceive:
    case __NR_mq_timedsend:
      time_argument(4);
      break;
    default:
      break;
  }
  return quick;
}

/// The descriptors that say when the call can go on.
std::vector<Descriptor> descriptors_of(const HostCall& host_call, const Way& way) {
  std::vector<Descriptor> descriptors;
  if (way.reads >= 0) descriptors.push_back({static_cast<i32>(argument(host_call, way.reads)), POLLIN, 0});
  if (way.writes >= 0) descriptors.push_back({static_cast<i32>(argument(host_call, way.writes)), POLLOUT, 0});
  return descriptors;
}

/// One look whether all are ready; true also when it cannot be told. Leaves those that are not.
bool are_ready(Call& call, std::vector<Descriptor>& descriptors) {
  if (descriptors.empty()) return true;
  TimeValue zero;
  const u64 bytes = descriptors.size() * sizeof(Descriptor);
  HostCall poll;
  poll.number = __NR_ppoll;
  poll.args = {reinterpret_cast<u64>(descriptors.data()), descriptors.size(), reinterpret_cast<u64>(&zero)};
  poll.checked_args = 0b10;
  poll.in.add({reinterpret_cast<u64>(descriptors.data()), bytes});
  poll.out.add({.address = reinterpret_cast<u64>(descriptors.data()), .capacity_bytes = bytes});
  if (call_uninterrupted(call.process, poll) < 0) return true;
  std::erase_if(descriptors, [](const Descriptor& each) { return each.ready != 0; });
  return descriptors.empty();
}

/// Whether a call on this descriptor does not sleep: its owner said so, or it is not open for that.
bool answers_at_once(Call& call, u64 fd, u64 other_mode) {
  const i64 flags = ask_flags(call, static_cast<int>(fd));
  return flags < 0 || (flags & (O_NONBLOCK | O_PATH)) != 0 ||
         (static_cast<u64>(flags) & O_ACCMODE) == other_mode;
}

bool any_answers_at_once(Call& call, const HostCall& host_call, const Way& way) {
  return (way.reads >= 0 && answers_at_once(call, argument(host_call, way.reads), O_WRONLY)) ||
         (way.writes >= 0 && answers_at_once(call, argument(host_call, way.writes), O_RDONLY));
}

/// After -EINTR: whether the guest is to see it. If not, others have their turn before the call is made
/// again.
bool is_interrupted(Call& call) {
  const bool by_signal = collect_host_signals(call.process);
  if (!by_signal || deliverable_signals(call.task) != 0) return true;
  call.process.scheduler.end_quantum();
  call.process.scheduler.give_way();
  return deliverable_signals(call.task) != 0;
}

i64 call_through_quanta(Call& call, HostCall& host_call) {
  for (;;) {
    const i64 result = call.host().call(host_call);
    if (result != -EINTR || is_interrupted(call)) return result;
  }
}

bool is_system_v(u32 number) {
  return number == __NR_msgsnd || number == __NR_msgrcv || number == __NR_semop || number == __NR_semtimedop;
}

i64 call_quickly(Call& call, HostCall& host_call, const Way& way) {
  HostCall quick = made_quick(host_call, way);
  Patience patience(call, host_call);
  for (bool first = true;; first = false) {
    std::vector<Descriptor> awaited = descriptors_of(host_call, way);
    const bool has_descriptor = !awaited.empty();
    std::optional<i64> waited;
    if (!way.tries_first && !are_ready(call, awaited)) {
      if (any_answers_at_once(call, host_call, way)) return call_through_quanta(call, host_call);
      waited = patience.until_ready(awaited);
    } else {
      const i64 result = call.host().call(quick);
      if (result == -EINTR && !is_interrupted(call)) continue;
      if (result == -EINVAL && !first && is_system_v(way.number)) return -EIDRM;  // removed meanwhile
      if (result >= 0 && !has_descriptor) call.process.scheduler.let_try_again();
      if (result != -way.would_sleep || any_answers_at_once(call, host_call, way)) return result;
      waited = way.tries_first ? patience.until_ready(awaited) : patience.a_while();
    }
    if (waited) return *waited;
  }
}

// --- connections ---

void set_flags(Call& call, int fd, u64 flags) {
  HostCall set;
  set.number = __NR_fcntl;
  set.args = {static_cast<u64>(fd), F_SETFL, flags};
  call_uninterrupted(call.process, set);
}

/// A connection is begun without sleeping; asked for once more when it is there, it gives how it went. A
/// listener of AF_UNIX with a full queue says neither.
i64 connect_quickly(Call& call, HostCall& host_call) {
  const auto fd = static_cast<int>(host_call.args[0]);
  const i64 flags = ask_flags(call, fd);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return call_through_quanta(call, host_call);
  u16 family = 0;
  const bool local = call.space().read_value(call.args[1], family) && family == AF_UNIX;
  Patience patience(call, host_call);
  for (;;) {
    set_flags(call, fd, static_cast<u64>(flags | O_NONBLOCK));
    const i64 result = call.host().call(host_call);
    set_flags(call, fd, static_cast<u64>(flags));
    if (result == -EINTR && !is_interrupted(call)) continue;
    std::optional<i64> waited;
    if (result == -EINPROGRESS || result == -EALREADY)
      waited = patience.until_ready({{fd, POLLOUT, 0}});
    else if (result == -EAGAIN && local)
      waited = patience.a_while();
    else
      return result;
    if (waited) return *waited;
  }
}

// --- FIFOs ---

/// open(2) and its kin: where their flags stand.
struct Opening {
  i64 directory_fd = AT_FDCWD;
  std::size_t path = 0;
  u64 flags = 0;
};

bool is_opening(Call& call, const HostCall& host_call, Opening& opening) {
  switch (host_call.number) {
    case __NR_open:
      opening.flags = host_call.args[1];
      return true;
    case __NR_creat:
      opening.flags = O_CREAT | O_WRONLY | O_TRUNC;
      return true;
    case __NR_openat:
      opening = {static_cast<i64>(host_call.args[0]), 1, host_call.args[2]};
      return true;
    case __NR_openat2:
      opening = {static_cast<i64>(host_call.args[0]), 1, 0};
      return call.space().read_value(call.args[2], opening.flags);
    default:
      return false;
  }
}

bool is_fifo(Call& call, const HostCall& host_call, const Opening& opening) {
  struct stat status {};
  HostCall ask;
  ask.number = __NR_newfstatat;
  ask.args = {static_cast<u64>(opening.directory_fd), host_call.args[opening.path],
              reinterpret_cast<u64>(&status), 0};
  ask.checked_args = 0b1001;
  ask.in = host_call.in;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call.host().call(ask) == 0 && S_ISFIFO(status.st_mode);
}

/// Whether somebody has it open for writing. A read of an empty pipe is at its end only if nobody has; one
/// that is not empty keeps its bytes, since they cannot be put where this asks for them.
bool has_writer(Call& call, int fd) {
  std::vector<Descriptor> descriptors{{fd, POLLIN, 0}};
  if (are_ready(call, descriptors)) return true;
  HostCall read;
  read.number = __NR_read;
  read.args = {static_cast<u64>(fd), kFaultingAddress, 1};
  return call_uninterrupted(call.process, read) != 0;
}

void close_on_host(Call& call, int fd) {
  HostCall close;
  close.number = __NR_close;
  close.args[0] = static_cast<u64>(fd);
  call.host().call(close);
}

/// A reader is let in at once and waits for the first writer; a writer is not let in before there is a
/// reader.
i64 open_fifo(Call& call, HostCall& host_call, const Opening& opening) {
  struct {
    u64 flags, mode, resolve;
  } how{};
  HostCall quick = host_call;
  if (quick.number == __NR_openat2) {
    if (!call.space().read_value(call.args[2], how)) return -EFAULT;
    how.flags |= O_NONBLOCK;
    quick.args[2] = reinterpret_cast<u64>(&how);
    quick.checked_args = static_cast<u8>(quick.checked_args & ~0b100U);
  } else if (quick.number == __NR_creat) {
    quick.number = __NR_open;
    quick.args[2] = host_call.args[1];
    quick.args[1] = opening.flags | O_NONBLOCK;
  } else {
    quick.args[quick.number == __NR_open ? 1 : 2] |= O_NONBLOCK;
  }
  Patience patience(call, host_call);
  i64 fd = 0;
  for (;;) {
    fd = call.host().call(quick);
    if (fd == -EINTR && !is_interrupted(call)) continue;
    if (fd != -ENXIO) break;
    if (const auto waited = patience.a_while()) return *waited;
  }
  if (fd < 0) return fd;
  const auto opened = static_cast<int>(fd);
  call.process.scheduler.let_try_again();
  while ((opening.flags & O_ACCMODE) == O_RDONLY && !has_writer(call, opened)) {
    const auto waited = patience.a_while({{opened, POLLIN, 0}});
    if (!waited) continue;
    close_on_host(call, opened);
    return *waited;
  }
  set_flags(call, opened, static_cast<u64>(ask_flags(call, opened)) & ~u64{O_NONBLOCK});
  return fd;
}

i64 open_quickly(Call& call, HostCall& host_call, const Opening& opening) {
  constexpr u64 kNeverSleep = O_NONBLOCK | O_PATH | O_DIRECTORY;
  const bool may_sleep = (opening.flags & kNeverSleep) == 0 && (opening.flags & O_ACCMODE) != O_RDWR;
  if (may_sleep && is_fifo(call, host_call, opening)) return open_fifo(call, host_call, opening);
  return call_through_quanta(call, host_call);
}

// --- time limits ---

/// A raw terminal that reads with VMIN 0 waits VTIME tenths of a second. False if `fd` is none.
bool read_time_limit(Call& call, int fd, u64& tenths) {
  struct {
    u32 input, output, control, local;
    u8 line, characters[19];
  } settings{};
  constexpr u32 kCanonical = 2;                 // ICANON
  constexpr std::size_t kTime = 5, kLeast = 6;  // VTIME, VMIN
  HostCall ask;
  ask.number = __NR_ioctl;
  ask.args = {static_cast<u64>(fd), kGetTerminal, reinterpret_cast<u64>(&settings)};
  ask.checked_args = 0b11;
  ask.out.add({.address = reinterpret_cast<u64>(&settings), .capacity_bytes = sizeof settings});
  if (call_uninterrupted(call.process, ask) != 0 || (settings.local & kCanonical) != 0) return false;
  tenths = settings.characters[kTime];
  return settings.characters[kLeast] == 0;
}

/// SO_RCVTIMEO or SO_SNDTIMEO of a socket; false if it has none.
bool socket_time_limit(Call& call, int fd, bool sends, TimeValue& limit) {
  struct {
    i64 seconds = 0, microseconds = 0;
  } time;
  u32 bytes = sizeof time;
  HostCall get;
  get.number = __NR_getsockopt;
  get.args = {static_cast<u64>(fd), SOL_SOCKET, sends ? u64{SO_SNDTIMEO} : u64{SO_RCVTIMEO},
              reinterpret_cast<u64>(&time), reinterpret_cast<u64>(&bytes)};
  get.checked_args = 0b00111;
  get.out.add({.address = reinterpret_cast<u64>(&time), .capacity_bytes = sizeof time});
  get.out.add({.address = reinterpret_cast<u64>(&bytes), .capacity_bytes = sizeof bytes});
  limit = {0, 0};
  if (call.host().call(get) != 0) return false;
  limit = {time.seconds, time.microseconds * 1000};
  return limit.valid() && !limit.is_zero();
}

}  // namespace

i64 descriptor_mode(Call& call, int fd) {
  struct stat status {};
  HostCall ask;
  ask.number = __NR_fstat;
  ask.args = {static_cast<u64>(fd), reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  const i64 error = call.host().call(ask);
  return error < 0 ? error : static_cast<i64>(status.st_mode);
}

bool is_nonblocking(Call& call, int fd) { return answers_at_once(call, static_cast<u64>(fd), ~u64{0}); }

namespace {

/// A call that does not sleep, or fails before it could. Urgent data is there or is not (tcp_recv_urg).
bool never_sleeps(Call& call, const HostCall& host_call) {
  switch (host_call.number) {
    case __NR_recvfrom:
      return (host_call.args[3] & MSG_OOB) != 0;
    case __NR_recvmsg:
      return (host_call.args[2] & MSG_OOB) != 0;
    case __NR_accept:
    case __NR_accept4: {
      i32 listens = 1;
      u32 bytes = sizeof listens;
      HostCall get;
      get.number = __NR_getsockopt;
      get.args = {host_call.args[0], SOL_SOCKET, SO_ACCEPTCONN, reinterpret_cast<u64>(&listens),
                  reinterpret_cast<u64>(&bytes)};
      get.checked_args = 0b00111;
      get.out.add({.address = reinterpret_cast<u64>(&listens), .capacity_bytes = sizeof listens});
      get.out.add({.address = reinterpret_cast<u64>(&bytes), .capacity_bytes = sizeof bytes});
      return call.host().call(get) != 0 || listens == 0;
    }
    case __NR_mq_timedreceive:
    case __NR_mq_timedsend: {
      TimeValue until;
      return host_call.args[4] != 0 && (!call.space().read_value(call.args[4], until) || !until.valid());
    }
    default:
      return false;
  }
}

}  // namespace

i64 call_among_others(Call& call, HostCall& host_call) {
  Opening opening;
  if (never_sleeps(call, host_call)) return call_through_quanta(call, host_call);
  if (host_call.number == __NR_connect) return connect_quickly(call, host_call);
  if (is_opening(call, host_call, opening)) return open_quickly(call, host_call, opening);
  const Way* const way = way_of(host_call.number);
  if (way == nullptr) return call_through_quanta(call, host_call);
  if (!asks_not_to_sleep(call, host_call, *way)) return call_quickly(call, host_call, *way);
  const i64 result = call_through_quanta(call, host_call);
  if (result >= 0 && way->reads < 0 && way->writes < 0) call.process.scheduler.let_try_again();
  return result;
}

// --- waiting ---

void Patience::find_limit() {
  if (limit_is_known_) return;
  limit_is_known_ = true;
  const auto fd = static_cast<int>(host_call_.args[0]);
  TimeValue limit;
  u64 tenths = 0;
  bool relative = false;
  if (host_call_.number == __NR_semtimedop && host_call_.args[3] != 0) {
    relative = call_.space().read_value(call_.args[3], limit);
  } else if (host_call_.number == __NR_mq_timedreceive || host_call_.number == __NR_mq_timedsend) {
    late_result_ = -ETIMEDOUT;
    limited_ = host_call_.args[4] != 0 && call_.space().read_value(call_.args[4], limit);
    if (limited_) deadline_ns_ = monotonic_deadline_ns(call_, kClockRealtime, limit);
    return;
  } else if (const Way* const way = way_of(host_call_.number);
             way == nullptr ? host_call_.number == __NR_connect : way->reads == 0 || way->writes == 0) {
    const i64 mode = descriptor_mode(call_, fd);
    if (mode < 0) return;
    const bool sends = way == nullptr || way->writes == 0;
    if (S_ISSOCK(static_cast<u32>(mode))) relative = socket_time_limit(call_, fd, sends, limit);
    if (S_ISCHR(static_cast<u32>(mode)) && !sends && read_time_limit(call_, fd, tenths)) {
      relative = true;
      late_result_ = 0;
      limit = TimeValue::from_milliseconds(static_cast<i64>(tenths) * 100);
    }
    if (way == nullptr) late_result_ = -EINPROGRESS;
  }
  if (!relative) return;
  limited_ = true;
  deadline_ns_ = host_clock(call_, kClockMonotonic).plus(limit).total_nanoseconds();
}

std::optional<i64> Patience::wait(Wait& wait) {
  if (const i64 result = wait_among_others(call_, wait); result != 0) return result;
  if (limited_ && wait.timed_out && deadline_ns_ <= wait.deadline_ns) return late_result_;
  return std::nullopt;
}

std::optional<i64> Patience::until_ready(const std::vector<Descriptor>& descriptors) {
  find_limit();
  Wait until;
  until.descriptors = descriptors;
  until.timed = limited_;
  until.deadline_ns = deadline_ns_;
  return wait(until);
}

std::optional<i64> Patience::a_while(const std::vector<Descriptor>& descriptors) {
  find_limit();
  Wait until;
  until.descriptors = descriptors;
  until.tries_again = true;
  if (call_.process.scheduler.turns_are_seeded()) {
    until.timed = limited_;
    until.deadline_ns = deadline_ns_;
    return wait(until);
  }
  until.timed = true;
  until.deadline_ns = host_clock(call_, kClockMonotonic).total_nanoseconds() + pause_ns_;
  if (limited_) until.deadline_ns = std::min(until.deadline_ns, deadline_ns_);
  pause_ns_ = std::min(pause_ns_ * 2, kPauseMostNs);
  return wait(until);
}

}  // namespace orrery::kernel
