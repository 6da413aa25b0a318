// What recording did to a run's timing, as far as the recording itself tells, so that nobody blames the
// program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/style.h"

namespace orrery::cli {

struct Timing {
  u64 wall_ns = 0;
  u64 cpu_ns = 0;  ///< of the processes that ended, with the engine's share; 0 if none says so
  u64 events = 0;
  u64 event_ns = 0;  ///< median from one event to the next of a thread that did next to nothing between
  bool seeded = false;

  /// How much of the run the events can have taken: the calls themselves and their recording.
  u64 events_most_ns() const { return events * event_ns; }
};

Fallible<Timing> timing_of(const std::string& directory);
/// One or two lines of words.
std::vector<std::string> timing_words(const Timing& timing);

Fallible<Nothing> print_timing(const std::string& directory, const Style& style);
Fallible<nlohmann::ordered_json> timing_json(const std::string& directory);

}  // namespace orrery::cli
