#include "kernel/process.h"

#include <asm/unistd.h>
#include <sys/prctl.h>

#include <algorithm>

#include "kernel/fd_table.h"
#include "kernel/fork.h"
#include "kernel/futex_table.h"
#include "kernel/scheduler.h"

namespace orrery::kernel {

Process::Process(host::Host& host, const Configuration& configuration, Scheduler& scheduler,
                 ReportSink* report)
    : host(host),
      configuration(configuration),
      scheduler(scheduler),
      report(report),
      memory(std::make_unique<memory::AddressSpace>(host)),
      futexes(std::make_unique<FutexTable>()) {}

Process::~Process() = default;

Task* Process::find_task(TaskId task) {
  for (const auto& candidate : tasks)
    if (candidate->id == task) return candidate.get();
  return nullptr;
}

void Process::end(const ExitState& state) {
  give_memory_back(*this);
  exit = state;
  const int status = state.fatal_signal != 0 ? state.fatal_signal | (state.core_dumped ? 0x80 : 0)
                                             : (state.status & 0xff) << 8;
  for (const auto& task : tasks) task->state = Exited{status};
}

void become_only_task(Task& task) {
  Process& process = task.process;
  process.scheduler.drop_others();
  auto& tasks = process.tasks;
  std::swap(tasks.front(),
            *std::find_if(tasks.begin(), tasks.end(), [&](const auto& each) { return each.get() == &task; }));
  tasks.resize(1);
  task.id = TaskId{process.id.value};
  process.futexes->clear();
}

void set_command_name(Task& task, const std::array<char, 16>& name) {
  task.comm = name;
  host::HostCall call;
  call.number = __NR_prctl;
  call.args = {PR_SET_NAME, reinterpret_cast<u64>(task.comm.data())};
  call.checked_args = 0b01;
  call.in.add({reinterpret_cast<u64>(task.comm.data()), task.comm.size()});
  task.process.host.call(call);
}

}  // namespace orrery::kernel
