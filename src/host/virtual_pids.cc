#include "host/virtual_pids.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/wait.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "host/call_ranges.h"
#include "host/fd_path.h"

namespace orrery::host {
namespace {

/// How an argument or a result names processes.
enum class Names : u8 {
  process,   ///< 0: the caller
  signed_,   ///< as kill(2)'s: negative ones are groups, 0 and -1 stay
  clock,     ///< clock_getcpuclockid(3)'s, a process's id in its upper bits
  by_which,  ///< the argument before says what it is: setpriority(2), ioprio_set(2), waitid(2)
};

struct Row {
  u32 number;
  i8 first = -1, second = -1;  ///< arguments
  Names names = Names::process;
  i16 nobody = ESRCH;  ///< for an id that is nobody's
};

constexpr Row kRows[] = {
    {__NR_kill, 0, -1, Names::signed_},
    {__NR_tkill, 0},
    {__NR_tgkill, 0, 1},
    {__NR_rt_sigqueueinfo, 0},
    {__NR_rt_tgsigqueueinfo, 0, 1},
    {__NR_wait4, 0, -1, Names::signed_, ECHILD},
    {__NR_waitid, 1, -1, Names::by_which, ECHILD},
    {__NR_setpgid, 0, 1},
    {__NR_getpgid, 0},
    {__NR_getsid, 0},
    {__NR_pidfd_open, 0},
    {__NR_prlimit64, 0},
    {__NR_sched_setparam, 0},
    {__NR_sched_getparam, 0},
    {__NR_sched_setscheduler, 0},
    {__NR_sched_getscheduler, 0},
    {__NR_sched_rr_get_interval, 0},
    {__NR_sched_setattr, 0},
    {__NR_sched_getattr, 0},
    {__NR_getpriority, 1, -1, Names::by_which},
    {__NR_setpriority, 1, -1, Names::by_which},
    {__NR_ioprio_get, 1, -1, Names::by_which},
    {__NR_ioprio_set, 1, -1, Names::by_which},
    {__NR_process_vm_readv, 0},
    {__NR_process_vm_writev, 0},
    {__NR_migrate_pages, 0},
    {__NR_move_pages, 0},
    {__NR_kcmp, 0, 1},
    {__NR_clock_getres, 0, -1, Names::clock, EINVAL},
    {__NR_timer_create, 0, -1, Names::clock, EINVAL},
};

struct PathRow {
  u32 number;
  u8 argument;
};

constexpr PathRow kPaths[] = {
    {__NR_open, 0},       {__NR_openat, 1},     {__NR_openat2, 1},  {__NR_stat, 0},       {__NR_lstat, 0},
    {__NR_newfstatat, 1}, {__NR_statx, 1},      {__NR_readlink, 0}, {__NR_readlinkat, 1}, {__NR_access, 0},
    {__NR_faccessat, 1},  {__NR_faccessat2, 1}, {__NR_chdir, 0},
};

template <class Table>
const auto* find(const Table& table, u32 number) {
  const auto* const found =
      std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.number == number; });
  return found == std::end(table) ? nullptr : found;
}

// include/uapi/asm-generic/ioctls.h and sockios.h
constexpr u64 kGetGroup = 0x540f, kSetGroup = 0x5410, kGetSession = 0x5429;
constexpr u64 kSetOwners[] = {0x8901, 0x8902}, kGetOwners[] = {0x8903, 0x8904};
constexpr u64 kSetOwnerEx = 15, kGetOwnerEx = 16;
constexpr u64 kLockPidAt = 24;      // struct flock
constexpr u64 kInfoPidAt = 16;      // siginfo_t
constexpr u64 kSignalfdPidAt = 12;  // struct signalfd_siginfo
constexpr u64 kSignalfdBytes = 128;

/// What getpriority and its kin, and waitid, say by the argument before: 0 nothing to translate.
enum class Which : u8 { other, process, group };

Which which_of(u32 number, u64 which) {
  const bool waits = number == __NR_waitid;
  const bool io = number == __NR_ioprio_get || number == __NR_ioprio_set;
  const u64 process = waits || io ? 1 : 0, group = waits || io ? 2 : 1;
  return which == process ? Which::process : which == group ? Which::group : Which::other;
}

bool contains(std::span<const u64> list, u64 value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Calls whose result is a process id.
bool gives_pid(u32 number) {
  return number == __NR_getpgid || number == __NR_getpgrp || number == __NR_getsid || number == __NR_setsid ||
         number == __NR_wait4;
}

}  // namespace

