// The end of the engine by its own fault: says what it knows and dies, so that a recording shows where.
#pragma once

#include <string_view>

#include "base/types.h"

namespace orrery::machine {

/// A fault in the engine's own code.
[[noreturn]] void fatal_engine_fault(int signal, u64 address, u64 pc);

/// Says which CHECK failed.
void report_check(std::string_view file, int line, std::string_view expression);

/// Prints `what` with the current task's instant and registers, and ends the process with SIGABRT's status.
[[noreturn]] void die(std::string_view what);

}  // namespace orrery::machine
