#include "lens/sched/wait_reason.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/futex.h>

#include <algorithm>
#include <iterator>

namespace orrery::lens::sched {
namespace {

/// What a call waits for; `descriptor`: that depends on what it is.
enum class Means : u8 { descriptor, readiness, timer, child, signal, disk, semaphore, futex, file_lock };

struct Row {
  u32 number;
  Means means;
  i8 descriptor = -1;  ///< which argument
};

constexpr Row kRows[] = {
    {__NR_read, Means::descriptor, 0},
    {__NR_readv, Means::descriptor, 0},
    {__NR_pread64, Means::descriptor, 0},
    {__NR_preadv, Means::descriptor, 0},
    {__NR_preadv2, Means::descriptor, 0},
    {__NR_write, Means::descriptor, 0},
    {__NR_writev, Means::descriptor, 0},
    {__NR_pwrite64, Means::descriptor, 0},
    {__NR_pwritev, Means::descriptor, 0},
    {__NR_pwritev2, Means::descriptor, 0},
    {__NR_recvfrom, Means::descriptor, 0},
    {__NR_recvmsg, Means::descriptor, 0},
    {__NR_recvmmsg, Means::descriptor, 0},
    {__NR_sendto, Means::descriptor, 0},
    {__NR_sendmsg, Means::descriptor, 0},
    {__NR_sendmmsg, Means::descriptor, 0},
    {__NR_accept, Means::descriptor, 0},
    {__NR_accept4, Means::descriptor, 0},
    {__NR_connect, Means::descriptor, 0},
    {__NR_sendfile, Means::descriptor, 0},
    {__NR_splice, Means::descriptor, 0},
    {__NR_copy_file_range, Means::descriptor, 0},
    {__NR_getdents64, Means::descriptor, 0},
    {__NR_fallocate, Means::disk, 0},
    {__NR_ftruncate, Means::disk, 0},
    {__NR_fsync, Means::disk, 0},
    {__NR_fdatasync, Means::disk, 0},
    {__NR_syncfs, Means::disk, 0},
    {__NR_sync_file_range, Means::disk, 0},
    {__NR_sync, Means::disk},
    {__NR_msync, Means::disk},
    {__NR_open, Means::disk},
    {__NR_openat, Means::disk},
    {__NR_openat2, Means::disk},
    {__NR_rename, Means::disk},
    {__NR_renameat2, Means::disk},
    {__NR_unlink, Means::disk},
    {__NR_unlinkat, Means::disk},
    {__NR_mkdir, Means::disk},
    {__NR_epoll_wait, Means::readiness, 0},
    {__NR_epoll_pwait, Means::readiness, 0},
    {__NR_epoll_pwait2, Means::readiness, 0},
    {__NR_poll, Means::readiness},
    {__NR_ppoll, Means::readiness},
    {__NR_select, Means::readiness},
    {__NR_pselect6, Means::readiness},
    {__NR_nanosleep, Means::timer},
    {__NR_clock_nanosleep, Means::timer},
    {__NR_wait4, Means::child},
    {__NR_waitid, Means::child},
    {__NR_vfork, Means::child},
    {__NR_pause, Means::signal},
    {__NR_rt_sigsuspend, Means::signal},
    {__NR_rt_sigtimedwait, Means::signal},
    {__NR_flock, Means::file_lock, 0},
    {__NR_semop, Means::semaphore},
    {__NR_semtimedop, Means::semaphore},
    {__NR_msgrcv, Means::semaphore},
    {__NR_msgsnd, Means::semaphore},
    {__NR_mq_timedreceive, Means::semaphore},
    {__NR_mq_timedsend, Means::semaphore},
    {__NR_futex, Means::futex},
    {__NR_futex_waitv, Means::futex},
};

const Row* row_of(u32 number) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& each) { return each.number == number; });
  return row == std::end(kRows) ? nullptr : row;
}

WaitKind kind_of_file(const io::OpenFile* file) {
  if (file == nullptr) return WaitKind::other;
  const std::string& kind = file->kind;
  if (kind == "file" || kind == "directory" || kind == "memfd") return WaitKind::disk;
  if (kind == "pipe") return WaitKind::pipe;
  const bool is_socket = kind.starts_with("tcp") || kind.starts_with("udp") || kind.starts_with("unix") ||
                         kind.starts_with("netlink") || !file->peer.empty();
  return is_socket ? WaitKind::socket : WaitKind::other;
}

/// A word of 2 is glibc's "locked, and somebody waits" (nptl/lowlevellock.h); who joins a thread waits for
/// its id to go (nptl/pthread_join_common.c).
WaitKind kind_of_futex(const WaitingCall& call, const std::set<i32>& tasks) {
  if (call.number != __NR_futex) return WaitKind::futex;
  const u64 operation = call.arguments[1] & FUTEX_CMD_MASK;
  if (operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2) return WaitKind::lock;
  constexpr u32 kLockedWithWaiters = 2;
  const auto value = static_cast<u32>(call.arguments[2]);
  if (value == kLockedWithWaiters) return WaitKind::lock;
  return tasks.contains(static_cast<i32>(value)) ? WaitKind::thread : WaitKind::futex;
}

}  // namespace

const char* name_of(WaitKind kind) {
  constexpr const char* kNames[kWaitKindCount] = {"lock",      "condition", "thread",    "child", "pipe",
                                                  "socket",    "disk",      "readiness", "timer", "signal",
                                                  "file lock", "semaphore", "call"};
  return kNames[static_cast<u32>(kind)];
}

WaitKind kind_of(const WaitingCall& call, const io::OpenFile* file, const std::set<i32>& tasks) {
  const Row* const row = row_of(call.number);
  const bool locks_file = call.number == __NR_fcntl && call.arguments[1] == F_SETLKW;
  if (row == nullptr) return locks_file ? WaitKind::file_lock : WaitKind::other;
  switch (row->means) {
    case Means::descriptor:
      return kind_of_file(file);
    case Means::readiness:
      return WaitKind::readiness;
    case Means::timer:
      return WaitKind::timer;
    case Means::child:
      return WaitKind::child;
    case Means::signal:
      return WaitKind::signal;
    case Means::disk:
      return WaitKind::disk;
    case Means::semaphore:
      return WaitKind::semaphore;
    case Means::file_lock:
      return WaitKind::file_lock;
    case Means::futex:
      return kind_of_futex(call, tasks);
  }
  return WaitKind::other;
}

int descriptor_of(const WaitingCall& call) {
  const Row* const row = row_of(call.number);
  return row == nullptr || row->descriptor < 0 ? -1 : static_cast<int>(call.arguments[row->descriptor]);
}

}  // namespace orrery::lens::sched