i64 VirtualPids::call(HostCall& call, Host& inner) {
  switch (call.number) {
    case __NR_getppid: {
      // Who was orphaned is the outside's, which is init to the guest.
      const i64 parent = inner.call(call);
      const u32 number = machine_.number_of_host(static_cast<i32>(parent));
      return number != kNobody ? machine_.pid_of(number) : 1;
    }
    case __NR_ioctl:
      return with_word(call, inner);
    case __NR_fcntl:
      return with_owner(call, inner);
    case __NR_sendmsg:
      return with_credentials(call, inner);
    default:
      return find(kPaths, call.number) != nullptr ? with_path(call, inner) : make(call, inner);
  }
}

bool VirtualPids::to_host(u64& argument, bool negative_is_group) const {
  const auto given = static_cast<i32>(argument);
  if (given == 0 || given == -1) return true;
  const bool is_group = negative_is_group && given < 0;
  const i32 host = machine_.to_host(is_group ? -given : given);
  if (host < 0) return false;
  argument = static_cast<u64>(static_cast<i64>(is_group ? -host : host));
  return true;
}

/// MAKE_PROCESS_CPUCLOCK of include/linux/posix-timers.h; 0 in it is the caller.
bool VirtualPids::clock_to_host(u64& clock) const {
  const auto given = static_cast<i32>(clock);
  constexpr u64 kKindMask = 7;
  if (given >= 0 || ~(given >> 3) == 0) return true;
  const i32 host = machine_.to_host(~(given >> 3));
  if (host < 0) return false;
  clock = static_cast<u64>(static_cast<i64>(~host) << 3) | (clock & kKindMask);
  return true;
}

/// 0, or -errno if one of them is nobody's id.
i64 VirtualPids::translate_arguments(HostCall& call) {
  const Row* const row = find(kRows, call.number);
  if (row == nullptr) return 0;
  if (row->names == Names::by_which && which_of(call.number, call.args[0]) == Which::other) return 0;
  for (const i8 index : {row->first, row->second}) {
    if (index < 0) continue;
    u64& argument = call.args[static_cast<std::size_t>(index)];
    if (row->names == Names::clock) {
      if (!clock_to_host(argument)) return -i64{row->nobody};
      continue;
    }
    if (!to_host(argument, row->names == Names::signed_)) return -i64{row->nobody};
  }
  return 0;
}

/// The arguments are the guest's again afterwards: a recorder's.
i64 VirtualPids::make(HostCall& call, Host& inner) {
  const auto given = call.args;
  i64 result = translate_arguments(call);
  if (result == 0) result = inner.call(call);
  call.args = given;
  translate_answer(call, result);
  return result;
}

void VirtualPids::store_guest_pid(const HostCall& call, u64 address) {
  for (const OutRange& range : call.out.items())
    if (address >= range.address && address + sizeof(i32) <= range.address + range.capacity_bytes)
      store(address, machine_.to_guest(load<i32>(address)));
}

void VirtualPids::translate_answer(const HostCall& call, i64& result) {
  if (result < 0) return;
  if (gives_pid(call.number) && result > 0) {
    note_reaped(call, result);
    result = machine_.to_guest(static_cast<i32>(result));
  }
  switch (call.number) {
    case __NR_waitid:
      if (!is_out(call, call.args[2], kInfoPidAt + sizeof(i32))) return;
      note_reaped(call, load<i32>(call.args[2] + kInfoPidAt));
      return store_guest_pid(call, call.args[2] + kInfoPidAt);
    case __NR_getsockopt:
      if (call.args[1] == SOL_SOCKET && call.args[2] == SO_PEERCRED) store_guest_pid(call, call.args[3]);
      return;
    case __NR_recvmsg:
      return translate_messages(call);
    case __NR_msgctl:
    case __NR_shmctl: {
      // msqid64_ds and shmid64_ds: who sent and received, or made and attached, last.
      constexpr u64 kStatus = 2;  // IPC_STAT
      const u64 at = call.args[2] + (call.number == __NR_msgctl ? 96 : 80);
      if ((call.args[1] & 0xff) != kStatus) return;
      store_guest_pid(call, at);
      return store_guest_pid(call, at + sizeof(i32));
    }
    case __NR_semctl: {
      constexpr u64 kGetPid = 11;
      if (call.args[2] == kGetPid) result = machine_.to_guest(static_cast<i32>(result));
      return;
    }
    case __NR_signalfd:
    case __NR_signalfd4:
      has_signalfd_ = true;
      return;
    case __NR_read:
      if (has_signalfd_) translate_signalfd(call, result);
      return;
    default:
      return;
  }
}

