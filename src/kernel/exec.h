// Turning a process into a program: execve(2) and the first start. Everything that can fail is asked
// before anything is thrown away.
#pragma once

#include <vector>

#include "base/types.h"
#include "kernel/exec_file.h"
#include "kernel/exec_stack.h"
#include "kernel/process.h"
#include "kernel/task.h"

namespace orrery::kernel {

struct ExecRequest {
  ExecPath path;
  std::vector<char>
      executed_path;         ///< AT_EXECFN without NUL: the path as given, "/dev/fd/N" for a descriptor
  bool path_closes = false;  ///< executed_path names a descriptor that exec will close
  StringList arguments;
  StringList environment;
};

/// Makes `task`'s process run the program, or leave for it (kernel/leaving.h). 0: the task's registers are
/// those of the program's first instruction. -errno: nothing has changed; `failing_path` (if not null) names
/// the file at fault. When the new image cannot be mapped any more, the process ends by SIGSEGV as the
/// kernel's does.
i64 execute(Task& task, ExecRequest& request, std::vector<char>* failing_path);

}  // namespace orrery::kernel
