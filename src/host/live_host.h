// The door to the real kernel: every question becomes a system call or an instruction of the host. One
// per guest process; the bottom of every chain of hosts while recording.
//
// It also keeps the signals that came from outside until the guest kernel takes them: the machine's
// handler calls queue_signal(), and interruptible calls give up while the queue is not empty.
#pragma once

#include <array>

#include "host/host.h"
#include "host/memory_loan.h"
#include "host/shared_files.h"
#include "host/shown_view.h"
#include "host/task_clocks.h"
#include "host/turns.h"

namespace orrery::host {

/// A host signal handler; `context` is the ucontext_t.
using SignalHandler = void (*)(int number, void* siginfo, void* context);

struct SignalSetup {
  SignalHandler handler = nullptr;
  u64 stack_address = 0;  ///< handlers run on this stack, never on the guest's
  u64 stack_bytes = 0;
  bool faults_only = false;  ///< a replay: signals from outside keep their default effect
  bool keeps_mask = false;   ///< what is blocked stays blocked; else nothing is
};

class LiveHost final : public Host {
 public:
  /// `engine_fd_first`: where the engine's own descriptors begin (machine/launch.h).
  explicit LiveHost(int engine_fd_first) : engine_fd_first_(engine_fd_first) {}

  int own_fd_least() const { return engine_fd(kOwnDescriptors); }
  int engine_fd(int offset) const { return engine_fd_first_ + offset; }

  // --- signals ---
  /// Installs `setup.handler` for every signal that can be caught and is not ignored now, and opens
  /// the host's mask. Signals the engine was started with as ignored stay so (nohup).
  void install_signal_handlers(const SignalSetup& setup);
  /// From the handler, with all signals blocked: keeps the signal for next_signal(). `resume_mask` is
  /// the signal mask that the return from the handler will set; it is closed when the queue is full, so
  /// that the kernel keeps what follows.
  void queue_signal(int number, const void* siginfo, u64& resume_mask);
  bool signal_pending() const { return pending_ != 0; }
  /// See the essay on quiet signals in live_host.cc.
  void set_signal_view(const SignalView& view) override;
  /// A timer of the host's sends kQuantumSignal every kQuantumNs while wanted.
  void set_preemption(bool wanted) override;
  void task_runs(i32 task) override { task_clocks_.switch_to(task); }
  void task_ended(i32 task) override { task_clocks_.forget(task); }

  // --- Host ---
  void at(const Instant&) override {}
  i64 call(HostCall& call) override;
  u64 read_tsc() override;
  u32 current_cpu() override;
  void random_bytes(std::span<u8> out) override;
  bool next_signal(HostSignal& signal) override;
  u64 stop_at_tick() override { return ~u64{0}; }
  void exit(int status, int fatal_signal) override;
  trace::ResourceUsage usage() override;
  void leave(const NextProgram& next) override;
  i64 fork(ForkRequest& request) override;
  void take_back(std::vector<u8>& changes) override;
  bool let_go(std::span<const PageRange> ranges) override;
  void take_turn() override { turns_.take(engine_fd(kOwnDescriptors)); }
  void give_turn() override { turns_.give(); }
  bool has_turn() const { return turns_.holds(); }
  bool turn_is_wanted() override { return turns_.is_wanted(); }
  /// The page in which processes of a recording meet.
  void use_machine_page(trace::MachinePage* page) {
    turns_.use(page);
    shared_files_.use(page, engine_fd(kOwnDescriptors));
  }
  SharedFiles& shared_files() { return shared_files_; }
  bool is_machines_file(int) override { return true; }  // nothing is recorded: nobody minds what others write
  /// From now on kMemoryShared may come, whatever signals the guest blocks.
  void expect_others();
  bool wants_view(bool settled) override { return view_file_.is_due(settled); }
  void show_view(int fd, std::span<const u8> view) override { view_file_.show(fd, view); }

  // --- memory::Backend ---
  i64 map(const memory::MapRequest& request) override;
  i64 unmap(u64 address, u64 size_bytes) override;
  i64 protect(u64 address, u64 size_bytes, int protection) override;
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override;
  i64 discard(u64 address, u64 size_bytes) override;

 private:
  /// Offset of the descriptors that the engine opens as it runs (machine/launch.h, kEngineFdFree).
  static constexpr int kOwnDescriptors = 10;
  static constexpr u32 kQueueMost = 64;
  static constexpr int kQuantumSignal = 64;  ///< the guest may use it too: its siginfo tells them apart
  static constexpr u64 kQuantumNs = 5'000'000;
  void hand_signals_over(const NextProgram& next);
  bool is_quantum(const HostSignal& signal) const;

  void quieten();
  void ignore_on_host(u64 signals);
  void listen_on_host(u64 signals);
  void close_mask(u64 signals);
  void close_mask_wholly();
  void open_mask_again();
  void become_child();

  int engine_fd_first_;
  SignalHandler handler_ = nullptr;
  volatile u32 pending_ = 0;    ///< signals in the queue; what interruptible calls look at
  volatile bool full_ = false;  ///< the queue filled up and the host's mask was closed
  u32 head_ = 0, tail_ = 0;     ///< written by next_signal() / by the handler
  i32 quantum_timer_ = -1;
  bool preempting_ = false;
  std::array<HostSignal, kQueueMost> queue_{};

  Turns turns_;
  SharedFiles shared_files_;
  bool expects_others_ = false;
  ShownView view_file_;
  TaskClocks task_clocks_;
  MemoryLoan lent_;      ///< our memory, to a child
  MemoryLoan borrowed_;  ///< our parent's

  SignalView view_;
  u64 host_ignored_ = 0;       ///< whose action on the host ignores
  u64 host_blocked_ = 0;       ///< the host's mask, but for times when the queue is full
  bool quiet_is_due_ = false;  ///< the next call that may wait has to quieten first
};

}  // namespace orrery::host
