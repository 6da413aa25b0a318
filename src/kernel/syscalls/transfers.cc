// A pipe that is ready takes 4096 bytes at once (PIPE_BUF), a socket what fits with MSG_DONTWAIT. A part that
// was moved counts when something ends the transfer midway, as natively.
#include "kernel/syscalls/transfers.h"

#include <asm/unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/signal.h"
#include "kernel/syscalls/among_others.h"
#include "kernel/syscalls/time_values.h"

namespace orrery::kernel {
namespace {

constexpr u64 kPieceBytes = 4096;
constexpr u64 kFilePieceBytes = 65536;
constexpr u64 kVectorsMost = 1024;     // UIO_MAXIOV
constexpr u64 kMessageItemBytes = 64;  // struct mmsghdr
constexpr u64 kOffsetBytes = 8;

struct Vector {
  u64 address, size_bytes;
};

/// struct user_msghdr.
struct MessageHeader {
  u64 name, name_bytes, vectors, vector_count, control, control_bytes, flags;
};

/// The guest memory that a call sends from or receives into, less what has been moved.
class Ranges {
 public:
  explicit Ranges(Call& call) {
    MessageHeader header{};
    switch (call.row.number) {
      case __NR_writev:
        read_vectors(call, call.args[1], call.args[2]);
        return;
      case __NR_sendmsg:
      case __NR_recvmsg:
        if (call.space().read_value(call.args[1], header))
          read_vectors(call, header.vectors, header.vector_count);
        return;
      default:
        vectors_.push_back({call.args[1], call.args[2]});
    }
  }

  u64 size_bytes() const {
    u64 all = 0;
    for (const Vector& vector : vectors_) all += vector.size_bytes;
    return all;
  }
  /// Null when nothing is left.
  const Vector* first() const { return vectors_.empty() ? nullptr : &vectors_.front(); }
  void skip(u64 bytes) {
    while (!vectors_.empty() && bytes >= vectors_.front().size_bytes) {
      bytes -= vectors_.front().size_bytes;
      vectors_.erase(vectors_.begin());
    }
    if (vectors_.empty()) return;
    vectors_.front().address += bytes;
    vectors_.front().size_bytes -= bytes;
  }

 private:
  void read_vectors(Call& call, u64 address, u64 count) {
    if (count > kVectorsMost) return;
    vectors_.resize(count);
    if (!call.space().read(address, {reinterpret_cast<u8*>(vectors_.data()), count * sizeof(Vector)}))
      vectors_.clear();
  }

