// Asynchronous signals and the one window that matters.
//
// The engine has one host thread, and its handler runs with every signal blocked, so the queue has one
// producer that can only interrupt the one consumer: no locks, plain stores in program order, and one
// `lock`-free read-modify-write for the count that both sides change. The guest kernel drains the queue
// before it runs guest code. A signal that comes later than that, while a blocking call is being made, is
// seen by interruptible.S; one that comes during the call makes the host kernel answer EINTR, because the
// handlers are installed without SA_RESTART. Whether the guest sees that EINTR is the guest kernel's
// decision (SA_RESTART of the guest's own handler, or no handler at all).
//
// Quiet signals. A signal that the guest blocks or ignores must not even wake a call that waits: a large
// write would return short, a time-out of a socket would begin anew. So the host blocks and ignores what the
// guest does; but most masks change many times between two calls that wait, and each change on the host is a
// system call. Therefore the host follows at once only where a signal would be kept from the guest
// (unblocked, caught, blocked while ignored), or where its effects are seen elsewhere (SIGCHLD ignored, a
// signalfd); everything else waits for the next call that may wait (quieten). Signals that the processor's
// exceptions become are never blocked or ignored here: the engine lives by them.
#include "host/live_host.h"

#include <asm/unistd.h>
#include <linux/resource.h>
#include <signal.h>
#include <sys/prctl.h>

#include "host/blocking.h"
#include "host/interruptible.h"
#include "host/memory_calls.h"
#include "host/raw_syscall.h"
#include "linux/signal_event.h"

namespace orrery::host {
namespace {

constexpr int kSignalsMost = 64;
constexpr u64 kSignalSetBytes = 8;
constexpr u64 kSaRestorer = 0x0400'0000;

/// struct kernel_sigaction of arch/x86; libc's struct sigaction has another order.
struct KernelSigaction {
  u64 handler = 0;
  u64 flags = 0;
  u64 restorer = 0;
  u64 mask = 0;
};
static_assert(sizeof(KernelSigaction) == 32);

struct KernelStack {
  u64 address = 0;
  i32 flags = 0;
  i32 padding = 0;
  u64 size_bytes = 0;
};

constexpr i32 kNotifyThread = 4;  // SIGEV_THREAD_ID
constexpr i32 kMonotonic = 1;     // CLOCK_MONOTONIC

constexpr u64 kIgnore = 1;

i64 set_action(int number, const KernelSigaction& action) {
  return raw_syscall(__NR_rt_sigaction, number, &action, nullptr, kSignalSetBytes);
}

void set_mask(u64 mask) { raw_syscall(__NR_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, kSignalSetBytes); }

KernelSigaction action_for(SignalHandler handler) {
  return {.handler = reinterpret_cast<u64>(handler),
          .flags = static_cast<u64>(SA_SIGINFO | SA_ONSTACK) | kSaRestorer,
          .restorer = reinterpret_cast<u64>(&orrery_signal_restorer),
          .mask = ~u64{0}};
}

}  // namespace

namespace {

constexpr u64 bit(int number) { return u64{1} << (number - 1); }

/// Signals that the processor's exceptions become.
constexpr u64 kFaults = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP);
constexpr u64 kUncatchable = bit(SIGKILL) | bit(SIGSTOP);

bool is_fault(int number) { return (kFaults & bit(number)) != 0; }

template <class Visit>
void for_each_signal(u64 signals, const Visit& visit) {
  for (; signals != 0; signals &= signals - 1) visit(__builtin_ctzll(signals) + 1);
}

}  // namespace

void LiveHost::install_signal_handlers(const SignalSetup& setup) {
  handler_ = setup.handler;
  const KernelStack stack{.address = setup.stack_address, .size_bytes = setup.stack_bytes};
  raw_syscall(__NR_sigaltstack, &stack, nullptr);
  for (int number = 1; number <= kSignalsMost; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    if (setup.faults_only && !is_fault(number)) continue;
    KernelSigaction old;
    raw_syscall(__NR_rt_sigaction, number, nullptr, &old, kSignalSetBytes);
    if (old.handler == kIgnore && !is_fault(number))
      host_ignored_ |= bit(number);
    else
      set_action(number, action_for(handler_));
  }
  if (!setup.keeps_mask) set_mask(0);
  if (!setup.faults_only) set_signal_view(view_);
}

void LiveHost::queue_signal(int number, const void* siginfo, u64& resume_mask) {
  // The mask was closed before this could happen, but for faults that are sent from outside: as standard
  // signals, they would have become one anyway.
  if (pending_ >= kQueueMost) return;
  HostSignal& slot = queue_[tail_ % kQueueMost];
  slot.number = number;
  const auto* from = static_cast<const u8*>(siginfo);
  for (std::size_t i = 0; i < slot.siginfo.size(); ++i) slot.siginfo[i] = from[i];
  if (is_quantum(slot)) {
    slot.number = kQuantumOver;
    slot.siginfo = {};
  } else if (SharedFiles::is_call_to_share(number, siginfo)) {
    slot.number = kMemoryShared;
    slot.siginfo = {};
  }
  ++tail_;
  const u32 now = pending_ + 1;
  pending_ = now;
  if (now == kQueueMost) {
    full_ = true;
    resume_mask = ~kFaults;
  }
}

