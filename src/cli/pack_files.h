// What `orrery pack --sources --debug` takes along: the source files that the debug information of the
// recorded programs and libraries names, and separate debug files, so that a recording can be understood
// where neither is.
#pragma once

#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "base/types.h"

namespace orrery::cli {

struct PackWanted {
  bool sources = false, debug = false;
};

struct PackedReport {
  u64 source_count = 0, source_bytes = 0;
  u64 debug_count = 0, debug_bytes = 0;
  u64 split_units = 0;                    ///< whose DWARF stays in .dwo files
  std::vector<std::string> changed{};     ///< sources that are not what was compiled: left out
  std::vector<std::string> refused{};     ///< files that are no source by their names: left out
  std::vector<std::string> missing{};     ///< sources that are not there, those with a whole path first
  std::vector<std::string> undebugged{};  ///< programs and libraries without debug information anywhere
};

/// Below the directories of the system's and the compiler's headers.
bool is_system_header(const std::string& path);

Fallible<PackedReport> pack_files(const std::string& recording, const PackWanted& wanted);

}  // namespace orrery::cli