  std::vector<Vector> vectors_;
};

u64 message_flags(const Call& call) {
  switch (call.row.number) {
    case __NR_sendto:
    case __NR_recvfrom:
      return call.args[3];
    case __NR_sendmsg:
    case __NR_recvmsg:
      return call.args[2];
    default:
      return 0;
  }
}

/// What the transfer's end is good for.
enum class Ending : u8 { file, pipe, socket };

Ending ending_of(Call& call) {
  const i64 mode = descriptor_mode(call, call.fd(0));
  if (mode >= 0 && S_ISSOCK(static_cast<u32>(mode))) return Ending::socket;
  const bool may_sleep = mode >= 0 && (S_ISFIFO(static_cast<u32>(mode)) || S_ISCHR(static_cast<u32>(mode)));
  return may_sleep ? Ending::pipe : Ending::file;
}

bool is_stream(Call& call) {
  i32 type = 0;
  u32 bytes = sizeof type;
  host::HostCall get;
  get.number = __NR_getsockopt;
  get.args = {call.args[0], SOL_SOCKET, SO_TYPE, reinterpret_cast<u64>(&type), reinterpret_cast<u64>(&bytes)};
  get.checked_args = 0b00111;
  get.out.add({.address = reinterpret_cast<u64>(&type), .capacity_bytes = sizeof type});
  get.out.add({.address = reinterpret_cast<u64>(&bytes), .capacity_bytes = sizeof bytes});
  return call.host().call(get) == 0 && type == SOCK_STREAM;
}

/// One part of what is left, by a simpler call.
i64 move_part(Call& call, const Vector& left, Ending ending, bool sends) {
  const bool socket = ending == Ending::socket;
  CallBuilder builder(call, !sends ? __NR_recvfrom : socket ? __NR_sendto : __NR_write);
  const u64 bytes = socket ? left.size_bytes : std::min(left.size_bytes, kPieceBytes);
  builder.fd(0, call.args[0]);
  if (sends)
    builder.in(1, left.address, bytes);
  else
    builder.out(1, left.address, bytes, host::Extent::result_bytes);
  builder.value(2, bytes);
  builder.value(3, socket ? message_flags(call) : 0);
  return builder.perform();
}

/// Goes on until nothing is left, or the other side ends it, or a signal.
i64 move_rest(Call& call, Ranges& ranges, i64 done, Ending ending, bool sends) {
  while (const Vector* const left = ranges.first()) {
    if (left->size_bytes == 0) {
      ranges.skip(0);
      continue;
    }
    if (done != 0 && deliverable_signals(call.task) != 0) break;
    const i64 moved = move_part(call, *left, ending, sends);
    if (moved <= 0) return done != 0 ? done : moved;
    done += moved;
    ranges.skip(static_cast<u64>(moved));
  }
  return done;
}

/// As one call, and what that has left over.
i64 move_all(Call& call, bool sends) {
  Ranges ranges(call);
  const u64 size_bytes = ranges.size_bytes();
  const i64 first = forward_once(call);
  if (first <= 0 || static_cast<u64>(first) >= size_bytes) return first;
  const Ending ending = ending_of(call);
  if (ending == Ending::file || is_nonblocking(call, call.fd(0))) return first;
  if (ending == Ending::socket && !is_stream(call)) return first;
  ranges.skip(static_cast<u64>(first));
  return move_rest(call, ranges, first, ending, sends);
}

/// write and writev.
i64 write_all(Call& call) {
  Ranges ranges(call);
  if (ranges.size_bytes() <= kPieceBytes) return move_all(call, true);
  const Ending ending = ending_of(call);
  const bool in_parts = ending == Ending::pipe || (ending == Ending::socket && is_stream(call));
  if (!in_parts || is_nonblocking(call, call.fd(0))) return forward_once(call);
  return move_rest(call, ranges, 0, ending, true);
}

i64 send_all(Call& call) {
  return (message_flags(call) & MSG_DONTWAIT) != 0 ? forward_once(call) : move_all(call, true);
}

i64 receive_all(Call& call) {
  constexpr u64 kDecides = MSG_WAITALL | MSG_DONTWAIT | MSG_PEEK;
  return (message_flags(call) & kDecides) == MSG_WAITALL ? move_all(call, false) : forward_once(call);
}

/// Of sendmmsg and recvmmsg, those behind the first `done`.
i64 move_messages(Call& call, u64 done, u64 count, bool sends) {
  CallBuilder builder(call, call.row.number);
  builder.fd(0, call.args[0]);
  builder.messages(1, call.args[1] + done * kMessageItemBytes, count - done, !sends);
  builder.value(2, count - done);
  builder.value(3, call.args[3]);
  return builder.perform();
}

i64 send_messages(Call& call) {
  const u64 count = std::min<u64>(static_cast<u32>(call.args[2]), kVectorsMost);
  i64 done = 0;
  do {
    const i64 moved = move_messages(call, static_cast<u64>(done), count, true);
    if (moved <= 0) return done != 0 ? done : moved;
    done += moved;
  } while (static_cast<u64>(done) < count && (call.args[3] & MSG_DONTWAIT) == 0);
  return done;
}

/// The time-out is looked at only behind a message (recvmmsg(2), "BUGS").
i64 receive_messages(Call& call) {
  constexpr u64 kFirstOnly = MSG_DONTWAIT | MSG_WAITFORONE;
  const u64 count = std::min<u64>(static_cast<u32>(call.args[2]), kVectorsMost);
  TimeValue timeout;
  const bool timed = call.args[4] != 0;
  if (timed && !call.space().read_value(call.args[4], timeout)) return -EFAULT;
  if (timed && !timeout.valid()) return -EINVAL;
  const TimeValue deadline = timed ? host_clock(call, kClockMonotonic).plus(timeout) : TimeValue{};
  TimeValue left;
  i64 done = 0;
  do {
    const i64 moved = move_messages(call, static_cast<u64>(done), count, false);
    if (moved <= 0) return done != 0 ? done : moved;
    done += moved;
    if (timed) left = deadline.since(host_clock(call, kClockMonotonic));
  } while (static_cast<u64>(done) < count && (call.args[3] & kFirstOnly) == 0 && !(timed && left.is_zero()));
  if (timed && !call.space().write_value(call.args[4], left)) return -EFAULT;
  return done;
}

/// To a socket all that is asked for; to anything else as much as one call moves.
i64 send_file(Call& call) {
  if (ending_of(call) != Ending::socket) return forward_once(call);
  i64 done = 0;
  while (static_cast<u64>(done) < call.args[3]) {
    CallBuilder builder(call, __NR_sendfile);
    builder.fd(0, call.args[0]);
    builder.fd(1, call.args[1]);
    builder.in_out(2, call.args[2], kOffsetBytes);
    builder.value(3, std::min(kFilePieceBytes, call.args[3] - static_cast<u64>(done)));
    const i64 moved = builder.perform();
    if (moved <= 0) return done != 0 ? done : moved;
    done += moved;
  }
  return done;
}

}  // namespace

bool is_transfer(const Call& call) {
  switch (call.row.number) {
    case __NR_write:
    case __NR_writev:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_sendmmsg:
    case __NR_recvmmsg:
    case __NR_sendfile:
      return true;
    default:
      return false;
  }
}

i64 transfer_among_others(Call& call) {
  if (call.process.fds->is_engine(call.fd(0))) return forward_once(call);
  switch (call.row.number) {
    case __NR_write:
    case __NR_writev:
      return write_all(call);
    case __NR_sendto:
    case __NR_sendmsg:
      return send_all(call);
    case __NR_recvfrom:
    case __NR_recvmsg:
      return receive_all(call);
    case __NR_sendmmsg:
      return send_messages(call);
    case __NR_recvmmsg:
      return receive_messages(call);
    default:
      return send_file(call);
  }
}

}  // namespace orrery::kernel