/// A child that was waited for is gone, unless it only stopped or went on, or WNOWAIT left it there.
void VirtualPids::note_reaped(const HostCall& call, i64 result) {
  const bool waitid = call.number == __NR_waitid;
  if (!waitid && call.number != __NR_wait4) return;
  if ((call.args[waitid ? 3 : 2] & WNOWAIT) != 0) return;
  const u32 number = machine_.number_of_host(static_cast<i32>(result));
  if (number != kNobody && machine_.processes[number].state == TurnState::ended)
    machine_.processes[number].reaped = 1;
}

void VirtualPids::translate_messages(const HostCall& call) {
  constexpr u64 kControlAt = 32, kControlBytesAt = 40, kHeaderBytes = 56;  // struct user_msghdr
  if (!is_out(call, call.args[1], kHeaderBytes)) return;
  const u64 control = load<u64>(call.args[1] + kControlAt), bytes = load<u64>(call.args[1] + kControlBytesAt);
  for (u64 at = 0; control != 0 && at + sizeof(cmsghdr) <= bytes;) {
    const auto header = load<cmsghdr>(control + at);
    if (header.cmsg_len < sizeof header) return;
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_CREDENTIALS)
      store_guest_pid(call, control + at + sizeof header);
    at += (header.cmsg_len + 7) / 8 * 8;
  }
}

void VirtualPids::translate_signalfd(const HostCall& call, i64 result) {
  std::array<char, 64> buffer;
  if (fd_path(static_cast<int>(call.args[0]), buffer) != "anon_inode:[signalfd]") return;
  for (u64 at = 0; at + kSignalfdBytes <= static_cast<u64>(result); at += kSignalfdBytes)
    store_guest_pid(call, call.args[1] + at + kSignalfdPidAt);
}

/// Signals that the kernel itself gave their sender's id; rt_sigqueueinfo(2) carries what the sender wrote.
void VirtualPids::translate_signal(HostSignal& signal) {
  i32 code = 0, pid = 0;
  std::memcpy(&code, signal.siginfo.data() + 8, sizeof code);
  const bool of_child = signal.number == SIGCHLD && code >= CLD_EXITED && code <= CLD_CONTINUED;
  if (code != SI_USER && code != SI_TKILL && code != SI_MESGQ && !of_child) return;
  std::memcpy(&pid, signal.siginfo.data() + kInfoPidAt, sizeof pid);
  pid = machine_.to_guest(pid);
  std::memcpy(signal.siginfo.data() + kInfoPidAt, &pid, sizeof pid);
}

// --- terminals, owners, locks ---

i32 VirtualPids::to_guest_owner(i32 owner) {
  return owner < 0 ? -machine_.to_guest(-owner) : machine_.to_guest(owner);
}

/// ioctl(2) with a word in memory.
i64 VirtualPids::with_word(HostCall& call, Host& inner) {
  const u64 request = static_cast<u32>(call.args[1]);
  const u64 address = call.args[2];
  const bool sets_owner = contains(kSetOwners, request), gets_owner = contains(kGetOwners, request);
  if ((request == kSetGroup || sets_owner) && is_in(call, address, sizeof(i32))) {
    u64 word = static_cast<u64>(i64{load<i32>(address)});
    if (!to_host(word, sets_owner)) return -ESRCH;
    const auto host_word = static_cast<i32>(word);
    call.args[2] = reinterpret_cast<u64>(&host_word);
    const i64 result = inner.call(call);
    call.args[2] = address;
    return result;
  }
  const i64 result = inner.call(call);
  const bool gets = request == kGetGroup || request == kGetSession || gets_owner;
  if (result == 0 && gets && is_out(call, address, sizeof(i32)))
    store(address, to_guest_owner(load<i32>(address)));
  return result;
}

i64 VirtualPids::with_owner(HostCall& call, Host& inner) {
  const u64 command = call.args[1], argument = call.args[2];
  struct {
    i32 type, pid;
  } owner{};
  if (command == F_SETOWN) {
    if (!to_host(call.args[2], true)) return -ESRCH;
  } else if (command == kSetOwnerEx && is_in(call, argument, sizeof owner)) {
    owner = load<decltype(owner)>(argument);
    owner.pid = machine_.to_host(owner.pid);
    if (owner.pid < 0) return -ESRCH;
    call.args[2] = reinterpret_cast<u64>(&owner);
  }
  i64 result = inner.call(call);
  call.args[2] = argument;
  if (command == F_GETOWN && (result >= 0 || result < -4095)) return to_guest_owner(static_cast<i32>(result));
  if (result < 0) return result;
  if (command == F_GETLK && is_out(call, argument, kLockPidAt + sizeof(i32)))
    store_guest_pid(call, argument + kLockPidAt);
  if (command == kGetOwnerEx && is_out(call, argument, sizeof owner))
    store_guest_pid(call, argument + sizeof(i32));
  return result;
}

