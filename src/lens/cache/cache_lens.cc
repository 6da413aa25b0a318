// What each line misses in caches like those of the recorded processor: references and misses by a model,
// from the accesses of the replay.
#include "lens/cache/program_cache.h"
#include "lens/cache/recorded_shapes.h"
#include "lens/profile/program_watcher.h"

namespace orrery::lens {
namespace cache {
namespace {

std::unique_ptr<Watcher> watch(const Recording& recording, const TreeProcess& process, Rows& rows) {
  return std::make_unique<profile::ProgramWatcher<ProgramCache>>(
      process.process,
      [shapes = recorded_shapes(recording.directory)] { return std::make_unique<ProgramCache>(shapes); },
      [&rows](const CacheRows& found) {
        rows.add(kCache, found.caches);
        for (const CacheLineRow& row : found.lines) rows.add(kCacheLine, row);
      });
}

std::vector<db::TableDescription> tables() { return {db::describe(kCache), db::describe(kCacheLine)}; }

}  // namespace
}  // namespace cache

extern const Lens kCacheLens;
const Lens kCacheLens = {.name = "cache",
                         .version = 2,
                         .sentence = "References and misses in modelled caches and translation buffers.",
                         .tables = cache::tables,
                         .read = nullptr,
                         .watch = cache::watch,
                         .notes = machine::Notes::accesses};

}  // namespace orrery::lens
