#include "host/seeded_host.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "host/call_ranges.h"
#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr u64 kNsPerTick = 2;
constexpr u64 kOffsetInPage = kPageBytes - 1;

/// Questions, whose answers nobody else can be waiting for. A call that only found out that it has to wait
/// counts as one, else those that look again and again would never stop to wake each other.
bool only_asks(u32 number, i64 result) {
  if (result < 0) return result != -EINPROGRESS;
  switch (number) {
    case __NR_read:
    case __NR_recvfrom:
    case __NR_recvmsg:
      return result == 0;
    case __NR_clock_gettime:
    case __NR_gettimeofday:
    case __NR_time:
    case __NR_times:
    case __NR_getrandom:
    case __NR_getcpu:
    case __NR_poll:
    case __NR_ppoll:
    case __NR_select:
    case __NR_pselect6:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
    case __NR_wait4:
    case __NR_waitid:
    case __NR_stat:
    case __NR_lstat:
    case __NR_fstat:
    case __NR_newfstatat:
    case __NR_statx:
    case __NR_access:
    case __NR_faccessat:
    case __NR_faccessat2:
    case __NR_readlink:
    case __NR_readlinkat:
    case __NR_getcwd:
    case __NR_getsockopt:
    case __NR_rt_sigpending:
    case __NR_rt_sigaction:
    case __NR_getpgid:
    case __NR_getpgrp:
    case __NR_getsid:
    case __NR_getppid:
    case __NR_getrusage:
      return true;
    default:
      return false;
  }
}

/// Which argument of a call that sends signals is the signal's number; -1 for other calls.
int signal_argument(u32 number) {
  switch (number) {
    case __NR_kill:
    case __NR_tkill:
    case __NR_rt_sigqueueinfo:
    case __NR_pidfd_send_signal:
      return 1;
    case __NR_tgkill:
    case __NR_rt_tgsigqueueinfo:
      return 2;
    default:
      return -1;
  }
}

bool stops(int number) {
  return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

}  // namespace

SeededHost::SeededHost(u64 seed, i32 pid, const Parts& parts)
    : inner_(parts.inner),
      machine_(parts.machine),
      complaints_(parts.complaints),
      turns_(parts.machine, parts.fd_least),
      pids_(parts.machine, parts.complaints) {
  machine_.begin(seed, pid, static_cast<i32>(raw_syscall(__NR_getpid)));
}

// --- quanta ---

/// Of very different lengths, so that now and then one ends in the midst of a few instructions that belong
/// together, without most of the time going into switches.
void SeededHost::begin_quantum() {
  constexpr u64 kShortestLog2 = 6, kLogs = 12;
  const u64 most = u64{1} << (kShortestLog2 + machine_.quanta.below(kLogs));
  quantum_end_ = instant_.ticks + 1 + machine_.quanta.below(most);
  has_quantum_ = true;
}

/// Who is alone, and waits for no timer, is not disturbed.
bool SeededHost::preempting() const {
  return preemption_wanted_ || machine_.live > 1 || timers_.any_is_set();
}

void SeededHost::at(const Instant& instant) {
  const bool other_task = instant.task != instant_.task;
  if (!other_task && instant.ticks > instant_.ticks && turns_.holds()) {
    machine_.now_ns += (instant.ticks - instant_.ticks) * kNsPerTick;
    cpu_ns_ += (instant.ticks - instant_.ticks) * kNsPerTick;
  }
  instant_ = instant;
  if (other_task) has_quantum_ = false;
  inner_.at(instant);
}

/// The inner host keeps no timer: a turn ends at a tick and not at a time.
void SeededHost::set_preemption(bool wanted) { preemption_wanted_ = wanted; }

u64 SeededHost::stop_at_tick() {
  if (!preempting()) {
    has_quantum_ = false;
    return inner_.stop_at_tick();
  }
  if (!has_quantum_) begin_quantum();
  return quantum_end_;
}

