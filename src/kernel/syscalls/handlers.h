// The list of all handlers of the guest kernel, by file. One function a system call whose row says that the
// kernel answers it; dispatch.cc binds them to their numbers.
#pragma once

#include "kernel/syscalls/call.h"

namespace orrery::kernel {

// read_write.cc
i64 sys_read(Call& call);
i64 sys_write(Call& call);
i64 sys_readv(Call& call);
i64 sys_writev(Call& call);
i64 sys_pread64(Call& call);
i64 sys_pwrite64(Call& call);
i64 sys_preadv(Call& call);
i64 sys_pwritev(Call& call);
i64 sys_preadv2(Call& call);
i64 sys_pwritev2(Call& call);
i64 sys_lseek(Call& call);

// splicing.cc
i64 sys_sendfile(Call& call);
i64 sys_splice(Call& call);
i64 sys_tee(Call& call);
i64 sys_copy_file_range(Call& call);
i64 sys_vmsplice(Call& call);

// stat.cc
i64 sys_stat(Call& call);
i64 sys_lstat(Call& call);
i64 sys_fstat(Call& call);
i64 sys_newfstatat(Call& call);
i64 sys_statx(Call& call);

// process_memory.cc
i64 sys_process_vm_readv(Call& call);
i64 sys_process_vm_writev(Call& call);
i64 sys_move_pages(Call& call);
i64 sys_process_madvise(Call& call);
i64 sys_pidfd_getfd(Call& call);

// mounts.cc
i64 sys_statmount(Call& call);
i64 sys_listmount(Call& call);

// seccomp.cc
i64 sys_seccomp(Call& call);
i64 set_seccomp_by_prctl(Call& call);

// outside_memory.cc
i64 sys_recvmsg(Call& call);
i64 sys_sendmsg(Call& call);
i64 sys_sendmmsg(Call& call);
i64 sys_recvmmsg(Call& call);
i64 sys_memfd_create(Call& call);

// shared_memory.cc
i64 sys_shmget(Call& call);
i64 sys_shmat(Call& call);
i64 sys_shmdt(Call& call);
i64 sys_shmctl(Call& call);

// memory.cc
/// Says once for each call that the guest wanted memory where the engine lies; gives `result` back.
i64 report_refusal(Call& call, i64 result);
i64 sys_mmap(Call& call);
i64 sys_mprotect(Call& call);
i64 sys_munmap(Call& call);
i64 sys_brk(Call& call);
i64 sys_mremap(Call& call);
i64 sys_msync(Call& call);
i64 sys_mincore(Call& call);
i64 sys_madvise(Call& call);
i64 sys_mlock(Call& call);
i64 sys_munlock(Call& call);
i64 sys_mlockall(Call& call);
i64 sys_munlockall(Call& call);
i64 sys_mlock2(Call& call);
i64 sys_pkey_mprotect(Call& call);
i64 sys_mseal(Call& call);

// signals.cc
i64 sys_rt_sigaction(Call& call);
i64 sys_rt_sigprocmask(Call& call);
i64 sys_rt_sigreturn(Call& call);
i64 sys_rt_sigpending(Call& call);
i64 sys_rt_sigtimedwait(Call& call);
i64 sys_rt_sigqueueinfo(Call& call);
i64 sys_rt_tgsigqueueinfo(Call& call);
i64 sys_rt_sigsuspend(Call& call);
i64 sys_sigaltstack(Call& call);
i64 sys_pause(Call& call);
i64 sys_kill(Call& call);
i64 sys_tkill(Call& call);
i64 sys_tgkill(Call& call);
i64 sys_signalfd(Call& call);
i64 sys_signalfd4(Call& call);
i64 sys_pidfd_send_signal(Call& call);

// timers.cc
i64 sys_getitimer(Call& call);
i64 sys_setitimer(Call& call);
i64 sys_alarm(Call& call);
i64 sys_timer_create(Call& call);
i64 sys_timer_settime(Call& call);
i64 sys_timer_gettime(Call& call);
i64 sys_timer_getoverrun(Call& call);
i64 sys_timer_delete(Call& call);

// exec.cc, process.cc, wait.cc and ptrace.cc
i64 sys_execve(Call& call);
i64 sys_execveat(Call& call);
i64 sys_exit(Call& call);
i64 sys_exit_group(Call& call);
i64 sys_wait4(Call& call);
i64 sys_waitid(Call& call);
i64 sys_ptrace(Call& call);

// clone.cc: more tasks
i64 sys_clone(Call& call);
i64 sys_clone3(Call& call);
i64 sys_fork(Call& call);
i64 sys_vfork(Call& call);
i64 sys_unshare(Call& call);

// task.cc: the calling task
i64 sys_gettid(Call& call);
i64 sys_set_tid_address(Call& call);
i64 sys_set_robust_list(Call& call);
i64 sys_get_robust_list(Call& call);
i64 sys_rseq(Call& call);
i64 sys_sched_yield(Call& call);
i64 sys_sched_setaffinity(Call& call);
i64 sys_sched_getaffinity(Call& call);
i64 sys_sched_set(Call& call);
i64 sys_sched_get(Call& call);
i64 sys_getpriority(Call& call);
i64 sys_getcpu(Call& call);
i64 sys_membarrier(Call& call);

// futex.cc
i64 sys_futex(Call& call);
i64 sys_futex_waitv(Call& call);
i64 sys_futex_wake(Call& call);
i64 sys_futex_wait(Call& call);
i64 sys_futex_requeue(Call& call);

// sleep.cc
i64 sys_nanosleep(Call& call);
i64 sys_clock_nanosleep(Call& call);
i64 sys_restart_syscall(Call& call);

// wait_fds.cc
i64 sys_poll(Call& call);
i64 sys_ppoll(Call& call);
i64 sys_select(Call& call);
i64 sys_pselect6(Call& call);
i64 sys_epoll_wait(Call& call);
i64 sys_epoll_pwait(Call& call);
i64 sys_epoll_pwait2(Call& call);

// open.cc
i64 sys_open(Call& call);
i64 sys_openat(Call& call);
i64 sys_openat2(Call& call);
i64 sys_creat(Call& call);
i64 sys_readlink(Call& call);
i64 sys_readlinkat(Call& call);
i64 sys_chdir(Call& call);
i64 sys_getdents(Call& call);
i64 sys_getdents64(Call& call);
i64 sys_fchdir(Call& call);
i64 sys_umask(Call& call);
i64 sys_name_to_handle_at(Call& call);
i64 sys_open_by_handle_at(Call& call);

// descriptors.cc
i64 sys_close(Call& call);
i64 sys_close_range(Call& call);
i64 sys_dup(Call& call);
i64 sys_dup2(Call& call);
i64 sys_dup3(Call& call);
i64 sys_fcntl(Call& call);
i64 sys_pipe(Call& call);
i64 sys_pipe2(Call& call);
i64 sys_socketpair(Call& call);

// ioctl.cc
i64 sys_ioctl(Call& call);

// identity.cc
i64 sys_personality(Call& call);
i64 sys_getpid(Call& call);
i64 sys_getppid(Call& call);
i64 sys_setuid(Call& call);
i64 sys_setgid(Call& call);
i64 sys_setreuid(Call& call);
i64 sys_setregid(Call& call);
i64 sys_setresuid(Call& call);
i64 sys_setresgid(Call& call);
i64 sys_setpgid(Call& call);
i64 sys_setsid(Call& call);

// limits.cc
i64 sys_getrlimit(Call& call);
i64 sys_setrlimit(Call& call);
i64 sys_prlimit64(Call& call);

// prctl.cc
i64 sys_prctl(Call& call);
i64 sys_arch_prctl(Call& call);

// queues.cc
i64 sys_msgsnd(Call& call);
i64 sys_msgrcv(Call& call);
i64 sys_msgctl(Call& call);
i64 sys_keyctl(Call& call);
i64 sys_semctl(Call& call);

// numa.cc
i64 sys_mbind(Call& call);
i64 sys_set_mempolicy(Call& call);
i64 sys_get_mempolicy(Call& call);

}  // namespace orrery::kernel