bool LiveHost::next_signal(HostSignal& signal) {
  if (pending_ == 0) return false;
  signal = queue_[head_ % kQueueMost];
  ++head_;
  // One instruction, so that a handler that comes in between is not lost.
  __asm__ volatile("decl %0" : "+m"(pending_) : : "cc", "memory");
  if (full_ && pending_ == 0) {
    full_ = false;
    set_mask(host_blocked_);
  }
  return true;
}

void LiveHost::set_signal_view(const SignalView& guests) {
  const SignalView before = view_;
  SignalView view = guests;
  if (quantum_timer_ >= 0 || expects_others_)  // whatever the guest does with that signal, ours must come
    for (u64* const set : {&view.blocked, &view.ignored, &view.ignored_by_default, &view.held})
      *set &= ~bit(kQuantumSignal);
  view_ = view;
  if (handler_ == nullptr) return;  // install_signal_handlers() will come back here
  const u64 ignored = view.ignored | view.ignored_by_default;
  const u64 other_way = view.ignored ^ before.ignored;  // SIG_IGN and the default differ for SIGCHLD
  if (const u64 wanted = host_ignored_ & (view.blocked | ~ignored | other_way); wanted != 0)
    listen_on_host(wanted);
  // Ignoring throws away what is pending (do_sigaction), also what the guest blocks.
  const u64 newly = ignored & ~(before.ignored | before.ignored_by_default);
  if (const u64 discarded = newly & view.blocked & host_blocked_; discarded != 0) {
    ignore_on_host(discarded);
    listen_on_host(discarded);
  }
  if (const u64 reaped = view.ignored & ~view.blocked & ~host_ignored_ & bit(SIGCHLD); reaped != 0)
    ignore_on_host(reaped);
  close_mask((host_blocked_ & view.blocked) | (view.held & ~kFaults));
  quiet_is_due_ = ((ignored & ~view.blocked & ~host_ignored_ & ~kFaults) |
                   (view.blocked & ~host_blocked_ & ~kFaults)) != 0;
}

/// Before a call that may wait: the host ignores and blocks all that the guest does.
void LiveHost::quieten() {
  quiet_is_due_ = false;
  const u64 ignored = (view_.ignored | view_.ignored_by_default) & ~view_.blocked & ~kFaults;
  ignore_on_host(ignored & ~host_ignored_);
  close_mask(host_blocked_ | (view_.blocked & ~kFaults));
}

void LiveHost::ignore_on_host(u64 signals) {
  for_each_signal(signals & ~kUncatchable, [this](int number) {
    const bool by_default = (view_.ignored & bit(number)) == 0;
    set_action(number, KernelSigaction{.handler = by_default ? 0 : kIgnore});
    host_ignored_ |= bit(number);
  });
}

void LiveHost::listen_on_host(u64 signals) {
  for_each_signal(signals, [this](int number) {
    set_action(number, action_for(handler_));
    host_ignored_ &= ~bit(number);
  });
}

void LiveHost::close_mask(u64 signals) {
  if (signals == host_blocked_) return;
  host_blocked_ = signals;
  if (!full_) set_mask(signals);
}

/// For a short time no signal comes at all.
void LiveHost::close_mask_wholly() { set_mask(~u64{0}); }
void LiveHost::open_mask_again() { set_mask(full_ ? ~kFaults : host_blocked_); }

bool LiveHost::is_quantum(const HostSignal& signal) const {
  constexpr u64 kCodeAt = 8, kValueAt = 24;  // si_code, si_value
  i32 code = 0;
  u64 value = 0;
  __builtin_memcpy(&code, signal.siginfo.data() + kCodeAt, sizeof code);
  __builtin_memcpy(&value, signal.siginfo.data() + kValueAt, sizeof value);
  return signal.number == kQuantumSignal && code == SI_TIMER && value == reinterpret_cast<u64>(this);
}

void LiveHost::expect_others() {
  if (expects_others_) return;
  expects_others_ = true;
  set_signal_view(view_);
}

void LiveHost::set_preemption(bool wanted) {
  if (wanted == preempting_) return;
  preempting_ = wanted;
  if (quantum_timer_ < 0) {
    abi::SignalEvent event{.value = reinterpret_cast<u64>(this),
                           .number = kQuantumSignal,
                           .notify = kNotifyThread,
                           .task = static_cast<i32>(raw_syscall(__NR_gettid))};
    if (raw_syscall(__NR_timer_create, kMonotonic, &event, &quantum_timer_) < 0) return;
    set_signal_view(view_);
  }
  const u64 ns = wanted ? kQuantumNs : 0;
  const u64 times[4] = {0, ns, 0, ns};
  raw_syscall(__NR_timer_settime, quantum_timer_, 0, times, nullptr);
}

