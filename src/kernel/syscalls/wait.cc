// Waiting for children. Whose children they are and what became of them the host knows, but for those who
// live in the same host process: companions (kernel/companion.h) and tasks that the caller traces.
#include <asm/unistd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/companion.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

constexpr u64 kInfoPidAt = 16;  ///< siginfo_t's si_pid
constexpr u64 kUsageBytes = 144;
constexpr std::size_t kInfoBytes = 28;  ///< of siginfo_t that waitid(2) fills in
constexpr i64 kPauseLeastNs = 200'000, kPauseMostNs = 20'000'000;

/// One try, and whether it was for a child. waitid says that by its siginfo alone: who does not want one gets
/// one all the same.
i64 try_to_wait(Call& call, bool& found) {
  u32 pid = 0;
  if (call.row.number != __NR_waitid || call.args[2] != 0) {
    const i64 result = forward(call);
    found = result != 0 || (call.row.number == __NR_waitid &&
                            call.space().read_value(call.args[2] + kInfoPidAt, pid) && pid != 0);
    return result;
  }
  SignalInfo info;
  CallBuilder builder(call, __NR_waitid);
  for (const int index : {0, 1, 3}) builder.value(index, call.args[static_cast<std::size_t>(index)]);
  builder.engine_out(2, &info, sizeof info);
  builder.out(4, call.args[4], kUsageBytes, host::Extent::whole_on_success);
  const i64 result = builder.perform();
  std::memcpy(&pid, reinterpret_cast<const u8*>(&info) + kInfoPidAt, sizeof pid);
  found = result != 0 || pid != 0;
  return result;
}

u64& options_of(Call& call) { return call.args[call.row.number == __NR_waitid ? 3 : 2]; }

i64 wait_as(Call& call, Wait& wait) {
  return wait_among_others(call, wait) == 0 ? 0 : -static_cast<i64>(call.row.restart_rule);
}

/// Until the host is to be asked again: after a pause, or in a seeded run when another process had its turn.
void end_after(Call& call, Wait& wait, i64 pause_ns) {
  wait.tries_again = wait.tries_again || call.process.scheduler.turns_are_seeded();
  wait.timed = !call.process.scheduler.turns_are_seeded();
  if (wait.timed) wait.deadline_ns = host_clock(call, kClockMonotonic).total_nanoseconds() + pause_ns;
}

/// Among other tasks the host may not sleep: it is asked again, more and more rarely.
i64 wait_on_host(Call& call) {
  if (call.process.scheduler.alone()) return forward(call);
  u64& options = options_of(call);
  const bool sleeps = (options & WNOHANG) == 0;
  options |= WNOHANG;
  for (i64 pause_ns = kPauseLeastNs;; pause_ns = std::min(2 * pause_ns, kPauseMostNs)) {
    bool found = false;
    const i64 result = try_to_wait(call, found);
    if (!sleeps || found) return result;
    Wait wait;
    end_after(call, wait, pause_ns);
    if (const i64 error = wait_as(call, wait); error != 0) return error;
  }
}

/// Whom the call asks for, as far as they live here; the group of all who do is their lender's.
WaitedFor wanted_by(Call& call) {
  const bool by_id = call.row.number == __NR_waitid;
  const u64 options = options_of(call);
  WaitedFor wanted{.any_kind = (options & __WALL) != 0,
                   .clone_children = (options & __WCLONE) != 0,
                   .keep = (options & WNOWAIT) != 0,
                   .ends = !by_id || (options & WEXITED) != 0};
  const i32 number = call.fd(by_id ? 1 : 0);
  const bool one = by_id ? call.args[0] == P_PID : number > 0;
  const bool group = by_id ? call.args[0] == P_PGID : number < -1;
  const i32 group_number = by_id ? number : -number;
  if (one) wanted.number = number;
  if (group && group_number != 0 && group_number != call.process.group.value) wanted.number = 0;
  if (by_id && call.args[0] == P_PIDFD) wanted.number = 0;  // nobody here has one
  return wanted;
}

i64 tell_wait4(Call& call, const LocalChange& change) {
  if (call.args[1] != 0 && !call.space().write_value(call.args[1], change.status)) return -EFAULT;
  static constexpr std::array<u8, kUsageBytes> kNoUsage{};
  if (call.args[3] != 0 && !call.space().write(call.args[3], kNoUsage)) return -EFAULT;
  return change.number;
}

i64 tell_waitid(Call& call, const LocalChange& change) {
  const int status = change.status;
  int code = CLD_EXITED, value = WEXITSTATUS(status);
  if (WIFSTOPPED(status)) code = CLD_TRAPPED, value = status >> 8;
  if (WIFSIGNALED(status)) code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED, value = WTERMSIG(status);
  SignalInfo info = SignalInfo::from_sender(SIGCHLD, code, change.number, call.process.credentials.uid);
  info.set32(SignalInfo::kStatus, static_cast<u32>(value));
  const std::span<const u8> bytes(reinterpret_cast<const u8*>(&info), kInfoBytes);
  if (call.args[2] != 0 && !call.space().write(call.args[2], bytes)) return -EFAULT;
  static constexpr std::array<u8, kUsageBytes> kNoUsage{};
  if (call.args[4] != 0 && !call.space().write(call.args[4], kNoUsage)) return -EFAULT;
  return 0;
}

/// WNOHANG, and nobody has changed.
i64 tell_nothing(Call& call) {
  static constexpr std::array<u8, kInfoBytes> kNobody{};
  const bool has_info = call.row.number == __NR_waitid && call.args[2] != 0;
  return has_info && !call.space().write(call.args[2], kNobody) ? -EFAULT : 0;
}

/// While somebody here is waited for, the host is only asked besides.
i64 wait_here(Call& call, const WaitedFor& wanted) {
  const bool is_companion = call.process.lender != nullptr;
  u64& options = options_of(call);
  const bool sleeps = (options & WNOHANG) == 0;
  options |= WNOHANG;
  for (i64 pause_ns = kPauseLeastNs;; pause_ns = std::min(2 * pause_ns, kPauseMostNs)) {
    LocalChange change;
    const LocalChildren here = look_at_children_here(call.process, wanted, change);
    if (here == LocalChildren::changed)
      return call.row.number == __NR_waitid ? tell_waitid(call, change) : tell_wait4(call, change);
    const bool asks_host = !is_companion && wanted.number <= 0;
    bool found = false;
    const i64 of_host = asks_host ? try_to_wait(call, found) : -ECHILD;
    if (of_host != -ECHILD && found) return of_host;
    if (here == LocalChildren::none && of_host == -ECHILD) return -ECHILD;
    if (!sleeps) return tell_nothing(call);
    Wait wait;
    wait.tries_again = true;
    if (of_host == 0) end_after(call, wait, pause_ns);
    if (const i64 error = wait_as(call, wait); error != 0) return error;
  }
}

i64 wait_for_child(Call& call) {
  const WaitedFor wanted = wanted_by(call);
  LocalChange ignored;
  WaitedFor look = wanted;
  look.keep = true;
  const bool here =
      call.process.lender != nullptr ||
      (wanted.number != 0 && look_at_children_here(call.process, look, ignored) != LocalChildren::none);
  return here ? wait_here(call, wanted) : wait_on_host(call);
}

}  // namespace

i64 sys_wait4(Call& call) { return wait_for_child(call); }
i64 sys_waitid(Call& call) { return wait_for_child(call); }

}  // namespace orrery::kernel
