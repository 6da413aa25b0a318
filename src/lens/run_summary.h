// What a recording says of one of its processes, before anything of it is replayed: what was run, how it
// ended, which files were mapped.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "lens/process_tree.h"

namespace orrery::lens {

struct KeptFile {
  std::string path{};  ///< as the guest's map shows it
  u64 inode = 0;
  std::string kept{};  ///< the copy in the recording
  u64 mtime_ns = 0;    ///< of the original, when it was mapped
};

struct RunSummary {
  std::string named{};      ///< as the user called the recording; "" for the latest
  std::string directory{};  ///< of the recording
  u32 process = 0;          ///< its number in the recording
  i32 pid = 0;
  std::string program{};  ///< path as given to execve
  std::string image{};    ///< the ELF file that ran, as the map shows it; "" if none was mapped
  std::string cwd{};
  std::vector<std::string> arguments{};
  bool ended = false;   ///< false: the recording stops before the program's end
  bool killed = false;  ///< by SIGKILL: it has no last event, but others were told
  int status = 0;       ///< valid if it ended and signal is 0
  int signal = 0;       ///< the fatal signal, or 0
  u64 last_event = 0;
  bool started = false;  ///< some instruction of the program ran
  bool has_gap = false;  ///< the recorder lost events
  std::vector<KeptFile> files{};
};

/// Of the recording in `directory`: the process as a process tree knows it.
Result<RunSummary> summarize(const std::string& directory, const TreeProcess& process);
/// The same of a recording whose trace is open: what was read of it before need not be read again.
Result<RunSummary> summarize(const std::string& directory,
                             const std::shared_ptr<const trace::OpenedTrace>& trace,
                             const TreeProcess& process);

/// Where the bytes of a mapped file are kept; "" if they are not.
std::string kept_file(const RunSummary& run, const std::string& path, u64 inode);

}  // namespace orrery::lens
