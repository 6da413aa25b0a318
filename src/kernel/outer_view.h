// What other processes see of this one in /proc: ps, top, pgrep and pstree, inside the recording and outside,
// read there which programs run. The host's process is the engine; so the host is told where the guest's
// arguments, environment and auxiliary vector lie, and one of the engine's descriptors is the program's file,
// in place of /proc/PID/exe, which only a privileged process may change. What the host cannot be told, the
// map and the threads, lies in a file behind another descriptor.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kernel/process.h"
#include "kernel/process_view.h"

namespace orrery::kernel {

/// After exec: shows the new program. `program_fd` is its file.
void show_program(Process& process, int program_fd);

/// Shows others the process's map, threads and signals if they have changed. `settled`: it does something
/// else now; else more changes are likely to come.
void show_changes(Process& process, bool settled);

/// Whether that number is another process of a machine, which shows itself.
bool shows_itself(const Process& process, i32 pid);
/// What such a process shows. Nothing: it shows nothing, or may not be looked at.
std::optional<ProcessView> look_at(Process& process, i32 pid);

/// For a path "/proc/PID/exe" of another process of a machine: the path by which its program's file is
/// reached
/// ("/proc/PID/fd/N"), with a NUL, and what it is a link to. False if it is no such path.
bool find_others_program(const Process& process, std::string_view proc_path, std::vector<char>& path,
                         std::vector<char>& target);

}  // namespace orrery::kernel
