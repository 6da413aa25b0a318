// One guest process: the tasks that share an address space, with all that the kernel keeps per thread
// group. Owned by the Kernel.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "host/host.h"
#include "kernel/kernel.h"
#include "kernel/report.h"
#include "kernel/seccomp.h"
#include "kernel/shared_segments.h"
#include "kernel/signal_queue.h"
#include "kernel/task.h"
#include "memory/address_space.h"

namespace orrery::kernel {

class FdTable;      // kernel/fd_table.h
class FutexTable;   // kernel/futex_table.h
class Scheduler;    // kernel/scheduler.h
struct LeavingFor;  // kernel/leaving.h

/// struct sigaction as rt_sigaction(2) passes it on x86-64.
struct SignalAction {
  u64 handler = 0;  ///< 0 SIG_DFL, 1 SIG_IGN
  u64 flags = 0;
  u64 restorer = 0;
  SignalSet mask = 0;
};
static_assert(sizeof(SignalAction) == 32);

/// A timer of timer_create(2), which the host keeps.
struct PosixTimer {
  i32 id = 0;
  i32 overruns = 0;  ///< of the last signal taken: what timer_getoverrun gives
  TaskId target{0};  ///< SIGEV_THREAD_ID: the task that gets the signal; 0: the process does
};

/// struct rlimit64.
struct ResourceLimit {
  u64 soft = ~u64{0};
  u64 hard = ~u64{0};
};
inline constexpr int kResourceLimitCount = 16;

/// Tasks that are not leaders have ids of their own, above all that the host's kernel gives (PID_MAX_LIMIT).
inline constexpr i32 kFirstTaskId = 4'194'305;

struct Credentials {
  u32 uid = 0, euid = 0, suid = 0;
  u32 gid = 0, egid = 0, sgid = 0;
};

/// Where exec put things (mm_struct's start_* and end_*): /proc/self/{cmdline,environ,auxv,stat}.
struct ImageLayout {
  u64 code_start = 0, code_end = 0;
  u64 data_start = 0, data_end = 0;
  u64 stack_start = 0;  ///< the initial rsp
  u64 arguments_start = 0, arguments_end = 0;
  u64 environment_start = 0, environment_end = 0;
  u64 program_base = 0;      ///< load bias of the program
  u64 interpreter_base = 0;  ///< AT_BASE
  u64 entry = 0;             ///< AT_ENTRY
};

/// What resident.h found out last about the engine's share of the process.
struct EngineResident {
  bool measured = false;
  u64 host_pages = 0;    ///< the host's count then
  u64 engine_pages = 0;  ///< how many of them were the engine's
};

/// What the view that others see was made of (kernel/outer_view.h).
struct ShownState {
  u64 changes = 0, map_changes = 0;
  SignalSet blocked = 0;
  i32 next_task_id = 0;
  std::size_t tasks = 0;
  bool operator==(const ShownState&) const = default;
};

/// A task that ended while this process traced it, and was not waited for yet.
struct EndedTracee {
  i32 task = 0;
  i32 status = 0;  ///< as wait(2) tells it
};

/// How a process ended.
struct ExitState {
  int status = 0;        ///< exit_group's argument & 0xff
  int fatal_signal = 0;  ///< 0 if it exited
  bool core_dumped = false;
};

/// What a process has of its own, or uses of another's (kernel/companion.h).
template <class T>
class OwnOrLent {
 public:
  OwnOrLent() = default;
  OwnOrLent(std::unique_ptr<T> own) : own_(std::move(own)), used_(own_.get()) {}
  void use(const OwnOrLent& others) { used_ = others.used_; }
  T* operator->() const { return used_; }
  T& operator*() const { return *used_; }

 private:
  std::unique_ptr<T> own_;
  T* used_ = nullptr;
};

struct Process {
  Process(host::Host& host, const Configuration& configuration, Scheduler& scheduler, ReportSink* report);
  /// One that uses the lender's memory and descriptors beside it.
  explicit Process(Process& lender);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  host::Host& host;
  const Configuration& configuration;
  Scheduler& scheduler;
  ReportSink* report;  ///< may be null

