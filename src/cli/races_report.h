// Races, circles of locks and wrong uses of locks with the stacks that led to them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/collect.h"
#include "cli/place_stacks.h"
#include "lens/races/race_tables.h"

namespace orrery::cli {

/// Rows as JSON, in the order of those in RacesReport.
struct RacesJson {
  nlohmann::ordered_json programs{}, races{}, orders{}, misuses{};
};

struct RacesReport {
  std::vector<lens::races::RaceCheckRow> programs{};
  std::vector<lens::races::DataRaceRow> races{};
  std::vector<lens::races::LockOrderRow> orders{};
  std::vector<lens::races::LockMisuseRow> misuses{};
  PlaceStacks stacks{};
  RacesJson json{};
};

RunPlace first_place(const lens::races::DataRaceRow& row);
RunPlace second_place(const lens::races::DataRaceRow& row);
/// Of the block that was raced for; nothing if it is none.
std::optional<RunPlace> made_place(const lens::races::DataRaceRow& row);
RunPlace held_place(const lens::races::LockOrderRow& row);
RunPlace wanted_place(const lens::races::LockOrderRow& row);
RunPlace place_of(const lens::races::LockMisuseRow& row);
/// Where the holder took the lock; nothing if there is none.
std::optional<RunPlace> held_place(const lens::races::LockMisuseRow& row);

/// `condition`: SQL over the column process. Of each kind, so many have their stacks.
Fallible<RacesReport> read_races(const std::string& directory, const std::string& condition,
                                 std::size_t stacks_most);

}  // namespace orrery::cli
