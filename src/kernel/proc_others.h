// The files below /proc/PID of other processes of the machine in which the host would show the engine: maps,
// status, stat, fd and kin. What they say comes from what the other process shows (outer_view.h), and from
// the host. Used by the calls that open files (syscalls/open.cc) and read them (proc_file.cc).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/types.h"
#include "kernel/proc_file.h"
#include "kernel/process.h"

namespace orrery::kernel {

/// What "/proc/PID/..." or "/proc/PID/task/TID/..." is, if the machine answers for it and such a process
/// shows itself. Of the process's own path: nothing.
std::optional<ProcKind> others_proc_kind(const Process& process, std::string_view proc_path);

/// The text of such a file; the host's if the other process does not show itself any more.
void write_others_proc_file(Process& process, std::string_view proc_path, Text& out);

/// For /proc/PID/task: the numbers of the other's tasks, leader first; empty if it is gone.
std::vector<i32> list_others_tasks(Process& process, std::string_view proc_path);

/// For /proc/PID/fd: which descriptors there are the engine's, [first, end).
struct DescriptorRange {
  u32 first = 0, end = 0;
};
DescriptorRange others_engine_descriptors(Process& process, std::string_view proc_path);

/// The host knows one task alone: "/proc/PID/task/TID/..." of another of the other's tasks is asked for as
/// "/proc/PID/...", with a NUL. False if that is not needed.
bool replace_others_path(const Process& process, std::string_view proc_path, std::vector<char>& replacement);

}  // namespace orrery::kernel