  // Identity.
  ProcessId id{1};
  ProcessId parent{0};
  ProcessId group{1};
  ProcessId session{1};
  Credentials credentials;
  std::vector<std::unique_ptr<Task>> tasks;  ///< leader first
  i32 next_task_id = kFirstTaskId;           ///< of the next task that is no leader

  OwnOrLent<memory::AddressSpace> memory;
  OwnOrLent<FdTable> fds;
  OwnOrLent<FutexTable> futexes;

  // Who lives in the same host process (kernel/companion.h).
  Process* lender = nullptr;  ///< whose memory and descriptors these are; null: its own
  std::vector<std::unique_ptr<Process>> companions;  ///< that use ours
  int exit_signal = 0;                               ///< a companion's: what its parent gets when it ends
  int death_signal = 0;                              ///< a companion's PR_SET_PDEATHSIG
  std::vector<EndedTracee> ended_tracees;

  // Signals.
  std::array<SignalAction, kSignalCount> actions{};
  PendingSignals pending;  ///< sent to the process as a whole
  std::vector<PosixTimer> posix_timers;
  SignalSet ignored_signals = 0;          ///< of `actions`: SIG_IGN (actions_changed keeps both)
  SignalSet default_ignored_signals = 0;  ///< SIG_DFL of a signal whose default does nothing
  SignalSet signalfd_mask = 0;            ///< some signalfd was asked to report these
  SignalSet held_signals = 0;  ///< of these, those blocked: the host keeps them pending for the descriptor

  // What exec and the program set.
  std::array<ResourceLimit, kResourceLimitCount> limits{};
  std::vector<char> cwd;  ///< absolute, without NUL
  std::vector<char> exe;  ///< absolute path of the program, /proc/self/exe
  u32 umask = 022;
  ImageLayout image;
  std::vector<u64> auxv;  ///< pairs, with the AT_NULL pair
  bool dumpable = true;   ///< PR_SET_DUMPABLE
  bool no_new_privileges = false;
  Seccomp seccomp;
  SharedSegments segments;
  std::vector<u64> own_memory_files;  ///< memory::file_object of each memfd it made
  u32 personality = 0;                ///< as the program set it; the host's has ADDR_NO_RANDOMIZE besides
  ResourceLimit host_open_files;  ///< the host's RLIMIT_NOFILE, above the guest's to make room for the engine
  EngineResident engine_resident;
  u64 changes_to_show = 0;  ///< of its signal handlers and its tasks' names
  ShownState shown;         ///< what others see

  std::array<u64, 8> reported_calls{};  ///< one bit a system call whose refusal was said already

  bool borrows = false;          ///< our parent waits for us to let go (vfork)
  bool shares_borrowed = false;  ///< and is to see what we wrote (CLONE_VM)

  std::optional<ExitState> exit;             ///< set once the process is gone
  std::unique_ptr<LeavingFor> next_program;  ///< what it goes on with natively, if it does

  memory::AddressSpace& space() { return *memory; }
  /// The one that the host's process stands for.
  Process& owner() { return lender != nullptr ? *lender : *this; }
  const Process& owner() const { return lender != nullptr ? *lender : *this; }
  SignalAction& action(int number) { return actions[static_cast<std::size_t>(number - 1)]; }
  Task* find_task(TaskId task);
  Task& leader() { return *tasks.front(); }
  /// The process is gone with all its tasks. The machine then asks the host to follow.
  void end(const ExitState& state);
  int wait_status() const;  ///< how it ended, as wait(2) tells it
  /// Says one line, prefixed by nothing; the sink adds the program's name.
  void say(std::string_view text) const {
    if (report != nullptr) report->line(text);
  }
};

/// de_thread and fork: the other tasks are not there any more, and `task` is the leader whatever it was.
void become_only_task(Task& task);

/// Names the task (its comm), on the host too, where ps and top look.
void set_command_name(Task& task, const std::array<char, 16>& name);

}  // namespace orrery::kernel
