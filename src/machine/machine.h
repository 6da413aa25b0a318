// One guest process, wired: the executor runs code, the kernel answers, the host is asked. The run loop
// is the day of a guest instruction; ARCHITECTURE.md walks through it.
#pragma once

#include "cpu/exit.h"
#include "host/host.h"
#include "kernel/kernel.h"
#include "kernel/report.h"
#include "kernel/task.h"
#include "machine/control_server.h"
#include "machine/launch.h"
#include "machine/task_stacks.h"
#include "translate/translator.h"

namespace orrery::machine {

class Machine {
 public:
  struct Parts {
    host::Host& host;
    kernel::Kernel& kernel;
    const LaunchHeader& launch;
    kernel::ReportSink& report;
    ControlServer* control = nullptr;  ///< null unless a replay is being asked about
  };
  explicit Machine(const Parts& parts);

  /// Runs the guest until its process has ended, each task on a stack of its own. The kernel says how.
  void run();

  translate::Translator& translator() { return translator_; }
  kernel::Kernel& kernel() { return parts_.kernel; }

 private:
  static void run_tasks(void* machine);
  void turn();
  cpu::Exit run_code(kernel::Task& task);
  void after_guest_code(kernel::Task& task);
  void widen_frames();
  void handle(kernel::Task& task, const cpu::Exit& exit);
  void handle_fault(kernel::Task& task, const cpu::Exit& exit);
  bool handle_gate(kernel::Task& task, const cpu::Exit& exit);
  bool mend(kernel::Task& task, const cpu::Fault& fault);
  void raise(kernel::Task& task, const cpu::Fault& fault, u8 instruction_bytes);
  void one_instruction(kernel::Task& task);
  void single_step(kernel::Task& task);
  void read_segment_bases(kernel::Task& task);
  void system_call(kernel::Task& task);
  void apply_segment_bases(kernel::Task& task);
  void announce(const kernel::Task& task);

  Parts parts_;
  TaskStacks stacks_;
  translate::Translator translator_;
  u64 fs_base_ = 0, gs_base_ = 0;  ///< as last set on the host
  bool has_fsgsbase_;
  bool has_threads_ = false;  ///< the program has asked for one: tasks may switch at any turn
  bool frames_widened_ = false;
  bool mended_ = false;  ///< the last stop was the engine's own doing (handle_fault)
};

}  // namespace orrery::machine
