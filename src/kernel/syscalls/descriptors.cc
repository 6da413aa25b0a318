// The descriptor table: close, dup, fcntl and what makes pairs. Numbers are the host's; the engine's own do
// not exist for the guest, and the guest's limit may be lower than the host's.
#include <asm/unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr std::size_t kNoFile = 7;  // RLIMIT_NOFILE
constexpr u32 kCloseRangeUnshare = 2, kCloseRangeCloexec = 4;

// fcntl commands that glibc's header hides or does not know.
constexpr int kGetOwnerEx = 16, kSetOwnerEx = 15;
constexpr int kOfdGetLock = 36, kOfdSetLock = 37, kOfdSetLockWait = 38;
constexpr int kGetHint = 1035, kSetHint = 1036, kGetFileHint = 1037, kSetFileHint = 1038;
constexpr int kDupQuery = 1027;
constexpr u64 kFlockBytes = 32, kOwnerBytes = 8, kHintBytes = 8;

u64 descriptor_limit(const Call& call) { return call.process.limits[kNoFile].soft; }

/// Of dup2: below the limit, and none of the engine's.
bool may_be_target(const Call& call) {
  return static_cast<u32>(call.args[1]) < descriptor_limit(call) && !call.process.fds->is_engine(call.fd(1));
}

/// pipe(2) and socketpair(2) have written two numbers at `address`.
i64 admit_pair(Call& call, u64 address) {
  i32 pair[2];
  if (!call.space().read_value(address, pair)) return 0;
  const i64 first = admit_descriptor(call, pair[0]);
  const i64 second = admit_descriptor(call, pair[1]);
  if (first >= 0 && second >= 0) {
    const i32 admitted[2] = {static_cast<i32>(first), static_cast<i32>(second)};
    const bool moved = admitted[0] != pair[0] || admitted[1] != pair[1];
    return !moved || call.space().write_value(address, admitted) ? 0 : -EFAULT;
  }
  for (const i64 admitted : {first, second}) {
    if (admitted < 0) continue;
    host::HostCall close;
    close.number = __NR_close;
    close.args[0] = static_cast<u64>(admitted);
    call.host().call(close);
  }
  return -EMFILE;
}

/// dup2 and dup3, once the target is known to be allowed.
i64 duplicate_onto(Call& call) {
  CallBuilder builder(call, call.row.number);
  builder.fd(0, call.args[0]);
  builder.fd(1, call.args[1]);
  builder.value(2, call.args[2]);
  const i64 result = builder.perform();
  if (result >= 0 && call.fd(0) != call.fd(1)) call.process.fds->duplicated(call.fd(0), call.fd(1));
  return result;
}

i64 duplicate_from(Call& call) {
  CallBuilder builder(call, __NR_fcntl);
  builder.fd(0, call.args[0]);
  builder.value(1, call.args[1]);
  // At or above the guest's limit the host is given a number above any limit: EBADF or EINVAL, as natively.
  const u64 first = static_cast<u32>(call.args[2]);
  builder.value(2, first < descriptor_limit(call) ? first : 0x7fff'ffff);
  i64 result = builder.perform();
  if (result < 0) return result;
  result = admit_descriptor(call, result);
  if (result >= 0) call.process.fds->duplicated(call.fd(0), static_cast<int>(result));
  return result;
}

/// close_range of a part without any of the engine's descriptors.
i64 close_part(Call& call, u32 first, u32 last, bool cloexec) {
  CallBuilder builder(call, __NR_close_range);
  builder.value(0, first);
  builder.value(1, last);
  builder.value(2, cloexec ? kCloseRangeCloexec : 0);
  const i64 result = builder.perform();
  if (result == 0 && !cloexec) call.process.fds->closed_range(first, last);
  return result;
}

enum class Third : u8 { value, lock_in, lock_in_out, owner_in, owner_out, hint_in, hint_out, unknown };

Third third_argument(int command) {
  switch (command) {
    case F_GETLK:
    case kOfdGetLock:
      return Third::lock_in_out;
    case F_SETLK:
    case F_SETLKW:
    case kOfdSetLock:
    case kOfdSetLockWait:
      return Third::lock_in;
    case kSetOwnerEx:
      return Third::owner_in;
    case kGetOwnerEx:
      return Third::owner_out;
    case kGetHint:
    case kGetFileHint:
      return Third::hint_out;
    case kSetHint:
    case kSetFileHint:
      return Third::hint_in;
    default:
      break;
  }
  const bool known = (command >= F_GETFD && command <= F_SETFL) || (command >= 8 && command <= 11) ||
                     (command >= 1024 && command <= 1026) || command == kDupQuery ||
                     (command >= 1031 && command <= 1034);
  return known ? Third::value : Third::unknown;
}

}  // namespace

