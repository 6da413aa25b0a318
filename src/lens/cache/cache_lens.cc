// What each line misses in caches like those that are common: references and misses by a model, from the
// accesses of the replay.
#include "lens/cache/program_cache.h"
#include "lens/profile/program_watcher.h"

namespace orrery::lens {
namespace cache {
namespace {

std::unique_ptr<Watcher> watch(const Recording&, const TreeProcess& process, Rows& rows) {
  return std::make_unique<profile::ProgramWatcher<ProgramCache>>(
      [] { return std::make_unique<ProgramCache>(CacheShapes{}); },
      [number = process.process, &rows](u32 program, const CacheRows& found) {
        CacheRow caches = found.caches;
        caches.process = number;
        caches.program = program;
        rows.add(kCache, caches);
        for (CacheLineRow row : found.lines) {
          row.process = number;
          row.program = program;
          rows.add(kCacheLine, row);
        }
      });
}

std::vector<db::TableDescription> tables() { return {db::describe(kCache), db::describe(kCacheLine)}; }

}  // namespace
}  // namespace cache

extern const Lens kCacheLens;
const Lens kCacheLens = {.name = "cache",
                         .version = 1,
                         .sentence = "References and misses in modelled caches and translation buffers.",
                         .tables = cache::tables,
                         .read = nullptr,
                         .watch = cache::watch,
                         .notes = machine::Notes::accesses};

}  // namespace orrery::lens
