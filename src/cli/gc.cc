// `orrery gc`: keeps recordings within a quota and the content store free of what nobody uses. Safe beside
// recorders and replays: what is being written or read stays, a recording vanishes at once (it is renamed and
// then removed; the next gc ends what a killed one began), and a kept file goes only when no recording
// links it, which a recorder that links it at the same moment does not mind.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <map>

#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

struct GcOptions {
  u64 keep = std::numeric_limits<u64>::max();
  u64 bytes_most = std::numeric_limits<u64>::max();
  u64 days_most = std::numeric_limits<u64>::max();
  u64 unused_hours_least = 1;
  bool dry_run = false;
  bool json = false;
};

/// What recordings take together: files that they share are counted once.
class DiskUse {
 public:
  void add(const std::string& recording) {
    for (const trace::StoredFile& file : trace::files_of_recording(recording))
      if (uses_[file]++ == 0) bytes_ += file.size_bytes;
  }
  void remove(const std::string& recording) {
    for (const trace::StoredFile& file : trace::files_of_recording(recording)) {
      const auto use = uses_.find(file);
      if (use != uses_.end() && --use->second == 0) bytes_ -= file.size_bytes;
    }
  }
  u64 bytes() const { return bytes_; }

 private:
  std::map<trace::StoredFile, u64> uses_;
  u64 bytes_ = 0;
};

/// The recordings that have to go: oldest first until the rest is within all three limits. One that is
/// being made counts, and stays.
std::vector<trace::RecordingSummary> choose(const GcOptions& options) {
  std::vector<trace::RecordingSummary> all = trace::list_recordings();
  DiskUse use;
  for (const auto& recording : all) use.add(recording.path);
  std::erase_if(all, [](const trace::RecordingSummary& recording) { return recording.being_written; });
  const u64 now_ns = static_cast<u64>(time(nullptr)) * 1'000'000'000;
  std::vector<trace::RecordingSummary> gone;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const u64 age_ns = now_ns - std::min(now_ns, all[i].info.started_ns);
    const bool too_old = age_ns / 86'400'000'000'000 >= options.days_most;
    const bool within = all.size() - i <= options.keep && use.bytes() <= options.bytes_most;
    if (within && !too_old) continue;
    use.remove(all[i].path);
    gone.push_back(all[i]);
  }
  return gone;
}

int run_gc(const GcOptions& options) {
  const auto gone = choose(options);
  int code = 0;
  auto removed = nlohmann::ordered_json::array();
  for (const trace::RecordingSummary& recording : gone) {
    if (!options.dry_run) {
      if (const Status status = trace::remove_recording(recording.path); !status) {
        code = complain(status.error());
        continue;
      }
    }
    removed.push_back(recording.name);
    if (!options.json) std::printf("%s\n", printable(recording.name).c_str());
  }
  const trace::StoreUse store = trace::tidy_store(!options.dry_run, options.unused_hours_least * 3600);
  if (options.json)
    print_json({{"dry_run", options.dry_run},
                {"removed", removed},
                {"store_entries", store.entry_count},
                {"store_bytes", store.entry_bytes},
                {"store_removed_entries", store.unused_count},
                {"store_removed_bytes", store.unused_bytes}});
  else
    std::fprintf(stderr, "orrery: %s %zu recordings and %s files of the store (%s)\n",
                 options.dry_run ? "would remove" : "removed", removed.size(),
                 std::to_string(store.unused_count).c_str(), human_bytes(store.unused_bytes).c_str());
  return code;
}

}  // namespace

void add_gc(Arguments app, Session& session) {
  auto options = std::make_shared<GcOptions>();
  const Arguments command = app.command("gc", "Remove old recordings and unused kept files");
  command.option("--keep", options->keep, "Keep at most this many recordings, the newest");
  command.size_option("--max-size", options->bytes_most,
                      "Keep at most this much, as 500MB or 10GB; files that recordings share count once");
  command.option("--max-days", options->days_most, "Keep none that is this many days old");
  command.option("--unused-hours", options->unused_hours_least,
                 "Remove kept files that no recording has used for this long; 1 by default");
  command.flag("-n,--dry-run", options->dry_run, "Only say what would go");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples(
      "  orrery gc --max-size 10GB --max-days 30\n"
      "  orrery gc --keep 5 --dry-run\n"
      "  export ORRERY_GC_MAX_SIZE=10GB; orrery gc     a quota for every time\n");
  command.run([options, &session] { session.exit_code = run_gc(*options); });
}

}  // namespace orrery::cli
