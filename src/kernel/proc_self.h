// The files below /proc/<own pid>/ that must show the guest and not the engine: maps, stat, status, cmdline
// and kin. Their text is written from the guest's state, where needed with figures that the host measures
// (recorded as they are asked for). Used by the calls that open files (syscalls/open.cc) and read them
// (proc_file.cc).
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/types.h"
#include "kernel/proc_file.h"
#include "kernel/process.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// What an entry ("maps", "status"; what follows /proc/self/, see path.h) is, if the machine answers for it.
std::optional<ProcKind> own_proc_kind(std::string_view entry);

/// True for what is refused with EACCES, as a hardened kernel does: it would give the engine away.
bool is_refused_proc_entry(std::string_view entry);

/// The text of an entry. False if there is none of that name.
bool write_own_proc_file(Task& task, std::string_view entry, Text& out);

/// The text of "limits"; kResourceLimitCount of them.
void write_limits(std::span<const ResourceLimit> limits, Text& out);

// What other views of the machine are made with (cpu_view.cc).

/// A file of the host's, through the door, or so many bytes of it; empty if it cannot be read.
std::vector<char> read_host_file(Process& process, const char* path, u64 most_bytes = ~u64{0});

/// A descriptor of an anonymous file that holds `text`, positioned at its start; -errno if there is none.
i64 make_memory_file(Process& process, const char* name, std::string_view text, bool close_on_exec);

}  // namespace orrery::kernel