i64 LiveHost::call(HostCall& call) {
  const auto& a = call.args;
  if (const auto own = task_clocks_.answer(call.number, a[0], a[1])) return *own;
  if (!can_block(call.number)) return raw_syscall6(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (quiet_is_due_) quieten();
  return orrery_interruptible_syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5], &pending_);
}

u64 LiveHost::read_tsc() {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return u64{high} << 32 | low;
}

/// The guest is shown one processor (kernel/cpu_view.h), so rdpid, rdtscp and lsl say what getcpu says.
u32 LiveHost::current_cpu() { return 0; }

void LiveHost::random_bytes(std::span<u8> out) {
  while (!out.empty()) {
    const i64 got = raw_syscall(__NR_getrandom, out.data(), out.size(), 0);
    if (got > 0) out = out.subspan(static_cast<std::size_t>(got));
  }
}

trace::ResourceUsage LiveHost::usage() {
  constexpr u64 kSecondNs = 1'000'000'000, kMicrosecondNs = 1'000, kKibibyte = 1024;
  rusage used{};
  if (raw_syscall(__NR_getrusage, RUSAGE_SELF, &used) != 0) return {};
  const auto in_ns = [](const auto& time) {
    return static_cast<u64>(time.tv_sec) * kSecondNs + static_cast<u64>(time.tv_usec) * kMicrosecondNs;
  };
  return {in_ns(used.ru_utime), in_ns(used.ru_stime), static_cast<u64>(used.ru_maxrss) * kKibibyte};
}

void LiveHost::exit(int status, int fatal_signal) {
  turns_.give();
  if (fatal_signal != 0) {
    // A core of this process would show the engine, and the parent must still see the signal.
    const rlimit64 no_core{0, 0};
    raw_syscall(__NR_prlimit64, 0, RLIMIT_CORE, &no_core, nullptr);
    set_action(fatal_signal, KernelSigaction{});
    set_mask(0);
    const i64 pid = raw_syscall(__NR_getpid);
    raw_syscall(__NR_tgkill, pid, raw_syscall(__NR_gettid), fatal_signal);
    status = 128 + fatal_signal;  // only if the signal's default is not to end the process
  }
  while (true) raw_syscall(__NR_exit_group, status);
}

/// Dispositions, what is pending and the mask become those of a process that was never ours. Nothing comes
/// through before the last step; then what comes has the effect that it would have after the exec.
void LiveHost::hand_signals_over(const NextProgram& next) {
  set_mask(~u64{0});
  if (quantum_timer_ >= 0) raw_syscall(__NR_timer_delete, quantum_timer_);
  set_action(kQuantumSignal, KernelSigaction{.handler = kIgnore});  // discards what is pending of it
  for (int number = 1; number <= kSignalsMost; ++number) {
    if ((bit(number) & kUncatchable) != 0) continue;
    set_action(number, KernelSigaction{.handler = (next.signals_ignored & bit(number)) != 0 ? kIgnore : 0});
  }
  const i64 pid = raw_syscall(__NR_getpid);
  const auto send = [pid](const HostSignal& signal) {
    raw_syscall(__NR_rt_sigqueueinfo, pid, signal.number, signal.siginfo.data());
  };
  for (const HostSignal& signal : next.pending) send(signal);
  for (HostSignal signal; next_signal(signal);)
    if (signal.number > 0) send(signal);
  set_mask(next.signals_blocked);
}

void LiveHost::leave(const NextProgram& next) {
  constexpr u64 kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC
  turns_.give();
  hand_signals_over(next);
  if (next.no_new_privileges) raw_syscall(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  raw_syscall(__NR_personality, next.personality);
  raw_syscall(__NR_close_range, next.engine_fd_first, next.engine_fd_end - 1, kCloseOnExec);
  for (const NextProgram::Limit& limit : next.limits) {
    const rlimit64 wanted{limit.soft, limit.hard};
    raw_syscall(__NR_prlimit64, 0, limit.resource, &wanted, nullptr);
  }
  raw_syscall(__NR_execveat, next.directory_fd, next.path, next.arguments, next.environment, next.flags);
  exit(0, SIGSEGV);  // past the point of no return, as the kernel's own execve
}

i64 LiveHost::map(const memory::MapRequest& request) {
  return map_memory(request, request.fd, request.offset);
}
i64 LiveHost::unmap(u64 address, u64 size_bytes) { return unmap_memory(address, size_bytes); }
i64 LiveHost::protect(u64 address, u64 size_bytes, int protection) {
  return protect_memory(address, size_bytes, protection);
}
i64 LiveHost::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  return move_memory(from, from_bytes, to, to_bytes);
}
i64 LiveHost::discard(u64 address, u64 size_bytes) { return discard_memory(address, size_bytes); }

}  // namespace orrery::host
