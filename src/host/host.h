// The door. Everything the guest kernel needs from outside the machine is asked through this
// interface and nowhere else, so that a recording is "what the door answered" (design.md, seam 3).
// LiveHost asks the real kernel, record::RecordingHost decorates another Host and writes its
// answers down, replay::ReplayHost answers from a recording, FakeHost(seed) invents answers for tests.
//
// Guest memory is plain memory at the same address here (invariant 1); the kernel has already checked
// every range it hands over against the guest's own map.
#pragma once

#include <array>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "base/types.h"
#include "memory/backend.h"
#include "trace/event.h"

namespace orrery::host {

/// How many bytes of an output range a finished call has written.
enum class Extent : u8 {
  whole_on_success,  ///< all of it when the result is >= 0
  result_bytes,      ///< `result` bytes, spread over consecutive result_bytes ranges in order (iovecs)
  result_items,      ///< `result` items of `item_bytes` each
  length_word,       ///< min(capacity, the u32 at `length_at` after the call) (getsockname and kin)
  always,            ///< all of it whatever the result (nanosleep's remainder on EINTR, ...)
};

struct OutRange {
  u64 address = 0;
  u64 capacity_bytes = 0;
  Extent extent = Extent::whole_on_success;
  u32 item_bytes = 1;
  u64 length_at = 0;
};

struct InRange {
  u64 address = 0;
  u64 size_bytes = 0;
};

/// A short list that needs no heap, and whose unused items cost nothing. Calls with more ranges (1,024
/// iovecs) point `set_external` at memory of the caller's that lives through the call.
template <class T, int N>
class RangeList {
 public:
  void add(const T& item) {
    if (count_ < N) new (&storage_[static_cast<std::size_t>(count_) * sizeof(T)]) T(item);
    ++count_;
  }
  void set_external(std::span<const T> items) { external_ = items; }
  std::span<const T> items() const {
    if (!external_.empty()) return external_;
    return {reinterpret_cast<const T*>(storage_), static_cast<std::size_t>(count_)};
  }

 private:
  static_assert(std::is_trivially_copyable_v<T>);
  alignas(T) unsigned char storage_[N * sizeof(T)];  // written by add(), read up to count_
  std::span<const T> external_{};
  int count_ = 0;
};

/// One system call to be made for the guest. `number` is the x86-64 number; `args` are host values
/// (guest pointers are host pointers; descriptors are the same numbers).
struct HostCall {
  u32 number = 0;
  std::array<u64, 6> args{};
  RangeList<InRange, 4> in;    ///< bytes the call reads: hashed into the event to find divergence
  RangeList<OutRange, 6> out;  ///< bytes the call writes: kept in the event
  /// Which args name the call for divergence checks (bit i = args[i]); pointers into engine memory
  /// are left out.
  u8 checked_args = 0x3f;
  /// Sink of the guest's own words: 1 stdout, 2 stderr, 0 neither. A replay that shows output writes
  /// the `in` ranges there.
  u8 terminal_stream = 0;
  /// A ppoll that sleeps for a process that takes turns: what another process does may be what it waits for,
  /// so it may end without a descriptor and before its time (kernel::Wait::tries_again).
  bool ends_by_others = false;
};

/// HostSignal::number of no signal: the running task's time is over.
inline constexpr int kQuantumOver = 0;

/// HostSignal::number of no signal: another process has mapped a file that this one has mapped for writing,
/// and waits for it to take turns.
inline constexpr int kMemoryShared = -1;

/// A signal from outside the machine, or of a timer the host keeps for us.
struct HostSignal {
  int number = 0;
  std::array<u8, 128> siginfo{};  ///< the kernel's siginfo_t, bytes as delivered
};

/// Which signals the guest does not take at the moment. Bit n - 1 stands for signal n.
struct SignalView {
  u64 blocked = 0;
  u64 ignored = 0;             ///< SIG_IGN
  u64 ignored_by_default = 0;  ///< SIG_DFL, which does nothing: SIGCHLD, SIGURG, SIGWINCH, SIGCONT
  u64 held = 0;                ///< of the blocked ones: must stay pending on the host, for a signalfd
};

/// A new process that goes on where this one does.
struct ForkRequest {
  u64 flags = 0;  ///< for clone(2): CLONE_PARENT, CLONE_PIDFD, and in the low byte the signal of its end
  bool borrows = false;  ///< the child uses its parent's memory until it lets go (vfork): see take_back()

  // Answers.
  i32 pid = 0;     ///< in the child: its own
  i32 pidfd = -1;  ///< in the parent, for CLONE_PIDFD
};

/// A stretch of memory, both ends page boundaries.
struct PageRange {
  u64 start = 0;
  u64 end = 0;
};

/// What a process becomes that goes on natively, and what it takes along beside its descriptors.
struct NextProgram {
  struct Limit {
    u32 resource = 0;
    u64 soft = 0, hard = 0;
  };
  int directory_fd = 0;
  const char* path = nullptr;
  u64 flags = 0;  ///< execveat(2)'s
  const char* const* arguments = nullptr;
  const char* const* environment = nullptr;
  u64 signals_ignored = 0, signals_blocked = 0;  ///< bit n - 1: signal n
  std::span<const HostSignal> pending{};
  std::span<const Limit> limits{};  ///< those that the host was not told
  u32 personality = 0;
  bool no_new_privileges = false;
  u32 engine_fd_first = 0, engine_fd_end = 0;  ///< closed
  std::span<const u8> words{};                 ///< as of Host::executed
};

/// The exact point of the run at which the door is used; written into each event.
struct Instant {
  i32 task = 0;
  u64 ticks = 0;
  u64 pc = 0;
};

/// Results are the kernel's: >= 0, or -errno.
/// Guest memory (memory::Backend) is performed by every Host, replaying ones included.
class Host : public memory::Backend {
 public:
  /// The point from which the following questions are asked. Set by the machine before each exit is handled.
  virtual void at(const Instant& instant) = 0;

