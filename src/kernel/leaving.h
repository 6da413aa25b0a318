// `orrery record --no-follow` and `--only`: a process that the recording does not follow runs on the machine
// until it executes a program; from there on that program runs natively, in the same host process with the
// same number, so that whoever waits for it or signals it notices nothing.
#pragma once

#include <vector>

#include "kernel/exec.h"
#include "kernel/process.h"

namespace orrery::kernel {

/// What the host needs to go on with the program; `next` points into the rest.
struct LeavingFor {
  ExecPath path;
  StringList arguments, environment;
  std::vector<const char*> argument_pointers, environment_pointers;
  std::vector<host::HostSignal> pending;
  std::vector<host::NextProgram::Limit> limits;
  std::vector<u8> words;
  host::NextProgram next;
};

/// Whether any process but the first may leave.
bool may_leave(const Process& process);

/// Whether the process leaves when it executes this: `path` as given to execve, `resolved` the file it led
/// to.
bool leaves(const Process& process, std::string_view path, std::string_view resolved);

/// The process ends here, and goes on natively. `request` is the exec as the program asked for it, `resolved`
/// the file that it led to.
void leave(Task& task, ExecRequest& request, std::string_view resolved);

/// True if all of `text` matches: `*` stands for any letters, `?` for one.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace orrery::kernel
