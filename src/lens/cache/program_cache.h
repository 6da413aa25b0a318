// What one program misses in the modelled caches while it is replayed.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "lens/cache/cache_counter.h"
#include "lens/cache/cache_tables.h"
#include "lens/profile/code_files.h"
#include "lens/replay_session.h"

namespace orrery::lens::cache {

/// Of no program yet.
CacheRow row_of(const CacheShapes& shapes);

struct CacheRows {
  CacheRow caches{};
  std::vector<CacheLineRow> lines{};

  void set_program(u32 process, u32 program);
};

/// A Program as lens/profile/programs.h wants it.
class ProgramCache {
 public:
  using Rows = CacheRows;
  explicit ProgramCache(const CacheShapes& shapes) : shapes_(shapes), counter_(shapes) {}

  template <class Current>
  static Status ask(ReplaySession& session, Current current) {
    return session.note_accesses([current](auto records, auto points) { current().read(records, points); });
  }
  Status look_at_files(ReplaySession& session);
  Status before_unmapping(ReplaySession& session, u64 start, u64 end);
  Status finish(ReplaySession& session);
  CacheRows rows() const;

 private:
  struct Key {
    u32 function;
    std::string file;
    u32 line;
    auto operator<=>(const Key&) const = default;
  };
  struct Counts {
    LevelCounts fetches, reads, writes;
  };

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points);
  Counts& counts_at(ReplaySession& session, u64 pc);

  CacheShapes shapes_;
  CacheCounter counter_;
  profile::CodeFiles files_;
  std::size_t expected_ = 0;  ///< points that files_ has heard of
  std::map<Key, Counts> lines_;
};

}  // namespace orrery::lens::cache
