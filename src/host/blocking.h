// Which system calls can sleep for long, or answer EINTR: only those give up for a waiting signal. A call
// that the kernel always carries through (close, getpid, fstat) must not answer EINTR to the guest.
#pragma once

#include <asm/unistd.h>

#include <array>

#include "base/types.h"

namespace orrery::host {

/// signal(7), "Interruption of system calls and library functions by signal handlers".
inline constexpr u16 kBlockingCalls[] = {
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_pwrite64,
    __NR_preadv,
    __NR_pwritev,
    __NR_preadv2,
    __NR_pwritev2,
    __NR_open,
    __NR_openat,
    __NR_openat2,
    __NR_creat,
    __NR_ioctl,
    __NR_poll,
    __NR_ppoll,
    __NR_select,
    __NR_pselect6,
    __NR_epoll_wait,
    __NR_epoll_pwait,
    __NR_epoll_pwait2,
    __NR_pause,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_accept,
    __NR_accept4,
    __NR_connect,
    __NR_sendto,
    __NR_sendmsg,
    __NR_sendmmsg,
    __NR_recvfrom,
    __NR_recvmsg,
    __NR_recvmmsg,
    __NR_wait4,
    __NR_waitid,
    __NR_flock,
    __NR_fcntl,
    __NR_futex,
    __NR_msgsnd,
    __NR_msgrcv,
    __NR_semop,
    __NR_semtimedop,
    __NR_mq_timedsend,
    __NR_mq_timedreceive,
    __NR_sendfile,
    __NR_splice,
    __NR_tee,
    __NR_vmsplice,
    __NR_copy_file_range,
    __NR_rt_sigsuspend,
    __NR_getrandom,
    __NR_rt_sigtimedwait,
    __NR_io_getevents,
    __NR_fallocate,
};

inline constexpr int kSystemCallsMost = 512;

consteval std::array<u64, kSystemCallsMost / 64> blocking_bits() {
  std::array<u64, kSystemCallsMost / 64> bits{};
  for (const u16 number : kBlockingCalls) bits[number / 64] |= u64{1} << (number % 64);
  return bits;
}

inline constexpr std::array<u64, kSystemCallsMost / 64> kBlockingBits = blocking_bits();

constexpr bool can_block(u32 number) {
  return number < kSystemCallsMost && (kBlockingBits[number / 64] >> (number % 64) & 1) != 0;
}

}  // namespace orrery::host