bool SeededHost::next_signal(HostSignal& signal) {
  while (timers_.take_due(clocks(), signal)) {
    const u64 bit = u64{1} << (signal.number - 1);
    if ((view_.held & bit) == 0) return true;
    // A signalfd is to report it: the host keeps it.
    raw_syscall(__NR_rt_sigqueueinfo, raw_syscall(__NR_getpid), signal.number, signal.siginfo.data());
  }
  if (inner_.next_signal(signal)) {
    pids_.translate_signal(signal);
    return true;
  }
  if (!has_quantum_ || !preempting() || instant_.ticks < quantum_end_) return false;
  begin_quantum();
  signal = {.number = kQuantumOver};
  return true;
}

void SeededHost::set_signal_view(const SignalView& view) {
  view_ = view;
  inner_.set_signal_view(view);
}

// --- turns ---

/// One that was given away without a sleep is only offered.
void SeededHost::take_turn() {
  const bool offers = gives_turn_;
  gives_turn_ = false;
  if (offers)
    turns_.pass();
  else
    turns_.take();
}

/// Until `look` has an answer, a timer of the process is due (-EINTR) or the time is over (0). Keeps the
/// turn.
template <class Look>
i64 SeededHost::wait_in_turns(u64 deadline_ns, bool by_others, bool descriptors, const Look& look) {
  gives_turn_ = false;
  SeededProcess& self = turns_.self();
  self.deadline_ns = std::min(deadline_ns, timers_.next_deadline_ns());
  self.by_others = by_others ? 1 : 0;
  self.descriptors = descriptors ? 1 : 0;
  const u64 changes = machine_.changes;
  u64 sleep_ns = 0;
  i64 result = 0;
  for (;; sleep_ns = turns_.outside_sleep_ns()) {
    if (timers_.tell_descriptors(machine_.now_ns)) {
      turns_.changed();
      self.deadline_ns = std::min(deadline_ns, timers_.next_deadline_ns());
    }
    if (const std::optional<i64> answer = look(sleep_ns)) {
      result = *answer;
      break;
    }
    if (timers_.next_deadline_ns() <= machine_.now_ns) {
      result = -EINTR;
      break;
    }
    if (deadline_ns <= machine_.now_ns) break;
    if (by_others && (machine_.changes != changes || turns_.only_outside_is_left())) break;
    turns_.pass_waiting();
  }
  self.state = TurnState::ready;
  machine_.outside_since_ns = 0;
  return result;
}

/// The scheduler's ppoll(2), of a process that has given its turn away.
i64 SeededHost::wait_for_descriptors(HostCall& call) {
  u64 deadline_ns = kNever;
  if (call.args[2] != 0) deadline_ns = machine_.now_ns + to_ns(load<__kernel_timespec>(call.args[2]));
  return wait_in_turns(deadline_ns, call.ends_by_others, call.args[1] != 0,
                       [&](u64 sleep_ns) -> std::optional<i64> {
                         HostCall look = call;
                         __kernel_timespec time = to_timespec(sleep_ns);
                         look.args[2] = reinterpret_cast<u64>(&time);
                         const i64 result = inner_.call(look);
                         return result != 0 ? std::optional(result) : std::nullopt;
                       });
}

/// A word in memory that is shared: who wakes says so in the machine's state.
i64 SeededHost::wait_for_futex(HostCall& call) {
  u64 deadline_ns = kNever;
  if (call.args[3] != 0) {
    const u64 time_ns = to_ns(load<__kernel_timespec>(call.args[3]));
    const u64 start_ns = (call.args[1] & FUTEX_CLOCK_REALTIME) != 0 ? machine_.epoch_ns : kBootedNs;
    deadline_ns = time_ns > start_ns ? time_ns - start_ns : 0;
  }
  SeededProcess& self = turns_.self();
  self.futex_address = call.args[0];
  self.futex_bitset = static_cast<u32>(call.args[5]);
  self.futex_woken = 0;
  bool answered = false;
  const i64 result = wait_in_turns(deadline_ns, false, false, [&](u64 sleep_ns) -> std::optional<i64> {
    answered = true;
    if (self.futex_woken != 0) return 0;
    if (load<u32>(call.args[0]) != static_cast<u32>(call.args[2])) return -EAGAIN;
    const __kernel_timespec time = to_timespec(sleep_ns);
    HostCall look;
    look.number = __NR_ppoll;
    look.args = {0, 0, reinterpret_cast<u64>(&time)};
    if (inner_.call(look) == -EINTR) return -EINTR;
    answered = false;
    return std::nullopt;
  });
  self.futex_address = 0;
  self.futex_woken = 0;
  return result == 0 && !answered ? -ETIMEDOUT : result;
}

