// Stacks of any task of a stopped process, and which sources are not the user's.
#pragma once

#include <string>

#include "lens/code_place.h"

namespace orrery::lens {

/// True for sources of a language's library and the system's headers, which are compiled into user's
/// programs. StackFact::users() takes a frame with such a line only if there is none with one of the user's
/// own.
bool is_system_source(const std::string& file);

/// As stack_of(session, program, frames_shown), of another task of the session's process: `machine` has its
/// registers.
StackFact stack_of(ReplaySession& session, elf::StoppedMachine& machine, const std::string& program,
                   u64 frames_shown);

}  // namespace orrery::lens
