// Dispatch: one look-up by number gives the row and the function. Everything else about a call stands in
// its row, so this file has no switch. What no row knows is ENOSYS and one loud line (design.md, invariant
// 8); what is refused is said once per call and process.
#include "kernel/dispatch.h"

#include <asm/unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "kernel/companion.h"
#include "kernel/forward.h"
#include "kernel/outer_view.h"
#include "kernel/scheduler.h"
#include "kernel/syscalls/handlers.h"
#include "linux/error_names.h"
#include "linux/syscall_table.h"

namespace orrery::kernel {
namespace {

struct Binding {
  u32 number;
  Handler handler;
};

constexpr Binding kHandlers[] = {
    {__NR_recvmsg, sys_recvmsg},
    {__NR_sendmsg, sys_sendmsg},
    {__NR_sendmmsg, sys_sendmmsg},
    {__NR_recvmmsg, sys_recvmmsg},
    {__NR_memfd_create, sys_memfd_create},
    {__NR_shmget, sys_shmget},
    {__NR_shmat, sys_shmat},
    {__NR_shmdt, sys_shmdt},
    {__NR_shmctl, sys_shmctl},
    {__NR_seccomp, sys_seccomp},
    {__NR_process_vm_readv, sys_process_vm_readv},
    {__NR_process_vm_writev, sys_process_vm_writev},
    {__NR_move_pages, sys_move_pages},
    {__NR_process_madvise, sys_process_madvise},
    {__NR_pidfd_getfd, sys_pidfd_getfd},
    // Not in Debian 12's headers.
    {454, sys_futex_wake},
    {455, sys_futex_wait},
    {456, sys_futex_requeue},
    {457, sys_statmount},
    {458, sys_listmount},
    {__NR_read, sys_read},
    {__NR_write, sys_write},
    {__NR_readv, sys_readv},
    {__NR_writev, sys_writev},
    {__NR_pread64, sys_pread64},
    {__NR_pwrite64, sys_pwrite64},
    {__NR_preadv, sys_preadv},
    {__NR_pwritev, sys_pwritev},
    {__NR_preadv2, sys_preadv2},
    {__NR_pwritev2, sys_pwritev2},
    {__NR_lseek, sys_lseek},
    {__NR_sendfile, sys_sendfile},
    {__NR_splice, sys_splice},
    {__NR_tee, sys_tee},
    {__NR_copy_file_range, sys_copy_file_range},
    {__NR_vmsplice, sys_vmsplice},
    {__NR_stat, sys_stat},
    {__NR_lstat, sys_lstat},
    {__NR_fstat, sys_fstat},
    {__NR_newfstatat, sys_newfstatat},
    {__NR_statx, sys_statx},
    {__NR_personality, sys_personality},
    {__NR_mmap, sys_mmap},
    {__NR_mprotect, sys_mprotect},
    {__NR_munmap, sys_munmap},
    {__NR_brk, sys_brk},
    {__NR_mremap, sys_mremap},
    {__NR_msync, sys_msync},
    {__NR_mincore, sys_mincore},
    {__NR_madvise, sys_madvise},
    {__NR_mlock, sys_mlock},
    {__NR_munlock, sys_munlock},
    {__NR_mlockall, sys_mlockall},
    {__NR_munlockall, sys_munlockall},
    {__NR_mlock2, sys_mlock2},
    {__NR_pkey_mprotect, sys_pkey_mprotect},
    {462 /* mseal; not in Debian 12's headers */, sys_mseal},
    {__NR_rt_sigaction, sys_rt_sigaction},
    {__NR_rt_sigprocmask, sys_rt_sigprocmask},
    {__NR_rt_sigreturn, sys_rt_sigreturn},
    {__NR_rt_sigpending, sys_rt_sigpending},
    {__NR_rt_sigtimedwait, sys_rt_sigtimedwait},
    {__NR_rt_sigqueueinfo, sys_rt_sigqueueinfo},
    {__NR_rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo},
    {__NR_rt_sigsuspend, sys_rt_sigsuspend},
    {__NR_sigaltstack, sys_sigaltstack},
    {__NR_pause, sys_pause},
    {__NR_kill, sys_kill},
    {__NR_tkill, sys_tkill},
    {__NR_tgkill, sys_tgkill},
    {__NR_signalfd, sys_signalfd},
    {__NR_signalfd4, sys_signalfd4},
    {__NR_pidfd_send_signal, sys_pidfd_send_signal},
    {__NR_getitimer, sys_getitimer},
    {__NR_setitimer, sys_setitimer},
    {__NR_alarm, sys_alarm},
    {__NR_timer_create, sys_timer_create},
    {__NR_timer_settime, sys_timer_settime},
    {__NR_timer_gettime, sys_timer_gettime},
    {__NR_timer_getoverrun, sys_timer_getoverrun},
    {__NR_timer_delete, sys_timer_delete},
    {__NR_execve, sys_execve},
    {__NR_execveat, sys_execveat},
    {__NR_exit, sys_exit},
    {__NR_exit_group, sys_exit_group},
    {__NR_wait4, sys_wait4},
    {__NR_waitid, sys_waitid},
    {__NR_ptrace, sys_ptrace},
    {__NR_clone, sys_clone},
    {__NR_clone3, sys_clone3},
    {__NR_fork, sys_fork},
    {__NR_vfork, sys_vfork},
    {__NR_unshare, sys_unshare},
    {__NR_gettid, sys_gettid},
    {__NR_set_tid_address, sys_set_tid_address},
    {__NR_set_robust_list, sys_set_robust_list},
    {__NR_get_robust_list, sys_get_robust_list},
    {__NR_rseq, sys_rseq},
    {__NR_sched_yield, sys_sched_yield},
    {__NR_sched_setaffinity, sys_sched_setaffinity},
    {__NR_sched_getaffinity, sys_sched_getaffinity},
    {__NR_setpriority, sys_sched_set},
    {__NR_sched_setparam, sys_sched_set},
    {__NR_sched_setscheduler, sys_sched_set},
    {__NR_sched_setattr, sys_sched_set},
    {__NR_sched_getparam, sys_sched_get},
    {__NR_sched_getscheduler, sys_sched_get},
    {__NR_sched_rr_get_interval, sys_sched_get},
    {__NR_sched_getattr, sys_sched_get},
    {__NR_getpriority, sys_getpriority},
    {__NR_getcpu, sys_getcpu},
    {__NR_membarrier, sys_membarrier},
    {__NR_futex, sys_futex},
    {__NR_futex_waitv, sys_futex_waitv},
    {__NR_nanosleep, sys_nanosleep},
    {__NR_clock_nanosleep, sys_clock_nanosleep},
    {__NR_restart_syscall, sys_restart_syscall},
    {__NR_poll, sys_poll},
    {__NR_ppoll, sys_ppoll},
    {__NR_select, sys_select},
    {__NR_pselect6, sys_pselect6},
    {__NR_epoll_wait, sys_epoll_wait},
    {__NR_epoll_pwait, sys_epoll_pwait},
    {__NR_epoll_pwait2, sys_epoll_pwait2},
    {__NR_open, sys_open},
    {__NR_openat, sys_openat},
    {__NR_openat2, sys_openat2},
    {__NR_creat, sys_creat},
    {__NR_readlink, sys_readlink},
    {__NR_readlinkat, sys_readlinkat},
    {__NR_chdir, sys_chdir},
    {__NR_getdents, sys_getdents},
    {__NR_getdents64, sys_getdents64},
    {__NR_fchdir, sys_fchdir},
    {__NR_umask, sys_umask},
    {__NR_name_to_handle_at, sys_name_to_handle_at},
    {__NR_open_by_handle_at, sys_open_by_handle_at},
    {__NR_close, sys_close},
    {__NR_close_range, sys_close_range},
    {__NR_dup, sys_dup},
    {__NR_dup2, sys_dup2},
    {__NR_dup3, sys_dup3},
    {__NR_fcntl, sys_fcntl},
    {__NR_pipe, sys_pipe},
    {__NR_pipe2, sys_pipe2},
    {__NR_socketpair, sys_socketpair},
    {__NR_ioctl, sys_ioctl},
    {__NR_getpid, sys_getpid},
    {__NR_getppid, sys_getppid},
    {__NR_setuid, sys_setuid},
    {__NR_setgid, sys_setgid},
    {__NR_setreuid, sys_setreuid},
    {__NR_setregid, sys_setregid},
    {__NR_setresuid, sys_setresuid},
    {__NR_setresgid, sys_setresgid},
    {__NR_setpgid, sys_setpgid},
    {__NR_setsid, sys_setsid},
    {__NR_getrlimit, sys_getrlimit},
    {__NR_setrlimit, sys_setrlimit},
    {__NR_prlimit64, sys_prlimit64},
    {__NR_prctl, sys_prctl},
    {__NR_arch_prctl, sys_arch_prctl},
    {__NR_msgsnd, sys_msgsnd},
    {__NR_msgrcv, sys_msgrcv},
    {__NR_msgctl, sys_msgctl},
    {__NR_keyctl, sys_keyctl},
    {__NR_semctl, sys_semctl},
    {__NR_mbind, sys_mbind},
    {__NR_set_mempolicy, sys_set_mempolicy},
    {__NR_get_mempolicy, sys_get_mempolicy},
};

consteval std::array<Handler, abi::kSyscallCount> handlers_by_number() {
  std::array<Handler, abi::kSyscallCount> handlers{};
  for (const Binding& binding : kHandlers) handlers[binding.number] = binding.handler;
  return handlers;
}

constexpr std::array<Handler, abi::kSyscallCount> kHandlerOf = handlers_by_number();

}  // namespace

bool first_report(Process& process, u64 number) {
  u64& word = process.reported_calls[number % 512 / 64];
  const u64 bit = u64{1} << (number % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  return true;
}

namespace {

i64 unknown(Process& process, u64 number) {
  if (first_report(process, number)) {
    Text text;
    text.add("system call ").decimal(number).add(" is unknown: the program gets ENOSYS");
    process.say(text.view());
  }
  return -ENOSYS;
}

i64 refuse(Process& process, const abi::SyscallRow& row) {
  if (first_report(process, row.number)) {
    Text text;
    text.add(row.name).add(" is refused (").add(row.note).add("): the program gets ");
    text.add(abi::find_error(row.refusal)->name);
    process.say(text.view());
  }
  return -row.refusal;
}

/// What a companion may not do (kernel/companion.h).
i64 refuse_companion(Process& process, const abi::SyscallRow& row) {
  if (first_report(process, row.number))
    process.say(Text()
                    .add(row.name)
                    .add(" in a process that shares its parent's memory: the program gets EPERM")
                    .view());
  return -EPERM;
}

/// A process that calls these calls them again soon: others are not shown each step.
bool changes_map(u64 number) {
  return number == __NR_mmap || number == __NR_munmap || number == __NR_mprotect || number == __NR_brk ||
         number == __NR_mremap;
}

}  // namespace

bool has_handler(u64 number) { return number < kHandlerOf.size() && kHandlerOf[number] != nullptr; }

i64 perform_system_call(Process& process, Task& task, u64 number, const std::array<u64, 6>& args) {
  const abi::SyscallRow* row = abi::find_syscall(number);
  if (row == nullptr) return unknown(process, number);
  if (row->answer == abi::Answer::refuse) return refuse(process, *row);
  if (process.lender != nullptr && needs_host_process(number)) return refuse_companion(process, *row);
  show_changes(process, !changes_map(number));
  if (process.host.changes_others_file(number, args))
    process.scheduler.meet_others([&] { return process.host.meets_by_change(number, args, false); });
  Call call{process, task, *row, args};
  const Handler handler = kHandlerOf[row->number];
  const i64 result = handler != nullptr ? handler(call) : forward(call);
  if (result >= 0 && process.host.changed_others_file(number, args)) [[unlikely]] {
    process.scheduler.meet_others([&] { return process.host.meets_by_change(number, args, true); });
    process.host.tell_late_change(number, args, result);
  }
  if (changes_map(number)) show_changes(process, false);
  return result;
}

void system_call(Process& process, Task& task) {
  using cpu::Gpr;
  cpu::Registers& regs = task.cpu.regs;
  const u64 number = regs[Gpr::rax];
  task.call = {static_cast<i64>(number), false};
  if (!pass_seccomp(task)) return;
  const i64 result = perform_system_call(
      process, task, number,
      {regs[Gpr::rdi], regs[Gpr::rsi], regs[Gpr::rdx], regs[Gpr::r10], regs[Gpr::r8], regs[Gpr::r9]});
  if (!task.call.replaced) regs[Gpr::rax] = static_cast<u64>(result);
}

}  // namespace orrery::kernel
