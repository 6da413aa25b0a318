// The files below /proc/<own pid>/ that must show the guest and not the engine: maps, stat, status, cmdline
// and kin. Each is written as text once, when it is opened, into a memory file of the host, so that reading
// and seeking are ordinary calls on an ordinary descriptor; the text follows from the guest's state alone
// and is the same on replay. Used by open(2) and its kin (syscalls/open.cc) and by exec.
#pragma once

#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/types.h"
#include "kernel/process.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// True if `entry` ("maps", "status"; what follows /proc/self/, see path.h) is answered here and not by the
/// host. True also for the entries that are refused (mem, pagemap, ...).
bool is_own_proc_file(std::string_view entry);

/// open(2) of such an entry: a new descriptor, or -errno.
i64 open_own_proc_file(Task& task, std::string_view entry, int flags);

/// The text of an entry. False if there is none of that name.
bool write_own_proc_file(Task& task, std::string_view entry, Text& out);

// What other views of the machine are made with (cpu_view.cc).

/// All of a file of the host's, through the door; empty if it cannot be read.
std::vector<char> read_host_file(Process& process, const char* path);

/// A descriptor of an anonymous file that holds `text`, positioned at its start; -errno if there is none.
i64 make_memory_file(Process& process, const char* name, std::string_view text, bool close_on_exec);

}  // namespace orrery::kernel
