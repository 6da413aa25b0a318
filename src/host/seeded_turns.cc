// Who has the turn, has it until it waits, ends, or its quantum is over; then the seed chooses among those
// that can go on. Nobody sleeps in a call of the host's: a process that waits gives its turn away, and
// whenever it is given it looks, with calls that do not sleep, whether it can go on; if not, it passes the
// turn. So that this costs little, it is given it only after somebody did what it could be waiting for
// (SeededMachine::changes), when its time is over, and now and then for the sake of the outside.
//
// When all wait and none of that is so, nothing can happen in the machine but that time passes: the virtual
// clock jumps to the first deadline. If whoever waits for that also waits for descriptors, what they lead to
// may be outside the machine: then the looks sleep on the host, in turn, as long as the wait would take, or
// for ever if there is no deadline. For a machine that hears nothing from outside this changes nothing but
// how long it takes.
//
// What a process leaves to the host's kernel must have happened when the next one looks: one that ends gives
// its turn away before it does, and the next holder waits until it is a zombie (the kernel has then closed
// its descriptors and queued SIGCHLD). Signals between processes were queued by the kill(2) of a former
// holder: the handler has run when the first system call of the new holder returns.
//
// A holder that is killed from outside is noticed by those that wait, after some time; nothing is exact then.
#include "host/seeded_turns.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "host/raw_syscall.h"
#include "host/seeded_clock.h"

namespace orrery::host {
namespace {

constexpr u64 kLookAfterNs = 100'000'000;
constexpr u64 kOutsideLookNs = 2'000'000, kOutsideAloneNs = 100'000'000;
constexpr u64 kTurnsBetweenLooks = 256;
constexpr u64 kLooksAmongTurns = 4;  ///< while others are able to run, one turn in so many is a look
constexpr u64 kPauseNs = 200'000;

u64 host_now_ns() {
  __kernel_timespec now{};
  raw_syscall(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
  return to_ns(now);
}

void pause(u64 ns) {
  const __kernel_timespec time{0, static_cast<i64>(ns)};
  raw_syscall(__NR_nanosleep, &time, nullptr);
}

/// Whoever changes relations of processes (ends, stops, signals a parent) does so under the kernel's lock of
/// the task list; this takes it too, so what had begun is over.
void wait_for_task_list() {
  constexpr int kAllChildren = 0;  // P_ALL
  raw_syscall(__NR_waitid, kAllChildren, 0, nullptr, WEXITED | WNOHANG | WNOWAIT, nullptr);
}

}  // namespace

// --- processes ---

u32 SeededTurns::add_process(bool borrows, u32 parent) {
  const u32 number = machine_.count + 1;
  if (number >= SeededMachine::kProcessesMost) return kNobody;
  SeededProcess& process = machine_.processes[number];
  process = SeededProcess{};
  process.state = TurnState::ready;
  process.parent = parent;
  process.borrows = borrows ? 1 : 0;
  process.previous = machine_.last;
  (machine_.last == kNobody ? machine_.first : machine_.processes[machine_.last].next) = number;
  machine_.last = machine_.count = number;
  ++machine_.live;
  return number;
}

void SeededTurns::made(u32 number, i32 host_pid) {
  machine_.host_pids[number] = host_pid;
  changed();
}

void SeededTurns::not_made(u32 number) {
  unlink(number);
  --machine_.count;
}

void SeededTurns::begin(u32 number) {
  number_ = number;
  holds_ = false;
}

void SeededTurns::unlink(u32 number) {
  SeededProcess& process = machine_.processes[number];
  (process.previous == kNobody ? machine_.first : machine_.processes[process.previous].next) = process.next;
  (process.next == kNobody ? machine_.last : machine_.processes[process.next].previous) = process.previous;
  process.state = TurnState::ended;
  --machine_.live;
  SeededProcess& parent = machine_.processes[process.parent];
  if (process.borrows != 0 && parent.state == TurnState::away) parent.state = TurnState::ready;
}

void SeededTurns::let_go() {
  if (self().borrows == 0) return;
  self().borrows = 0;
  SeededProcess& parent = machine_.processes[self().parent];
  if (parent.state == TurnState::away) parent.state = TurnState::ready;
}

void SeededTurns::end() {
  unlink(number_);
  machine_.ending = number_;
  changed();
  // The kernel tells all of a terminal that the leader of its session is gone.
  const bool leads_session = raw_syscall(__NR_getsid, 0) == machine_.host_pids[number_];
  for (u32 at = machine_.first; leads_session && at != kNobody; at = machine_.processes[at].next) poke(at);
  hand_to(choose());
}

// --- who is next ---

/// Has guest code to run, or surely ends its wait.
bool SeededTurns::is_able(const SeededProcess& process) const {
  if (process.state == TurnState::ready) return true;
  return process.state == TurnState::waiting &&
         (process.poked != 0 || process.futex_woken != 0 || process.deadline_ns <= machine_.now_ns);
}

/// May find that it can go on. Who only sleeps waits for none of the things that others do; but while others
/// run, the outside may have done something to anybody.
bool SeededTurns::is_to_look(const SeededProcess& process, bool others_run) const {
  if (process.state != TurnState::waiting || is_able(process)) return false;
  const bool only_sleeps = process.descriptors == 0 && process.by_others == 0 && process.futex_address == 0;
  return (!only_sleeps && process.seen_changes != machine_.changes) ||
         (others_run && process.looked_at_turn + kTurnsBetweenLooks <= machine_.turns);
}

/// One of the `count` processes of which that is so.
template <class Is>
u32 SeededTurns::draw(u64 count, const Is& is) {
  u64 n = machine_.order.below(count);
  for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next)
    if (is(machine_.processes[at]) && n-- == 0) return at;
  return kNobody;
}

const SeededProcess* SeededTurns::first_deadline() const {
  const SeededProcess* first = nullptr;
  for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next) {
    const SeededProcess& process = machine_.processes[at];
    if (process.state != TurnState::waiting || process.deadline_ns == kNever) continue;
    if (first == nullptr || process.deadline_ns < first->deadline_ns) first = &process;
  }
  return first;
}

