#include "kernel/process.h"

#include "kernel/fd_table.h"

namespace orrery::kernel {

Process::Process(host::Host& host, const Configuration& configuration, ReportSink* report)
    : host(host),
      configuration(configuration),
      report(report),
      memory(std::make_unique<memory::AddressSpace>(host)) {}

Process::~Process() = default;

Task* Process::find_task(TaskId task) {
  for (const auto& candidate : tasks)
    if (candidate->id == task) return candidate.get();
  return nullptr;
}

void Process::end(const ExitState& state) {
  exit = state;
  const int status = state.fatal_signal != 0 ? state.fatal_signal | (state.core_dumped ? 0x80 : 0)
                                             : (state.status & 0xff) << 8;
  for (const auto& task : tasks) task->state = Exited{status};
}

}  // namespace orrery::kernel