i64 sys_close(Call& call) {
  const i64 result = forward(call);
  if (result != -EBADF) call.process.fds->closed(call.fd(0));
  return result;
}

i64 sys_close_range(Call& call) {
  const u32 first = static_cast<u32>(call.args[0]);
  const u32 last = static_cast<u32>(call.args[1]);
  const u32 flags = static_cast<u32>(call.args[2]);
  if ((flags & ~(kCloseRangeUnshare | kCloseRangeCloexec)) != 0 || first > last) return -EINVAL;
  const FdTable& table = *call.process.fds;
  const bool cloexec = (flags & kCloseRangeCloexec) != 0;  // one task: its table is shared with nobody
  i64 result = 0;
  if (first < table.engine_fd_first())
    result = close_part(call, first, std::min(last, table.engine_fd_first() - 1), cloexec);
  if (result == 0 && last >= table.engine_fd_end())
    result = close_part(call, std::max(first, table.engine_fd_end()), last, cloexec);
  return result;
}

i64 sys_dup(Call& call) {
  const i64 result = forward(call);
  if (result >= 0) call.process.fds->duplicated(call.fd(0), static_cast<int>(result));
  return result;
}

i64 sys_dup2(Call& call) {
  if (!may_be_target(call) && call.fd(0) != call.fd(1)) return -EBADF;
  return duplicate_onto(call);
}

i64 sys_dup3(Call& call) {
  if ((call.args[2] & 0xffff'ffff & ~u64{O_CLOEXEC}) != 0 || call.fd(0) == call.fd(1)) return -EINVAL;
  if (!may_be_target(call)) return -EBADF;
  return duplicate_onto(call);
}

i64 sys_fcntl(Call& call) {
  const int command = static_cast<int>(call.args[1]);
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) return duplicate_from(call);
  CallBuilder builder(call, __NR_fcntl);
  builder.fd(0, call.args[0]);
  builder.value(1, call.args[1]);
  const u64 third = call.args[2];
  const auto whole = host::Extent::whole_on_success;
  switch (third_argument(command)) {
    case Third::value:
      builder.value(2, third);
      break;
    case Third::lock_in:
      builder.in(2, third, kFlockBytes);
      break;
    case Third::lock_in_out:
      builder.in_out(2, third, kFlockBytes);
      break;
    case Third::owner_in:
      builder.in(2, third, kOwnerBytes);
      break;
    case Third::owner_out:
      builder.out(2, third, kOwnerBytes, whole);
      break;
    case Third::hint_in:
      builder.in(2, third, kHintBytes);
      break;
    case Third::hint_out:
      builder.out(2, third, kHintBytes, whole);
      break;
    case Third::unknown:
      return -EINVAL;
  }
  return builder.perform();
}

i64 sys_pipe(Call& call) {
  const i64 result = forward(call);
  return result == 0 ? admit_pair(call, call.args[0]) : result;
}

i64 sys_pipe2(Call& call) { return sys_pipe(call); }

i64 sys_socketpair(Call& call) {
  const i64 result = forward(call);
  return result == 0 ? admit_pair(call, call.args[3]) : result;
}

}  // namespace orrery::kernel