bool SeededTurns::outside_had_its_time(const SeededProcess& first) const {
  if (first.descriptors == 0) return true;
  if (machine_.outside_since_ns == 0) return false;
  return host_now_ns() - machine_.outside_since_ns >= first.deadline_ns - machine_.now_ns;
}

u32 SeededTurns::waiting_count() const {
  u32 count = 0;
  for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next)
    count += machine_.processes[at].state == TurnState::waiting ? 1 : 0;
  return count;
}

/// The next one that waits, behind this process and around.
u32 SeededTurns::next_waiting() const {
  const auto from = [this](u32 at) {
    while (at != kNobody && machine_.processes[at].state != TurnState::waiting)
      at = machine_.processes[at].next;
    return at;
  };
  const u32 behind = from(machine_.processes[number_].next);
  return behind != kNobody ? behind : from(machine_.first);
}

/// The outside's looks leave no trace in the machine's state: how many there are is the host's affair.
u32 SeededTurns::choose() {
  for (;;) {
    u64 able = 0, looking = 0;
    for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next)
      able += is_able(machine_.processes[at]) ? 1 : 0;
    const auto looks_now = [&](const SeededProcess& each) { return is_to_look(each, able != 0); };
    for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next)
      looking += looks_now(machine_.processes[at]) ? 1 : 0;
    if (able + looking != 0) {
      machine_.outside_since_ns = 0;
      ++machine_.turns;
      const bool looks = able == 0 || (looking != 0 && machine_.order.below(kLooksAmongTurns) == 0);
      return looks ? draw(looking, looks_now)
                   : draw(able, [this](const SeededProcess& each) { return is_able(each); });
    }
    if (const SeededProcess* const first = first_deadline();
        first != nullptr && outside_had_its_time(*first)) {
      machine_.outside_since_ns = 0;
      machine_.now_ns = first->deadline_ns;
      continue;
    }
    if (machine_.outside_since_ns == 0) machine_.outside_since_ns = host_now_ns();
    return next_waiting();
  }
}

