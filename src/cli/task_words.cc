#include "cli/task_words.h"

#include <cstring>

#include "cli/recording_text.h"
#include "linux/syscall_table.h"

namespace orrery::cli {

const char* task_state(machine::TaskState state) {
  constexpr const char* kWords[] = {"runs", "ready", "waits", "stopped", "ended"};
  const auto index = static_cast<u32>(state);
  return index < std::size(kWords) ? kWords[index] : "?";
}

std::string task_call(const machine::ControlTask& task) {
  const bool in_call = task.state == machine::TaskState::waits || task.state == machine::TaskState::stopped;
  if (!in_call || task.call < 0) return "";
  const abi::SyscallRow* row = abi::find_syscall(static_cast<u64>(task.call));
  return row != nullptr && row->name != nullptr ? row->name : "system call " + std::to_string(task.call);
}

std::string task_name(const machine::ControlTask& task) {
  return printable({task.name, strnlen(task.name, sizeof task.name)});
}

}  // namespace orrery::cli
