#include "cli/races_report.h"

#include <algorithm>

#include "cli/rows_json.h"

namespace orrery::cli {

using lens::races::DataRaceRow;
using lens::races::LockMisuseRow;
using lens::races::LockOrderRow;

RunPlace first_place(const DataRaceRow& row) {
  return {row.process, row.first_event, row.first_task, row.first_ticks, row.first_pc};
}

RunPlace second_place(const DataRaceRow& row) {
  return {row.process, row.second_event, row.second_task, row.second_ticks, row.second_pc};
}

std::optional<RunPlace> made_place(const DataRaceRow& row) {
  if (!row.made_pc) return std::nullopt;
  return RunPlace{row.process, row.made_event.value_or(0), row.made_task.value_or(0),
                  row.made_ticks.value_or(0), *row.made_pc};
}

RunPlace held_place(const LockOrderRow& row) {
  return {row.process, row.held_event, row.task, row.held_ticks, row.held_pc};
}

RunPlace wanted_place(const LockOrderRow& row) {
  return {row.process, row.event, row.task, row.ticks, row.pc};
}

RunPlace place_of(const LockMisuseRow& row) { return {row.process, row.event, row.task, row.ticks, row.pc}; }

std::optional<RunPlace> held_place(const LockMisuseRow& row) {
  if (!row.held_pc) return std::nullopt;
  return RunPlace{row.process, row.held_event.value_or(0), row.holder.value_or(0), row.held_ticks.value_or(0),
                  *row.held_pc};
}

namespace {

void add_stacks(const std::string& directory, std::size_t stacks_most, RacesReport& report) {
  std::set<RunPlace> places;
  const auto add = [&](const std::optional<RunPlace>& place) {
    if (place) places.insert(*place);
  };
  for (std::size_t at = 0; at < std::min(stacks_most, report.races.size()); ++at) {
    add(first_place(report.races[at]));
    add(second_place(report.races[at]));
    add(made_place(report.races[at]));
  }
  for (std::size_t at = 0; at < std::min(stacks_most, report.orders.size()); ++at) {
    add(held_place(report.orders[at]));
    add(wanted_place(report.orders[at]));
  }
  for (std::size_t at = 0; at < std::min(stacks_most, report.misuses.size()); ++at) {
    add(place_of(report.misuses[at]));
    add(held_place(report.misuses[at]));
  }
  // What cannot be brought there is told without.
  (void)read_stacks(directory, places, report.stacks);
}

}  // namespace

Fallible<RacesReport> read_races(const std::string& directory, const std::string& condition,
                                 std::size_t stacks_most) {
  RacesReport report;
  db::Database database = TRY(collect(directory, {{lens_of_table("data_race")}}));
  const std::string where = "WHERE " + condition + " ORDER BY process, program";
  report.programs = TRY(database.read(lens::races::kRaceCheck, where));
  report.races = TRY(database.read(lens::races::kDataRace, where + ", number"));
  report.orders = TRY(database.read(lens::races::kLockOrder, where + ", circle, step"));
  report.misuses = TRY(database.read(lens::races::kLockMisuse, where + ", number"));
  const std::string from = "SELECT * FROM ";
  report.json.programs = TRY(rows_json(database, from + "race_check " + where));
  report.json.races = TRY(rows_json(database, from + "data_race " + where + ", number"));
  report.json.orders = TRY(rows_json(database, from + "lock_order " + where + ", circle, step"));
  report.json.misuses = TRY(rows_json(database, from + "lock_misuse " + where + ", number"));
  add_stacks(directory, stacks_most, report);
  return report;
}

}  // namespace orrery::cli
