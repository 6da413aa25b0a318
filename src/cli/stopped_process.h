// A process of a recording, replayed up to an instant and standing there: for reports of what is at that
// instant.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/failure_hosted.h"
#include "cli/recorded_files.h"
#include "cli/replay_process.h"
#include "lens/instants.h"
#include "lens/lens.h"
#include "lens/run_summary.h"

namespace orrery::cli {

struct StoppedProcess {
  lens::Recording recording{};
  lens::RunSummary run{};
  lens::ExactInstant instant{};
  std::unique_ptr<RecordedFiles> files{};
  std::unique_ptr<ReplayProcess> replay{};
  std::unique_ptr<lens::ReplaySession> session{};
};

/// Stands at the process's start.
Fallible<std::unique_ptr<StoppedProcess>> start_process(const lens::Recording& recording, u32 process);

/// `processes`: as the user chose them; all if empty. Without an instant: where the process (or the first one
/// that did) crashed, else its end.
Fallible<std::unique_ptr<StoppedProcess>> stop_process(const std::string& directory,
                                                       const std::set<u32>& processes,
                                                       const std::optional<lens::ExactInstant>& instant);

/// The file of the program that runs there, as the map shows it.
std::string program_of(StoppedProcess& stopped);

}  // namespace orrery::cli