// --- credentials ---

/// SCM_CREDENTIALS names the sender. The header and its control part go to the host as copies.
i64 VirtualPids::with_credentials(HostCall& call, Host& inner) {
  struct Header {
    u64 name, name_bytes, vectors, vector_count, control, control_bytes, flags;
  };
  constexpr u64 kControlBytesMost = 1024;
  alignas(8) std::array<u8, kControlBytesMost> control;
  const u64 given = call.args[1];
  if (!is_in(call, given, sizeof(Header))) return make(call, inner);
  Header header = load<Header>(given);
  if (header.control_bytes < sizeof(cmsghdr) || header.control_bytes > control.size() ||
      !is_in(call, header.control, header.control_bytes))
    return make(call, inner);
  std::memcpy(control.data(), reinterpret_cast<const void*>(header.control), header.control_bytes);
  const u64 base = reinterpret_cast<u64>(control.data());
  for (u64 at = 0; at + sizeof(cmsghdr) + sizeof(i32) <= header.control_bytes;) {
    const auto part = load<cmsghdr>(base + at);
    if (part.cmsg_len < sizeof part) break;
    if (part.cmsg_level == SOL_SOCKET && part.cmsg_type == SCM_CREDENTIALS)
      store(base + at + sizeof part, machine_.to_host(load<i32>(base + at + sizeof part)));
    at += (part.cmsg_len + 7) / 8 * 8;
  }
  header.control = base;
  call.args[1] = reinterpret_cast<u64>(&header);
  const i64 result = inner.call(call);
  call.args[1] = given;
  return result;
}

// --- /proc ---

namespace {

/// Entries of /proc/PID that show the host's ids.
bool holds_ids(std::string_view entry) {
  constexpr std::string_view kEntries[] = {"/stat", "/task", "/sched", "/children"};
  return std::any_of(std::begin(kEntries), std::end(kEntries),
                     [&](std::string_view each) { return entry.substr(0, each.size()) == each; });
}

}  // namespace

/// /proc/ID of a process of the machine is the host's /proc/ID. The texts that hold ids are not given.
i64 VirtualPids::with_path(HostCall& call, Host& inner) {
  constexpr std::string_view kProc = "/proc/";
  const std::size_t index = find(kPaths, call.number)->argument;
  const u64 given = call.args[index];
  u64 bytes = 0;
  for (const InRange& range : call.in.items())
    if (range.address == given) bytes = range.size_bytes;
  const std::string_view path(reinterpret_cast<const char*>(given), bytes > 0 ? bytes - 1 : 0);
  // The process's own tasks are named by its id too; what else is its own the guest kernel has seen to.
  constexpr std::string_view kOwnTasks = "/proc/self/task/";
  const bool own_task = path.substr(0, kOwnTasks.size()) == kOwnTasks;
  const std::string_view start = own_task ? kOwnTasks : kProc;
  if (path.substr(0, start.size()) != start) return make(call, inner);
  std::string_view rest = path.substr(start.size());
  i64 pid = 0;
  std::size_t digits = 0;
  for (; digits < rest.size() && digits < 9 && rest[digits] >= '0' && rest[digits] <= '9'; ++digits)
    pid = pid * 10 + (rest[digits] - '0');
  const u32 number = machine_.number_of(static_cast<i32>(pid));
  if (digits == 0 || number == kNobody || (digits < rest.size() && rest[digits] != '/'))
    return make(call, inner);
  rest.remove_prefix(digits);
  const i32 host_pid = machine_.to_host(static_cast<i32>(pid));
  if (host_pid < 0) return -ENOENT;
  if (!own_task && holds_ids(rest)) {
    complaints_.complain("/proc/PID/stat and its like of another process are not there under --seed: ENOENT");
    return -ENOENT;
  }
  std::vector<char> translated = Text().add(start).decimal(static_cast<u64>(host_pid)).add(rest).take();
  translated.push_back('\0');
  call.args[index] = reinterpret_cast<u64>(translated.data());
  const i64 result = inner.call(call);
  call.args[index] = given;
  return result;
}

}  // namespace orrery::host
