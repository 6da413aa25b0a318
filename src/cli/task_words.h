// What a task of a stopped process is doing, in words.
#pragma once

#include <string>

#include "machine/control.h"

namespace orrery::cli {

const char* task_state(machine::TaskState state);  ///< "waits"
/// The system call that it waits in or makes; "" if none.
std::string task_call(const machine::ControlTask& task);
std::string task_name(const machine::ControlTask& task);

}  // namespace orrery::cli
