// One run of the engine: the hosts, the kernel and the machine, and how they come together in each mode.
#pragma once

#include <memory>

#include "engine/doors.h"
#include "engine/launch_block.h"
#include "engine/stderr_report.h"
#include "host/live_host.h"
#include "kernel/kernel.h"
#include "machine/machine.h"

namespace orrery::engine {

class Session {
 public:
  Session(int first_fd, LaunchBlock launch);

  /// Starts the program and runs it to its end. Returns only if the host's exit() did.
  void run();

 private:
  void open_doors();
  void be_controlled();
  void install_signal_handlers(host::SignalSetup setup);
  void start_program();
  void inherit_signals();

  int first_fd_;
  LaunchBlock launch_;
  StderrReport report_;
  std::unique_ptr<host::LiveHost> live_;
  std::unique_ptr<Doors> doors_;
  host::Host* host_ = nullptr;
  std::unique_ptr<kernel::Kernel> kernel_;
  std::unique_ptr<machine::ControlServer> control_;
  std::unique_ptr<machine::Machine> machine_;
};

}  // namespace orrery::engine
