// `--at INSTANT`: how a user names an instant of a recording, made exact. Some take a replay to find.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "base/failure_hosted.h"
#include "cli/command.h"
#include "cli/stopped_process.h"
#include "lens/instants.h"

namespace orrery::cli {

void add_at_option(Arguments command, std::string& at);

/// `processes`: those that the user chose with -p; all if empty. Without one, the words mean the first
/// process, and crash the one that crashed. Fails with a sentence for the user.
Fallible<lens::ExactInstant> find_instant(const std::string& directory, const std::string& word,
                                          const std::set<u32>& processes);

/// The same, with a process that stands there, if looking for it has brought one there; else null.
struct FoundInstant {
  lens::ExactInstant instant{};
  std::shared_ptr<StoppedProcess> stopped{};
};
Fallible<FoundInstant> find_and_stop(const std::string& directory, const std::string& word,
                                     const std::set<u32>& processes);

/// A process that stands at what the word means; at "" see stop_process().
Fallible<std::shared_ptr<StoppedProcess>> stop_at(const std::string& directory, const std::string& word,
                                                  const std::set<u32>& processes);

/// "at 1.234567 s: event 17 of process #0, task 4711, tick 12345"
std::string instant_words(const lens::ExactInstant& instant);
nlohmann::ordered_json instant_json(const lens::ExactInstant& instant);

}  // namespace orrery::cli
