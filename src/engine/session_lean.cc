#include <asm/unistd.h>

#include "base/text.h"
#include "engine/session.h"
#include "host/raw_syscall.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "linux/error_names.h"
#include "machine/engine_memory.h"
#include "machine/host_signals.h"
#include "machine/root.h"

namespace orrery::engine {

using machine::Mode;

namespace {

constexpr u64 kIgnoreSignal = 1;  // SIG_IGN

kernel::Configuration configuration_of(const machine::LaunchHeader& header, int first_fd) {
  const u64 first = header.engine_fd_first != 0 ? header.engine_fd_first : static_cast<u64>(first_fd);
  return {.pid = header.pid,
          .parent_pid = header.parent_pid,
          .hwcap = header.hwcap,
          .hwcap2 = header.hwcap2,
          .xcr0 = header.xcr0,
          .xsave_bytes = header.xsave_bytes,
          .engine_fd_first = first,
          .engine_fd_count = machine::engine_fd_count(first),
          .follows_all = header.no_follow == 0 && header.only[0] == 0,
          .followed = header.only,
          .nofile_soft = header.nofile_soft,
          .seeded = header.seeded != 0,
          .places = memory::layout::varied_places(header.aslr)};
}

/// Its own process id, or one that the seed decides. `orrery record` writes down the same.
void take_identity(machine::LaunchHeader& header) {
  if (header.seeded != 0) {
    header.pid = machine::seeded_pid(header.seed);
    header.parent_pid = 1;
    return;
  }
  header.pid = static_cast<i32>(host::raw_syscall(__NR_getpid));
  header.parent_pid = static_cast<i32>(host::raw_syscall(__NR_getppid));
}

/// 127 for a program that is not there, 126 for one that cannot be run, as shells have it.
int status_of_failed_start(i64 error) { return error == -2 ? 127 : 126; }

}  // namespace

Session::Session(int first_fd, LaunchBlock launch)
    : first_fd_(first_fd), launch_(std::move(launch)), report_(launch_.header->mode == Mode::replay) {
  machine::LaunchHeader& header = *launch_.header;
  if (header.mode != Mode::replay) take_identity(header);
  live_ = std::make_unique<host::LiveHost>(first_fd);
  open_doors();
  kernel_ = std::make_unique<kernel::Kernel>(*host_, configuration_of(header, first_fd), &report_);
}

void Session::open_doors() {
  auto doors = Doors::open(*launch_.header, *live_, report_);
  if (!doors) {
    report_.line(doors.error().doing);
    for (;;) host::raw_syscall(__NR_exit_group, kReplayCannotRun);
  }
  doors_ = doors.take();
  host_ = &doors_->host();
}

/// A replay that someone asks about stops where it is told to and answers.
void Session::be_controlled() {
  const machine::Control wanted = launch_.header->control;
  if (wanted == machine::Control::none || doors_->replaying() == nullptr) return;
  const bool first_is_asked = wanted == machine::Control::first || wanted == machine::Control::each;
  control_ = std::make_unique<machine::ControlServer>(
      first_fd_ + machine::kControlFd, *kernel_, *doors_->replaying(), launch_.header->xcr0, first_is_asked);
  doors_->set_control(control_.get(), kernel_.get());
}

void Session::start_program() {
  std::vector<char> failing_path;
  const i64 error = kernel_->start(launch_.program, launch_.arguments, launch_.environment, failing_path);
  if (error == 0) return inherit_signals();
  // Past exec's point of no return the kernel has no errno left to give.
  if (kernel_->fatal_signal() != 0) return host_->exit(0, kernel_->fatal_signal());
  const abi::ErrorName* words = abi::find_error(static_cast<int>(-error));
  Text line;
  line.add("cannot start ").add(launch_.program).add(": ").add(failing_path).add(": ");
  report_.line(line.add(words != nullptr ? words->text : "unknown error").view());
  host_->exit(status_of_failed_start(error), 0);
}

/// As exec leaves them: what was ignored stays ignored (nohup), what was blocked stays blocked.
void Session::inherit_signals() {
  kernel::Task& task = kernel_->current();
  for (int number = 1; number <= kernel::kSignalCount; ++number)
    if ((launch_.header->signals_ignored >> (number - 1) & 1) != 0)
      task.process.action(number).handler = kIgnoreSignal;
  task.blocked = launch_.header->signals_blocked;
  kernel::actions_changed(task);
}

void Session::install_signal_handlers(host::SignalSetup setup) {
  setup.handler = machine::handle_host_signal;
  setup.stack_address = machine::signal_stack_start();
  setup.stack_bytes = machine::kSignalStackBytes;
  live_->install_signal_handlers(setup);
}

void Session::run() {
  // A program's file may be shorter than what is mapped of it. Signals from outside wait for the machine.
  install_signal_handlers({.faults_only = true, .keeps_mask = true});
  start_program();
  be_controlled();
  machine_ = std::make_unique<machine::Machine>(machine::Machine::Parts{.host = *host_,
                                                                        .kernel = *kernel_,
                                                                        .launch = *launch_.header,
                                                                        .report = report_,
                                                                        .control = control_.get()});
  machine::Root& root = machine::root();
  root.machine = machine_.get();
  root.translator = &machine_->translator();
  root.live = launch_.header->mode == Mode::replay ? nullptr : live_.get();
  install_signal_handlers({.faults_only = launch_.header->mode == Mode::replay});
  machine_->run();
  if (control_ != nullptr)
    control_->before_end(kernel_->current(), kernel_->exit_status(), kernel_->fatal_signal());
  if (const host::NextProgram* const next = kernel_->next_program(); next != nullptr) host_->leave(*next);
  host_->exit(kernel_->exit_status(), kernel_->fatal_signal());
}

}  // namespace orrery::engine
