#include "cli/sched_json.h"

#include <nlohmann/json.hpp>

#include "cli/at_option.h"
#include "cli/recording_text.h"
#include "cli/rows_json.h"
#include "cli/timing_words.h"

namespace orrery::cli {

Fallible<Nothing> print_sched_json(db::Database& database, const LayerOptions& options,
                                   const std::vector<PathPiece>& path) {
  const std::string of = " WHERE " + options.condition();
  const std::string at = options.instant ? " AND " + std::to_string(options.instant->at.time_ns) +
                                               " BETWEEN begin_ns AND end_ns - 1"
                                         : "";
  nlohmann::ordered_json document;
  document["recording"] = TRY(timing_json(options.directory));
  if (options.instant) document["instant"] = instant_json(*options.instant);
  document["threads"] =
      TRY(rows_json(database, "SELECT * FROM task" + of + " ORDER BY process, begin_ns, task"));
  document["stretches"] = TRY(rows_json(
      database, "SELECT * FROM task_stretch" + of + at + " ORDER BY process, task, begin_ns, end_ns"));
  if (!options.instant) {
    document["wakes"] =
        TRY(rows_json(database, "SELECT * FROM wakeup" + of + " ORDER BY time_ns, process, task"));
    document["locks"] =
        TRY(rows_json(database, "SELECT * FROM lock_contention" + of + " ORDER BY total_ns DESC, address"));
    document["lock_waits"] =
        TRY(rows_json(database, "SELECT * FROM lock_wait" + of + " ORDER BY begin_ns, process, task"));
  }
  if (options.path) {
    document["path"] = nlohmann::ordered_json::array();
    for (const PathPiece& each : path)
      document["path"].push_back({{"process", each.task.first},
                                  {"task", each.task.second},
                                  {"state", each.what},
                                  {"reason", each.reason},
                                  {"call", each.call},
                                  {"object", each.object},
                                  {"begin_ns", each.begin_ns},
                                  {"end_ns", each.end_ns},
                                  {"wakes_next_by", each.woken_how}});
  }
  print_json(document);
  return Nothing{};
}

}  // namespace orrery::cli