/// Processes may see the word at different addresses, but at the same place of its page. A futex may wake too
/// many.
i64 SeededHost::wake_futex(const HostCall& call) {
  i64 woken = 0;
  for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next) {
    SeededProcess& process = machine_.processes[at];
    if (process.futex_address == 0 || (process.futex_bitset & call.args[5]) == 0) continue;
    if (((process.futex_address ^ call.args[0]) & kOffsetInPage) != 0) continue;
    woken += process.futex_woken == 0 ? 1 : 0;
    process.futex_woken = 1;
  }
  if (woken != 0) turns_.changed();
  return std::min<i64>(woken, static_cast<i32>(call.args[2]));
}

// --- processes ---

i64 SeededHost::fork(ForkRequest& request) {
  constexpr u64 kParent = 0x8000;  // CLONE_PARENT
  const u32 parent = (request.flags & kParent) != 0 ? turns_.self().parent : turns_.number();
  const u32 number = turns_.add_process(request.borrows, parent);
  if (number == kNobody) {
    complaints_.complain("a run with --seed has room for 32767 processes: another one is EAGAIN");
    return -EAGAIN;
  }
  const i64 pid = inner_.fork(request);
  if (pid == 0) {
    turns_.begin(number);
    timers_.clear();
    gives_turn_ = has_quantum_ = preemption_wanted_ = false;
    cpu_ns_ = 0;
    request.pid = machine_.pid_of(number);
    return 0;
  }
  if (pid < 0) {
    turns_.not_made(number);
    return pid;
  }
  turns_.made(number, static_cast<i32>(pid));
  return machine_.pid_of(number);
}

void SeededHost::take_back(std::vector<u8>& changes) {
  gives_turn_ = false;
  turns_.leave(TurnState::away);
  inner_.take_back(changes);
}

bool SeededHost::let_go(std::span<const PageRange> ranges) {
  const bool good = inner_.let_go(ranges);
  turns_.let_go();
  return good;
}

void SeededHost::exit(int status, int fatal_signal) {
  turns_.end();
  inner_.exit(status, fatal_signal);
}

// --- signals ---