u64 SeededTurns::outside_sleep_ns() const {
  if (machine_.outside_since_ns == 0) return 0;
  u64 most = waiting_count() == 1 ? kOutsideAloneNs : kOutsideLookNs;
  if (const SeededProcess* const first = first_deadline(); first != nullptr) {
    const u64 passed = host_now_ns() - machine_.outside_since_ns,
              wanted = first->deadline_ns - machine_.now_ns;
    most = std::min(most, wanted > passed ? wanted - passed : 0);
  }
  return most;
}

bool SeededTurns::only_outside_is_left() const {
  return machine_.outside_since_ns != 0 && first_deadline() == nullptr;
}

// --- giving and taking ---

void SeededTurns::hand_to(u32 next) {
  holds_ = false;
  if (next == number_) return;
  __atomic_store_n(&machine_.holder, next, __ATOMIC_SEQ_CST);
  if (next == kNobody) return;
  u32& calls = machine_.processes[next].calls;
  __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
  raw_syscall(__NR_futex, &calls, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void SeededTurns::pass() {
  hand_to(choose());
  take();
}

void SeededTurns::pass_waiting() {
  self().state = TurnState::waiting;
  self().seen_changes = machine_.changes;
  self().poked = 0;
  self().looked_at_turn = machine_.turns;
  pass();
}

void SeededTurns::leave(TurnState state) {
  self().state = state;
  hand_to(choose());
}

void SeededTurns::take() {
  if (holds_) return;
  for (;;) {
    const u32 calls = __atomic_load_n(&self().calls, __ATOMIC_SEQ_CST);
    u32 holder = __atomic_load_n(&machine_.holder, __ATOMIC_SEQ_CST);
    if (holder == number_) break;
    if (holder == kNobody) {
      if (__atomic_compare_exchange_n(&machine_.holder, &holder, number_, false, __ATOMIC_ACQUIRE,
                                      __ATOMIC_RELAXED))
        break;
      continue;
    }
    const __kernel_timespec timeout{0, static_cast<i64>(kLookAfterNs)};
    const i64 result = raw_syscall(__NR_futex, &self().calls, FUTEX_WAIT, calls, &timeout, nullptr, 0);
    if (result == -ETIMEDOUT && look_after(holder)) break;
  }
  holds_ = true;
  settle();
}

/// A holder that was killed from outside: this process takes over.
bool SeededTurns::look_after(u32 holder) {
  if (__atomic_load_n(&machine_.holder, __ATOMIC_RELAXED) != holder || !is_gone(holder, false)) return false;
  u32 dead = holder;
  if (!__atomic_compare_exchange_n(&machine_.holder, &dead, number_, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED))
    return false;
  if (machine_.processes[holder].state != TurnState::ended) unlink(holder);
  poke(machine_.processes[holder].parent);
  changed();
  return true;
}

/// What former holders began is brought to its end.
void SeededTurns::settle() {
  if (const u32 ending = machine_.ending; ending != kNobody) {
    machine_.ending = kNobody;
    (void)is_gone(ending, true);
    wait_for_task_list();
    poke(machine_.processes[ending].parent);
  }
  if (machine_.stopping != kNobody) settle_stops();
  wait_for_task_list();  // a system call: the handlers of signals that were sent to us run before it returns
  if (self().state == TurnState::away || self().state == TurnState::stopped) self().state = TurnState::ready;
}

/// If this process is the one that stopped, it goes on again, and those it stopped with it may do so too.
void SeededTurns::settle_stops() {
  const u32 stopping = machine_.stopping;
  machine_.stopping = kNobody;
  SeededProcess& process = machine_.processes[stopping];
  while (stopping != number_ && __atomic_load_n(&process.back, __ATOMIC_ACQUIRE) == 0 &&
         !is_stopped(stopping) && !is_gone(stopping, false))
    pause(kPauseNs);
  const bool is_back = stopping == number_ || process.back != 0;
  if (is_back && process.state == TurnState::stopped) process.state = process.before_stop;
  poke(process.parent);
  wait_for_task_list();
  for (u32 at = machine_.first; at != kNobody; at = machine_.processes[at].next) {
    SeededProcess& other = machine_.processes[at];
    if (other.stops_too == 0) continue;
    other.stops_too = 0;
    while (!is_back && !is_stopped(at) && !is_gone(at, false)) pause(kPauseNs);
    if (is_back && !is_stopped(at)) other.state = other.before_stop;
    poke(other.parent);
  }
  pause(kPauseNs);  // their parents are told in the same breath, but not under a lock
  wait_for_task_list();
  changed();
}

// --- ends and stops of others ---

/// Whether the host's process has ended, also if it is a zombie. `waits`: until it has.
bool SeededTurns::is_gone(u32 number, bool waits) const {
  for (;;) {
    const i64 opened = raw_syscall(__NR_pidfd_open, machine_.host_pids[number], 0);
    if (opened == -ESRCH) return true;
    const i64 fd = opened < 0 ? opened : raw_syscall(__NR_fcntl, opened, F_DUPFD_CLOEXEC, fd_least_);
    if (opened >= 0) raw_syscall(__NR_close, opened);
    bool ended = false;
    if (fd >= 0) {
      pollfd look{.fd = static_cast<int>(fd), .events = POLLIN, .revents = 0};
      const __kernel_timespec now{};
      ended = raw_syscall(__NR_ppoll, &look, 1, waits ? nullptr : &now, nullptr, 0) == 1;
      raw_syscall(__NR_close, fd);
    }
    if (ended || !waits) return ended;
    if (fd < 0) pause(kPauseNs);
  }
}

bool SeededTurns::is_stopped(u32 number) const {
  std::vector<char> path =
      Text().add("/proc/").decimal(static_cast<u64>(machine_.host_pids[number])).add("/stat").take();
  path.push_back('\0');
  const i64 opened = raw_syscall(__NR_open, path.data(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return true;  // gone, or nobody can tell
  char text[256];
  const i64 bytes = raw_syscall(__NR_read, opened, text, sizeof text);
  raw_syscall(__NR_close, opened);
  const std::string_view stat(text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string_view::npos && name_end + 2 < stat.size() && stat[name_end + 2] == 'T';
}

void SeededTurns::killed(u32 number) {
  if (machine_.processes[number].state == TurnState::ended) return;
  (void)is_gone(number, true);
  wait_for_task_list();
  unlink(number);
  poke(machine_.processes[number].parent);
  changed();
}

void SeededTurns::stopped(u32 number) {
  SeededProcess& process = machine_.processes[number];
  if (process.state == TurnState::ended || process.state == TurnState::stopped) return;
  process.before_stop = process.state;
  process.state = TurnState::stopped;
  while (!is_stopped(number) && !is_gone(number, false)) pause(kPauseNs);
  pause(kPauseNs);
  poke(process.parent);
  changed();
}

void SeededTurns::stops_too(u32 number) {
  SeededProcess& process = machine_.processes[number];
  if (process.state == TurnState::ended || process.state == TurnState::stopped) return;
  process.before_stop = process.state;
  process.state = TurnState::stopped;
  process.stops_too = 1;
}

void SeededTurns::continued(u32 number) {
  SeededProcess& process = machine_.processes[number];
  if (process.state != TurnState::stopped) return;
  process.state = process.before_stop;
  poke(process.parent);
  changed();
}

/// Whoever continued us from inside has said so; if it was the outside, or there was no stop, nobody has.
void SeededTurns::came_back() {
  __atomic_store_n(&self().back, 1, __ATOMIC_RELEASE);
  if (machine_.stopping != number_ && self().state == TurnState::stopped) self().state = self().before_stop;
}

}  // namespace orrery::host
