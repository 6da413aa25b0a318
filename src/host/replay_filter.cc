// Guest code cannot make a system call at all: the translator turns each into an exit. The filter is for the
// day when it does not, so it must not depend on the engine: what it allows is judged by number and by
// the arguments that a filter can see. Paths it cannot see; openat is allowed only with flags that cannot
// write, below the recording's own directory unless the path is absolute, and what is read can only be
// written to the streams that `orrery replay` was given.
#include "host/replay_filter.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr u16 kLoadWord = BPF_LD | BPF_W | BPF_ABS;
constexpr u16 kJumpEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr u16 kReturn = BPF_RET | BPF_K;

constexpr u16 kFreeCalls[] = {
    __NR_mmap,         __NR_munmap,         __NR_mprotect,        __NR_mremap,      __NR_madvise,
    __NR_futex,        __NR_pread64,        __NR_pwrite64,        __NR_ftruncate,   __NR_memfd_create,
    __NR_close,        __NR_lseek,          __NR_arch_prctl,      __NR_sigaltstack, __NR_rt_sigaction,
    __NR_rt_sigreturn, __NR_rt_sigprocmask, __NR_restart_syscall, __NR_exit_group,
};

class Program {
 public:
  void add(u16 code, u32 k, u8 if_true = 0, u8 if_false = 0) {
    instructions_[count_++] = {code, if_true, if_false, k};
  }
  void kill() { add(kReturn, SECCOMP_RET_KILL_PROCESS); }
  void allow() { add(kReturn, SECCOMP_RET_ALLOW); }
  void load(std::size_t offset) { add(kLoadWord, static_cast<u32>(offset)); }
  /// Skips the next `instructions` unless the loaded word is `value`.
  void unless(u32 value, u8 instructions) { add(kJumpEqual, value, 0, instructions); }
  /// Allows if the loaded word is `value`, else goes on.
  void allow_if(u32 value) {
    unless(value, 1);
    allow();
  }
  sock_fprog finish() { return {static_cast<u16>(count_), instructions_.data()}; }

 private:
  std::array<sock_filter, 128> instructions_{};
  std::size_t count_ = 0;
};

constexpr std::size_t argument(int index) {
  return offsetof(seccomp_data, args) + sizeof(u64) * static_cast<std::size_t>(index);
}

/// A copy of the process that shares nothing, and how it asks for events of its own.
void allow_processes(Program& program, const ReplayFilter& filter) {
  struct Rule {
    u32 call;
    u32 first_argument;
  };
  const Rule rules[] = {{__NR_clone, SIGCHLD},
                        {__NR_socketpair, AF_UNIX},
                        {__NR_sendmsg, static_cast<u32>(filter.family_socket)},
                        {__NR_recvmsg, static_cast<u32>(filter.own_socket)},
                        {__NR_fcntl, static_cast<u32>(filter.life_pipe)}};
  program.unless(__NR_recvmsg, 4);
  program.load(argument(0));
  program.allow_if(static_cast<u32>(filter.answer_socket));
  program.load(offsetof(seccomp_data, nr));
  for (const Rule& rule : rules) {
    program.unless(rule.call, 4);
    program.load(argument(0));
    program.allow_if(rule.first_argument);
    program.kill();
  }
  for (const u32 number : {__NR_dup3, __NR_getpid}) program.allow_if(number);
}

}  // namespace

i64 install_replay_filter(const ReplayFilter& filter) {
  constexpr u32 kReadOnly = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const auto control = static_cast<u32>(filter.control_socket);
  Program program;
  program.load(offsetof(seccomp_data, arch));
  program.unless(AUDIT_ARCH_X86_64, 1);
  program.load(offsetof(seccomp_data, nr));  // for another architecture the word stays no call's number
  for (const u16 number : kFreeCalls) program.allow_if(number);

  program.unless(__NR_openat, 6);
  program.load(argument(0));
  program.unless(static_cast<u32>(filter.files_directory), 3);
  program.load(argument(2));
  program.allow_if(kReadOnly);
  program.kill();

  program.unless(__NR_recvmsg, 4);
  program.load(argument(0));
  program.allow_if(control);
  program.load(offsetof(seccomp_data, nr));

  program.unless(__NR_write, 10);
  program.load(argument(0));
  for (const u32 fd : {u32{1}, u32{2}, control, static_cast<u32>(filter.own_socket)}) program.allow_if(fd);
  program.kill();
  if (filter.makes_processes) allow_processes(program, filter);
  program.kill();

  if (const i64 error = raw_syscall(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); error < 0) return error;
  const sock_fprog code = program.finish();
  return raw_syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &code);
}

void ignore_children() {
  struct {
    u64 handler, flags, restorer, mask;
  } const ignore{1 /* SIG_IGN */, 0, 0, 0};
  raw_syscall(__NR_rt_sigaction, SIGCHLD, &ignore, nullptr, sizeof ignore.mask);
}

}  // namespace orrery::host
