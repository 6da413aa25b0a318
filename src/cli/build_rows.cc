#include "cli/build_rows.h"

#include <unistd.h>

#include <algorithm>

#include "cli/collect.h"
#include "lens/build/kept_contents.h"

namespace orrery::cli {

using lens::build::ArtefactRow;

namespace {

Fallible<BuildRows> read_tables(db::Database& database) {
  return BuildRows{.steps = TRY(database.read(lens::build::kSteps, "ORDER BY step")),
                   .artefacts = TRY(database.read(lens::build::kArtefacts, "ORDER BY artefact")),
                   .inputs = TRY(database.read(lens::build::kInputs, "ORDER BY rowid"))};
}

bool has_contents(const std::string& directory, const BuildRows& rows) {
  const auto is_there = [&](const auto& row) {
    return !row.content || access(lens::build::content_path(directory, *row.content).c_str(), F_OK) == 0;
  };
  return std::all_of(rows.artefacts.begin(), rows.artefacts.end(), is_there) &&
         std::all_of(rows.inputs.begin(), rows.inputs.end(), is_there);
}

}  // namespace

Fallible<BuildRows> read_build(const std::string& directory) {
  const lens::Lens* lens = lens_of_table(lens::build::kSteps.name);
  db::Database database = TRY(collect(directory, std::span(&lens, 1)));
  return read_tables(database);
}

Fallible<BuildRows> read_build_with_contents(const std::string& directory) {
  BuildRows rows = TRY(read_build(directory));
  if (has_contents(directory, rows)) return rows;
  const lens::Lens* lens = lens_of_table(lens::build::kSteps.name);
  db::Database database = TRY(collect_anew(directory, std::span(&lens, 1)));
  return read_tables(database);
}

BuildRows rows_at(BuildRows rows, u64 time_ns) {
  rows.until_ns = time_ns;
  std::erase_if(rows.artefacts, [&](const ArtefactRow& each) { return each.written_ns > time_ns; });
  for (ArtefactRow& each : rows.artefacts) {
    if (each.removed_ns && *each.removed_ns <= time_ns) continue;
    each.removed_ns.reset();
    each.fate = "there";
  }
  std::erase_if(rows.inputs, [&](const lens::build::InputRow& each) {
    return each.step >= rows.steps.size() || rows.steps[each.step].end_ns > time_ns;
  });
  return rows;
}

Fallible<const ArtefactRow*> find_artefact(const BuildRows& rows, const std::string& named) {
  const ArtefactRow* found = nullptr;
  u64 matches = 0;
  for (const ArtefactRow& each : rows.artefacts) {
    if (each.path == named || each.made_as == named || named == "#" + std::to_string(each.artefact))
      found = &each, matches = 1;
  }
  if (found != nullptr) return found;
  std::string last_path;
  for (const ArtefactRow& each : rows.artefacts) {
    if (!each.path.ends_with("/" + named)) continue;
    if (each.path != last_path) ++matches;
    last_path = each.path;
    found = &each;
  }
  if (matches == 1) return found;
  if (matches > 1) return Failure(named + ": several artefacts have that name; give the path");
  return Failure(named + " is no artefact of this recording (see orrery show build)");
}

}  // namespace orrery::cli
