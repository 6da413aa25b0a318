#include "kernel/process.h"

#include <asm/unistd.h>
#include <sys/prctl.h>

#include <algorithm>

#include "kernel/companion.h"
#include "kernel/fd_table.h"
#include "kernel/fork.h"
#include "kernel/futex_table.h"
#include "kernel/leaving.h"
#include "kernel/scheduler.h"
#include "kernel/tracing.h"

namespace orrery::kernel {

Process::Process(host::Host& host, const Configuration& configuration, Scheduler& scheduler,
                 ReportSink* report)
    : host(host),
      configuration(configuration),
      scheduler(scheduler),
      report(report),
      memory(std::make_unique<memory::AddressSpace>(host)),
      futexes(std::make_unique<FutexTable>()) {}

Process::Process(Process& lender)
    : host(lender.host),
      configuration(lender.configuration),
      scheduler(lender.scheduler),
      report(lender.report),
      lender(&lender) {
  memory.use(lender.memory);
  fds.use(lender.fds);
  futexes.use(lender.futexes);
}

Process::~Process() = default;

Task* Process::find_task(TaskId task) {
  for (const auto& candidate : tasks)
    if (candidate->id == task) return candidate.get();
  return nullptr;
}

void Process::end(const ExitState& state) {
  give_memory_back(*this);
  exit = state;
  const int status = wait_status();
  for (const auto& task : tasks) {
    if (lender != nullptr) note_end_of_traced(*task, status);
    if (lender != nullptr && !task->ended() && task.get() != &scheduler.current()) scheduler.drop(*task);
    task->state = Exited{status};
  }
  if (lender != nullptr) companion_ended(*this);
}

int Process::wait_status() const {
  if (!exit) return 0;
  if (exit->fatal_signal != 0) return exit->fatal_signal | (exit->core_dumped ? 0x80 : 0);
  return (exit->status & 0xff) << 8;
}

void become_only_task(Task& task) {
  Process& process = task.process;
  process.scheduler.drop_others();
  process.companions.clear();
  task.trace.reset();
  auto& tasks = process.tasks;
  std::swap(tasks.front(),
            *std::find_if(tasks.begin(), tasks.end(), [&](const auto& each) { return each.get() == &task; }));
  tasks.resize(1);
  task.id = TaskId{process.id.value};
  process.futexes->clear();
}

void set_command_name(Task& task, const std::array<char, 16>& name) {
  task.comm = name;
  ++task.process.changes_to_show;
  if (task.process.lender != nullptr || &task != &task.process.leader()) return;
  host::HostCall call;
  call.number = __NR_prctl;
  call.args = {PR_SET_NAME, reinterpret_cast<u64>(task.comm.data())};
  call.checked_args = 0b01;
  call.in.add({reinterpret_cast<u64>(task.comm.data()), task.comm.size()});
  task.process.host.call(call);
}

}  // namespace orrery::kernel