  /// Makes the call. Interruptible: returns -EINTR when a host signal is pending (also when it came
  /// just before), so that the kernel looks at next_signal().
  virtual i64 call(HostCall& call) = 0;

  // What a program can read of the world without a system call.
  virtual u64 read_tsc() = 0;
  virtual u32 current_cpu() = 0;                     ///< rdpid, rdtscp's ecx, getcpu
  virtual void random_bytes(std::span<u8> out) = 0;  ///< AT_RANDOM, rdrand, rdseed

  /// The guest kernel is about to take signals: look 0 is before guest code runs, look n is the n-th within a
  /// system call. The instant alone would not say which: a signal may come between two looks of one call.
  virtual void begin_look(u16 /*number*/) {}

  /// The next signal from outside that is to be handed to the guest now; false if none. Recorded with
  /// the instant, and on replay answered only at that instant.
  virtual bool next_signal(HostSignal& signal) = 0;

  /// What the guest does not take from now on. Not a question, so never recorded: the live host does
  /// likewise, so that only what the guest takes disturbs a call that waits, and what it ignores has its
  /// effects outside (a background read of a terminal, reaping).
  virtual void set_signal_view(const SignalView&) {}

  /// Another task goes on from here; one has ended. Not questions: the live host keeps their processor time.
  virtual void task_runs(i32 /*task*/) {}
  virtual void task_ended(i32 /*task*/) {}

  /// More than one task wants to run (or no longer does): while so, a host signal of number kQuantumOver
  /// comes now and then through next_signal(), so that they take turns.
  virtual void set_preemption(bool /*wanted*/) {}

  // --- processes ---

  /// Makes a process. The child's pid or -errno; 0 in the child, which has no signals pending and none of its
  /// parent's timers.
  virtual i64 fork(ForkRequest&) { return -kNotImplemented; }
  /// In the parent of a child that borrows, before anything else: waits until that has let go, and puts what
  /// it left in memory into `changes`: trace::MemoryChange and its bytes, again and again.
  virtual void take_back(std::vector<u8>& /*changes*/) {}
  /// In a child that borrows: its parent goes on. What the child changed in `ranges` (private and writable)
  /// is to be seen there. False if that could not be found out.
  virtual bool let_go(std::span<const PageRange> /*ranges*/) { return true; }
  /// Of processes that share memory one runs at a time: sleeps until it is this one's turn, which lasts until
  /// it is given away.
  virtual void take_turn() {}
  virtual void give_turn() {}
  /// Gives the turn away and takes it again, if others wait for it.
  virtual void pass_turn() {}
  virtual bool turn_is_wanted() { return false; }
  /// The guest is about to map the file behind its descriptor shared: whether another process has mapped it
  /// for writing, and so takes turns from now on, as this one has to. `writable`: this or another process may
  /// yet write it. Not to be asked while having the turn.
  virtual bool meets_others(int /*fd*/, bool /*writable*/) { return false; }
  /// Whether a system call with these arguments changes a file that other processes have mapped for writing
  /// and this one has not: then meets_by_change() is to be asked first. Never true of mmap.
  virtual bool changes_others_file(u64 /*number*/, const std::array<u64, 6>& /*args*/) { return false; }
  /// The same after the call: others have mapped the file while it was made. Then meets_by_change() comes
  /// next, and tell_late_change() when this process has its turn.
  virtual bool changed_others_file(u64 /*number*/, const std::array<u64, 6>& /*args*/) { return false; }
  /// As meets_others(), of the file that the call changes, or has changed (`late`).
  virtual bool meets_by_change(u64 /*number*/, const std::array<u64, 6>& /*args*/, bool /*late*/) {
    return false;
  }
  virtual void tell_late_change(u64 /*number*/, const std::array<u64, 6>& /*args*/, i64 /*result*/) {}
  /// The file behind the descriptor is one of the machine, whoever else in it gets to see it: a memfd that
  /// the guest has made, a file that it has opened and passes on.
  virtual void vouch_for(int /*fd*/) {}
  /// Whether the file behind a descriptor that others gave the guest is one of the machine: vouched for, or a
  /// file that one of its processes has mapped for writing.
  virtual bool is_machines_file(int /*fd*/) { return false; }
  /// What the process shows of itself has changed: whether others may look, so that show_view() is of use.
  /// `settled`: the guest does something else now; else more changes are likely to come.
  virtual bool wants_view(bool /*settled*/) { return false; }
  /// Puts a view of the process (kernel/process_view.h) where others find it, in place of the last one: a
  /// file in memory behind `fd`, one of the engine's descriptors.
  virtual void show_view(int /*fd*/, std::span<const u8> /*view*/) {}
  /// The process has become another program; `words` is its path and then its arguments, each with a NUL.
  virtual void executed(std::span<const u8> /*words*/) {}

  /// The tick at which guest code must stop because the next event is asynchronous; ~0 when the next
  /// event is one the program itself brings about. Live: always ~0.
  virtual u64 stop_at_tick() = 0;

  /// The process ends: exit_group status, or the fatal signal. Does not return when live.
  virtual void exit(int status, int fatal_signal) = 0;
  /// What the process has used so far. Only recorders ask; all zero where that is not to be known.
  virtual trace::ResourceUsage usage() { return {}; }
  /// The process executes a program without us. Does not return when live.
  virtual void leave(const NextProgram&) {}

 protected:
  ~Host() = default;

 private:
  static constexpr i64 kNotImplemented = 38;  // ENOSYS
};

}  // namespace orrery::host
