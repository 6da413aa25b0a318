// What a program misses in caches by the memory object and by the structure member that it accesses: the
// accesses of a replay, beside the log of its heap.
#include "lens/cache/program_objects.h"
#include "lens/cache/recorded_shapes.h"
#include "lens/profile/program_watcher.h"

namespace orrery::lens {

extern const Lens kHeapLens;

namespace cache {
namespace {

class ObjectInquiry final : public Inquiry {
 public:
  ObjectInquiry(const Recording& recording, Rows& rows)
      : rows_(rows), shapes_(recorded_shapes(recording.directory)) {
    auto log = rows.read(heap::kHeapLog, "ORDER BY process, program, chunk");
    if (log) logs_ = HeapLogs(log.take());
  }

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<profile::ProgramWatcher<ProgramObjects>>(
        process.process,
        [this, number = process.process, program = u32{0}]() mutable {
          const u32 made = program++;
          return std::make_unique<ProgramObjects>(shapes_, logs_.of(number, made), made);
        },
        [this](const ObjectRows& found) {
          for (const SiteRow& row : found.sites) rows_.add(kCacheSite, row);
          for (const FieldRow& row : found.fields) rows_.add(kCacheField, row);
        });
  }

 private:
  Rows& rows_;
  CacheShapes shapes_;
  HeapLogs logs_{{}};
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<ObjectInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() { return {db::describe(kCacheSite), db::describe(kCacheField)}; }

}  // namespace
}  // namespace cache

extern const Lens kCacheObjectLens;
const Lens kCacheObjectLens = {.name = "cache-object",
                               .version = 1,
                               .sentence = "The same by the memory object and the structure member accessed.",
                               .tables = cache::tables,
                               .read = nullptr,
                               .watch = nullptr,
                               .inquire = cache::inquire,
                               .notes = machine::Notes::accesses,
                               .needs = &kHeapLens};

}  // namespace orrery::lens
