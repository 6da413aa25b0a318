// The files of a recording for those who ask questions of its replay: kept copies of what was mapped, and
// debug files that were packed with it.
#pragma once

#include <string>

#include "elf/debug_files_hosted.h"
#include "lens/replay_session.h"
#include "lens/run_summary.h"

namespace orrery::cli {

/// The debug files of one recording. What cannot be had of them is said on stderr.
class RecordedFiles {
 public:
  explicit RecordedFiles(const std::string& recording);

  /// For a session with a process of the recording; `run` and this outlive it.
  lens::SessionFiles of(const lens::RunSummary& run);

 private:
  elf::DebugFiles debug_files_;
};

}  // namespace orrery::cli
