#include "cli/made_by.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/recording_text.h"
#include "db/database.h"
#include "lens/build/build_tables.h"
#include "lens/collected.h"

namespace orrery::cli {
namespace {

struct Candidate {
  std::string directory, name;
  std::filesystem::file_time_type looked_at;
};

/// Recordings with tables, the newest tables first.
std::vector<Candidate> candidates(const std::string& directory) {
  std::error_code error;
  const std::filesystem::path store(trace::recordings_directory());
  std::vector<Candidate> found;
  std::set<std::filesystem::path> known;
  const auto add = [&](const std::filesystem::path& recording) {
    const auto time = std::filesystem::last_write_time(recording / lens::kLayersFile, error);
    if (error || !known.insert(std::filesystem::canonical(recording, error)).second) return;
    const bool is_ours = recording.parent_path() == store;
    found.push_back({recording, is_ours ? recording.filename().string() : recording.string(), time});
  };
  const std::filesystem::path shown = std::filesystem::absolute(directory, error);
  add(shown);
  for (const auto& folder : {store, shown.parent_path()})
    for (const auto& each : std::filesystem::directory_iterator(folder, error))
      if (each.is_directory(error) && !each.is_symlink(error)) add(each.path());
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& left, const auto& right) { return left.looked_at > right.looked_at; });
  return found;
}

Fallible<Nothing> look_in(const Candidate& candidate, const std::string& xxh64, std::vector<MadeBy>& found) {
  db::Database database = TRY(db::Database::open_for_reading(candidate.directory + "/" + lens::kLayersFile));
  if (!TRY(database.has_table(lens::build::kArtefacts.name))) return Nothing{};
  db::Statement rows =
      TRY(database.prepare("SELECT artefact, path, kind, artefact.step, command FROM artefact JOIN "
                           "build_step USING (step) WHERE xxh64 = '" +
                           xxh64 + "' ORDER BY artefact"));
  while (TRY(rows.step()))
    found.push_back({.recording = candidate.name,
                     .artefact = static_cast<u64>(rows.integer(0)),
                     .path = std::string(rows.text(1)),
                     .kind = std::string(rows.text(2)),
                     .step = static_cast<u32>(rows.integer(3)),
                     .command = std::string(rows.text(4))});
  return Nothing{};
}

}  // namespace

std::vector<MadeBy> find_builds(const std::string& directory, const std::string& xxh64) {
  std::vector<MadeBy> found;
  const bool is_hash = xxh64.size() == 16 && xxh64.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) return found;
  // Tables of another version, or damaged ones, tell nothing; they are found anew when they are asked for.
  for (const Candidate& each : candidates(directory)) (void)look_in(each, xxh64, found);
  return found;
}

std::string build_command(const MadeBy& made) {
  const char* const part = made.kind == "object" ? "--object" : "--link";
  return shell_words({"orrery", "show", "build", made.recording, part, "#" + std::to_string(made.artefact)});
}

}  // namespace orrery::cli
