// A process that stands still in a replay, as an ELF core file: what the kernel would have written if it had
// been killed there (core(5), fs/binfmt_elf.c), for gdb and whatever else reads such files.
#pragma once

#include <functional>
#include <string>

#include "base/failure_hosted.h"
#include "lens/process_tree.h"
#include "lens/replay_session.h"

namespace orrery::lens {

struct CoreWanted {
  const TreeProcess& process;
  std::string program{};    ///< for pr_fname
  std::string arguments{};  ///< for pr_psargs
  /// The process is killed there: the core names the signal, and the replay runs on to its end to learn of
  /// it.
  bool at_crash = false;
};

struct CoreWritten {
  u64 memory_bytes = 0;
  u64 regions_left_out = 0;  ///< too large to be read
};

/// Writes to an open, empty file. Memory without content takes no room in it.
Fallible<CoreWritten> write_core(ReplaySession& session, const CoreWanted& wanted, int fd);

}  // namespace orrery::lens