i64 SeededHost::host_pid_of_pidfd(u64 fd) const {
  std::vector<char> path = Text().add("/proc/self/fdinfo/").decimal(static_cast<u32>(fd)).take();
  path.push_back('\0');
  const i64 opened = raw_syscall(__NR_open, path.data(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return -1;
  char text[512];
  const i64 bytes = raw_syscall(__NR_read, opened, text, sizeof text);
  raw_syscall(__NR_close, opened);
  const std::string_view info(text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  constexpr std::string_view kName = "\nPid:\t";
  std::size_t at = info.find(kName);
  if (at == std::string_view::npos) return -1;
  i64 pid = 0;
  for (at += kName.size(); at < info.size() && info[at] >= '0' && info[at] <= '9'; ++at)
    pid = pid * 10 + (info[at] - '0');
  return pid;
}

/// The processes of the machine that a call sends its signal to.
template <class Visit>
void SeededHost::for_each_target(const HostCall& call, const Visit& visit) {
  const auto pid = static_cast<i32>(call.args[0]);
  const auto visit_live = [&](u32 number) {
    if (number != kNobody && machine_.processes[number].state != TurnState::ended) visit(number);
  };
  if (call.number == __NR_pidfd_send_signal)
    return visit_live(machine_.number_of_host(static_cast<i32>(host_pid_of_pidfd(call.args[0]))));
  if (pid > 0) return visit_live(machine_.number_of(pid));
  const i64 group = pid == 0 ? raw_syscall(__NR_getpgid, 0) : machine_.to_host(-pid);
  for (u32 at = machine_.first, next = kNobody; at != kNobody; at = next) {
    next = machine_.processes[at].next;
    if (pid == -1 || raw_syscall(__NR_getpgid, machine_.host_pids[at]) == group) visit_live(at);
  }
}

/// What the host does at once to another process has happened when the call is over; and who stops itself
/// gives its turn away.
i64 SeededHost::send_signal(HostCall& call) {
  const auto number = static_cast<int>(call.args[static_cast<std::size_t>(signal_argument(call.number))]);
  bool meets_self = false;
  if (stops(number)) for_each_target(call, [&](u32 each) { meets_self |= each == turns_.number(); });
  if (meets_self && (number == SIGSTOP || call.number == __NR_kill)) {
    for_each_target(call, [&](u32 each) {
      if (each == turns_.number()) return;
      turns_.poke(each);
      if (number == SIGSTOP) turns_.stops_too(each);
    });
    const bool takes_it_again = !gives_turn_;
    gives_turn_ = false;
    const i64 result = turns_.stop([&] { return pids_.call(call, inner_); });
    if (takes_it_again) turns_.take();
    return result;
  }
  const i64 result = pids_.call(call, inner_);
  if (result < 0) return result;
  for_each_target(call, [&](u32 each) {
    if (each == turns_.number()) return;
    turns_.poke(each);
    if (number == SIGKILL) turns_.killed(each);
    if (number == SIGSTOP) turns_.stopped(each);
    if (number == SIGCONT) turns_.continued(each);
  });
  return result;
}

// --- calls ---

i64 SeededHost::call(HostCall& call) {
  if (gives_turn_ && call.number == __NR_ppoll) return wait_for_descriptors(call);
  if (gives_turn_ && call.number == __NR_futex) return wait_for_futex(call);
  if (timers_.tell_descriptors(machine_.now_ns)) turns_.changed();
  const i64 result = answer(call);
  // Who was stopped and goes on without its turn has nothing to tell: continuing it was counted.
  if (turns_.holds() && !only_asks(call.number, result)) turns_.changed();
  return result;
}

i64 SeededHost::random_call(HostCall& call) {
  constexpr u64 kRandom = 2, kInsecure = 4, kFlags = 7;  // GRND_RANDOM, GRND_INSECURE, and GRND_NONBLOCK
  const u64 flags = call.args[2];
  const bool fits = (flags & ~kFlags) == 0 && (flags & (kRandom | kInsecure)) != (kRandom | kInsecure);
  if (!fits || !is_guest_pointer(call.args[0]) || call.out.items().empty()) return inner_.call(call);
  // As much as there is room for, as copy_to_iter does it.
  const u64 bytes = std::min(call.args[1], call.out.items().front().capacity_bytes);
  machine_.random.fill({reinterpret_cast<u8*>(call.args[0]), bytes});
  return static_cast<i64>(bytes);
}

i64 SeededHost::answer(HostCall& call) {
  const auto& args = call.args;
  switch (call.number) {
    case __NR_clock_gettime:
    case __NR_gettimeofday:
    case __NR_time:
    case __NR_times:
    case __NR_sysinfo:
    case __NR_nanosleep:
    case __NR_clock_nanosleep:
    case __NR_poll:
    case __NR_ppoll:
    case __NR_select:
    case __NR_pselect6:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
      return answer_of_time(call);
    case __NR_getrandom:
      return random_call(call);
    case __NR_getcpu:
      if (is_guest_pointer(args[0])) store<u32>(args[0], 0);
      if (is_guest_pointer(args[1])) store<u32>(args[1], 0);
      return 0;

    case __NR_futex: {
      constexpr u64 kWakeBitset = FUTEX_WAKE_BITSET;
      return args[1] == kWakeBitset ? wake_futex(call) : inner_.call(call);
    }
    default:
      break;
  }
  if (signal_argument(call.number) >= 0) return send_signal(call);
  if (const auto result = timers_.call(call, clocks(), inner_)) return *result;
  const i64 result = pids_.call(call, inner_);
  if (result < 0) return result;
  constexpr u64 kSelf = 0;  // RUSAGE_SELF
  if (call.number == __NR_getrusage) hide_usage(call, args[1], args[0] == kSelf);
  if (call.number == __NR_wait4) hide_usage(call, args[3], false);
  if (call.number == __NR_waitid) hide_usage(call, args[4], false);
  return result;
}

}  // namespace orrery::host
