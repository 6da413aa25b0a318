// kernel/seccomp.c. All filters are run, the newest first, and the strictest verdict counts.
//
// The guest has no vDSO, so the clock calls that libc answers there natively, unseen by any filter, come as
// system calls here. They pass: a filter that forgot them must not end the program.
#include "kernel/seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/task.h"

namespace orrery::kernel {
namespace {

using cpu::Gpr;

constexpr u32 kArchitecture = AUDIT_ARCH_X86_64;
constexpr int kSysSeccomp = 1;  // SYS_SECCOMP
constexpr u32 kErrnoMost = 4095;

bool is_in_vdso(i64 number) {
  return number == __NR_clock_gettime || number == __NR_gettimeofday || number == __NR_time ||
         number == __NR_clock_getres || number == __NR_getcpu;
}

bool strict_allows(i64 number) {
  return number == __NR_read || number == __NR_write || number == __NR_exit || number == __NR_rt_sigreturn;
}

FilterInput input_of(const Task& task) {
  const cpu::Registers& regs = task.cpu.regs;
  return {.number = static_cast<i32>(regs[Gpr::rax]),
          .architecture = kArchitecture,
          .instruction = regs.rip,
          .arguments = {regs[Gpr::rdi], regs[Gpr::rsi], regs[Gpr::rdx], regs[Gpr::r10], regs[Gpr::r8],
                        regs[Gpr::r9]}};
}

/// seccomp_run_filters: actions are ordered as signed numbers.
u32 verdict(const Seccomp& seccomp, const FilterInput& input) {
  const auto action = [](u32 value) { return static_cast<i32>(value & SECCOMP_RET_ACTION_FULL); };
  u32 strictest = SECCOMP_RET_ALLOW;
  for (auto filter = seccomp.filters.rbegin(); filter != seccomp.filters.rend(); ++filter) {
    const u32 value = run_filter(*filter, input);
    if (action(value) < action(strictest)) strictest = value;
  }
  return strictest;
}

/// force_sig_seccomp: the call's number is in rax, as it was.
void trap(Task& task, u32 reason) {
  struct Fields {
    u64 call_address;
    i32 number;
    u32 architecture;
  };
  SignalInfo info;
  info.number = SIGSYS;
  info.code = kSysSeccomp;
  info.error = static_cast<i32>(reason);
  info.set64(0, task.cpu.regs.rip);
  info.set32(8, static_cast<u32>(task.cpu.regs[Gpr::rax]));
  info.set32(12, kArchitecture);
  static_assert(sizeof(Fields) == 16);
  task.call.number = -1;
  force_signal(task, info);
}

bool refuse(Task& task, i64 result) {
  task.cpu.regs[Gpr::rax] = static_cast<u64>(result);
  return false;
}

bool end(Task& task, int signal) {
  task.process.end({.fatal_signal = signal});
  return false;
}

bool pass_filters(Task& task) {
  const u32 value = verdict(task.process.seccomp, input_of(task));
  const u32 data = value & SECCOMP_RET_DATA;
  switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return true;
    case SECCOMP_RET_ERRNO:
      return refuse(task, -static_cast<i64>(std::min(data, kErrnoMost)));
    case SECCOMP_RET_TRACE:       // there is no tracer
    case SECCOMP_RET_USER_NOTIF:  // nor a listener
      return refuse(task, -ENOSYS);
    case SECCOMP_RET_TRAP:
      trap(task, data);
      return false;
    default:
      return end(task, SIGSYS);
  }
}

}  // namespace

bool pass_seccomp(Task& task) {
  const Seccomp& seccomp = task.process.seccomp;
  if (seccomp.mode == SeccompMode::disabled) return true;
  const auto number = static_cast<i64>(task.cpu.regs[Gpr::rax]);
  if (is_in_vdso(number)) return true;
  if (seccomp.mode == SeccompMode::strict) return strict_allows(number) || end(task, SIGKILL);
  return pass_filters(task);
}

}  // namespace orrery::kernel
