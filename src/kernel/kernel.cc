// The guest kernel's front: what the machine calls, in the order of a task's day. The work is done by
// exec.cc, signal.cc and the system calls.
#include "kernel/kernel.h"

#include <asm/unistd.h>

#include <span>

#include "kernel/dispatch.h"
#include "kernel/exec.h"
#include "kernel/fd_table.h"
#include "kernel/file_writes.h"
#include "kernel/leaving.h"
#include "kernel/memory_limits.h"
#include "kernel/path.h"
#include "kernel/process.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/task.h"

namespace orrery::kernel {
namespace {

constexpr int kNofileLimit = 7;
constexpr u64 kPageFaultTrap = 14;

i64 ask_ids(host::Host& host, u32 number, u32& real, u32& effective, u32& saved) {
  host::HostCall call;
  call.number = number;
  call.args = {reinterpret_cast<u64>(&real), reinterpret_cast<u64>(&effective),
               reinterpret_cast<u64>(&saved)};
  call.checked_args = 0;
  for (const u32* id : {&real, &effective, &saved})
    call.out.add({.address = reinterpret_cast<u64>(id), .capacity_bytes = sizeof *id});
  return host.call(call);
}

i64 ask_number(host::Host& host, u32 number, u64 argument) {
  host::HostCall call;
  call.number = number;
  call.args = {argument};
  return host.call(call);
}

void ask_limits(Process& process) {
  for (std::size_t resource = 0; resource < process.limits.size(); ++resource) {
    ResourceLimit& limit = process.limits[resource];
    host::HostCall call;
    call.number = __NR_prlimit64;
    call.args = {0, resource, 0, reinterpret_cast<u64>(&limit)};
    call.checked_args = 0b0111;
    call.out.add({.address = reinterpret_cast<u64>(&limit), .capacity_bytes = sizeof limit});
    process.host.call(call);
  }
  const Configuration& configuration = process.configuration;
  ResourceLimit& files = process.limits[kNofileLimit];
  process.host_open_files = files;
  if (configuration.nofile_soft != 0) files.soft = configuration.nofile_soft;
  if (files.soft > files.hard) files.soft = files.hard;
}

/// What a process inherits from the one that started it: ids, limits, umask, working directory, and which
/// signals are ignored (nohup).
void inherit(Process& process) {
  host::Host& host = process.host;
  Credentials& who = process.credentials;
  ask_ids(host, __NR_getresuid, who.uid, who.euid, who.suid);
  ask_ids(host, __NR_getresgid, who.gid, who.egid, who.sgid);
  process.group = ProcessId{static_cast<i32>(ask_number(host, __NR_getpgid, 0))};
  process.session = ProcessId{static_cast<i32>(ask_number(host, __NR_getsid, 0))};
  process.umask = static_cast<u32>(ask_number(host, __NR_umask, 022));
  ask_number(host, __NR_umask, process.umask);
  ask_limits(process);
  apply_memory_limits(process);
  refresh_cwd(process);
  for (int number = 1; number <= kSignalCount; ++number) {
    SignalAction action;
    host::HostCall call;
    call.number = __NR_rt_sigaction;
    call.args = {static_cast<u64>(number), 0, reinterpret_cast<u64>(&action), sizeof(SignalSet)};
    call.checked_args = 0b1011;
    call.out.add({.address = reinterpret_cast<u64>(&action), .capacity_bytes = sizeof action});
    if (host.call(call) == 0 && action.handler == kHandlerIgnore)
      process.action(number).handler = kHandlerIgnore;
  }
}

}  // namespace

Kernel::Kernel(host::Host& host, const Configuration& configuration, ReportSink* report)
    : host_(host),
      configuration_(configuration),
      report_(report),
      scheduler_(std::make_unique<Scheduler>(host)) {}

Kernel::~Kernel() = default;

i64 Kernel::start(std::string_view path, std::span<const char* const> arguments,
                  std::span<const char* const> environment, std::vector<char>& failing_path) {
  auto process = std::make_unique<Process>(host_, configuration_, *scheduler_, report_);
  process->id = ProcessId{configuration_.pid};
  process->parent = ProcessId{configuration_.parent_pid};
  process->fds = std::make_unique<FdTable>(configuration_.engine_fd_first, configuration_.engine_fd_count);
  process->fds->note_inherited();
  process->tasks.push_back(std::make_unique<Task>(*process, TaskId{configuration_.pid}));
  Task& first = process->leader();
  scheduler_->start(first);
  if (configuration_.seeded) scheduler_->join_turns_by_seed();
  processes_.push_back(std::move(process));
  inherit(first.process);

  ExecRequest request;
  request.path = ExecPath::from(path);
  request.executed_path.assign(path.begin(), path.end());
  for (const char* argument : arguments) request.arguments.push_back(argument);
  for (const char* variable : environment) request.environment.push_back(variable);
  return execute(first, request, &failing_path);
}

void Kernel::set_task_switch(TaskSwitch& task_switch) { scheduler_->set_switch(&task_switch); }

void Kernel::set_schedule_sink(ScheduleSink* sink) { scheduler_->set_sink(sink); }

Task& Kernel::current() { return scheduler_->current(); }

bool Kernel::ended() const { return scheduler_->current().process.owner().exit.has_value(); }

void Kernel::prepare_to_run() {
  if (current().ended()) return scheduler_->retire();
  collect_host_signals(current().process);
  scheduler_->give_way();
  deliver_signals(current());
}

void Kernel::system_call(Task& task) {
  using cpu::Gpr;
  cpu::Registers& regs = task.cpu.regs;
  // What the SYSCALL instruction does (SDM vol. 2): the program sees it even if the call fails.
  regs[Gpr::rcx] = regs.rip;
  regs[Gpr::r11] = regs.rflags;
  task.looks_in_call = 1;
  kernel::system_call(task.process, task);
  task.looks_in_call = 0;
  announce_file_writes(task);
}

void Kernel::fault(Task& task, const cpu::Fault& fault) {
  task.call.number = -1;
  task.last_fault.error_code = fault.error_code;
  task.last_fault.trap_number = fault.trap_number;
  if (fault.trap_number == kPageFaultTrap) task.last_fault.cr2 = fault.address;
  SignalInfo info;
  info.number = fault.signal;
  info.code = fault.code;
  info.set64(SignalInfo::kAddress, fault.address);
  force_signal(task, info);
}

void Kernel::widen_vector_state(u64 xcr0, u64 xsave_bytes) {
  configuration_.xcr0 = xcr0;
  configuration_.xsave_bytes = xsave_bytes;
}

const host::NextProgram* Kernel::next_program() const {
  const Process& process = scheduler_->current().process.owner();
  return process.next_program != nullptr ? &process.next_program->next : nullptr;
}

int Kernel::exit_status() const {
  const auto& exit = scheduler_->current().process.owner().exit;
  return exit ? exit->status & 0xff : 0;
}
int Kernel::fatal_signal() const {
  const auto& exit = scheduler_->current().process.owner().exit;
  return exit ? exit->fatal_signal : 0;
}
memory::AddressSpace& Kernel::address_space() { return current().process.space(); }

}  // namespace orrery::kernel
