// The guest kernel, seen from the machine: it loads programs, answers system calls, turns faults and
// host signals into guest signals, and says when the process has ended. It reaches the outside only
// through host::Host, so it runs the same live and on replay.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "cpu/exit.h"
#include "cpu/registers.h"
#include "host/host.h"
#include "kernel/report.h"
#include "memory/address_space.h"
#include "memory/layout.h"

namespace orrery::kernel {

struct Task;     // kernel/task.h: one guest thread and its registers (Task::cpu)
struct Process;  // kernel/process.h: the tasks that share an address space
class Scheduler;
class TaskSwitch;    // kernel/task_switch.h: what the machine offers to run more than one task
class ScheduleSink;  // kernel/schedule_note.h

/// How the machine is set up; part of the recording.
struct Configuration {
  i32 pid = 1;  ///< the first process's id, also its first task's
  i32 parent_pid = 0;
  u64 hwcap = 0, hwcap2 = 0;  ///< AT_HWCAP, AT_HWCAP2: from the virtual cpuid
  u64 xcr0 = 7;               ///< what xgetbv(0) says; signal frames follow it
  u64 xsave_bytes = 832;      ///< size of the standard-format XSAVE area for xcr0
  u64 engine_fd_first = 0;    ///< where the engine's descriptors begin, which are invisible to the guest
  u64 engine_fd_count = 128;
  u64 clock_ticks_per_second = 100;
  bool follows_all = true;      ///< the programs of all processes run on the machine
  std::string_view followed{};  ///< else those of other processes than the first that match this
  u64 nofile_soft = 0;          ///< the guest's soft RLIMIT_NOFILE; 0: as the host says
  bool seeded = false;          ///< --seed: see Scheduler::join_turns_by_seed
  /// Where the parts of programs go; varied by --aslr.
  memory::layout::Places places = memory::layout::kUsualPlaces;
};

class Kernel {
 public:
  /// `report` takes the one-line warnings; it may be null.
  Kernel(host::Host& host, const Configuration& configuration, ReportSink* report = nullptr);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  /// Makes the first process from a program on disk. 0, or -errno as execve(2) would give; `failing_path`
  /// then names the file that was at fault (the program, its interpreter, its #! interpreter).
  i64 start(std::string_view path, std::span<const char* const> arguments,
            std::span<const char* const> environment, std::vector<char>& failing_path);

  /// Before start(); without it the program can make no threads.
  void set_task_switch(TaskSwitch& task_switch);

  /// Who is told from now on what tasks do; null: nobody.
  void set_schedule_sink(ScheduleSink* sink);

  Task& current();     ///< the task to run next
  bool ended() const;  ///< the last process is gone; see exit_status()

  /// Before guest code runs: lets another task run if it is its turn, delivers pending signals to `current()`
  /// (building frames), applies restart rules. After it, ended() may be true.
  void prepare_to_run();

  /// The task executed `syscall` with these registers: does it, sets rax, rcx, r11.
  void system_call(Task& task);

  /// The task's instruction faulted: queues the signal the kernel would send.
  void fault(Task& task, const cpu::Fault& fault);

  /// The program uses more of the vector state than its profile offers (Translator::widened): signal frames
  /// carry all of it from now on.
  void widen_vector_state(u64 xcr0, u64 xsave_bytes);
  /// The components of it that programs may use (XCR0 bits).
  u64 vector_components() const { return configuration_.xcr0; }

  /// Valid once ended(): the program that the process goes on with natively, null if it is gone.
  const host::NextProgram* next_program() const;
  int exit_status() const;                ///< valid once ended(): 0..255
  int fatal_signal() const;               ///< 0, or the signal that ended it
  memory::AddressSpace& address_space();  ///< of the current task

 private:
  host::Host& host_;
  Configuration configuration_;
  ReportSink* report_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace orrery::kernel
