// What the reports of a recording's layers have in common: `orrery show LAYER [REC] [-p PROCESS] [--json]`.
#pragma once

#include <set>
#include <string>

#include "base/failure_hosted.h"
#include "cli/command.h"

namespace orrery::cli {

struct LayerOptions {
  std::string recording{}, process{};
  bool json = false;
  bool all = false;           ///< of reports that are long
  std::string directory{};    ///< of the recording
  std::set<u32> processes{};  ///< those that are shown; all if empty

  /// SQL over a column `process`.
  std::string condition() const;
};

using ShowLayer = Fallible<Nothing> (*)(const LayerOptions& options, const Session& session);

/// Adds the layer to `show`. `examples` as set_examples().
void add_layer(CLI::App& show_command, Session& session, const char* name, const char* sentence,
               ShowLayer show, const char* examples);

}  // namespace orrery::cli
