// What one program misses in the modelled caches, by memory object and by structure member.
#pragma once

#include <vector>

#include "lens/cache/object_counter.h"
#include "lens/cache/object_tables.h"
#include "lens/replay_session.h"

namespace orrery::lens::cache {

struct ObjectRows {
  u32 process = 0, program = 0;
  u32 heap_program = 0;  ///< its number in the tables of the heap; of a whole run the same
  std::vector<SiteRow> sites{};
  std::vector<FieldRow> fields{};

  void set_program(u32 of_process, u32 number);
};

/// A Program as lens/profile/programs.h wants it.
class ProgramObjects {
 public:
  using Rows = ObjectRows;
  /// `heap`: of the program with this number.
  ProgramObjects(const CacheShapes& shapes, HeapLogs::Chunks heap, u32 heap_program)
      : heap_program_(heap_program),
        data_(files_),
        objects_(std::move(heap), fields_, files_, data_),
        counter_(shapes, objects_, fields_, data_) {}
  ProgramObjects(const ProgramObjects&) = delete;
  ProgramObjects& operator=(const ProgramObjects&) = delete;

  template <class Current>
  static Status ask(ReplaySession& session, Current current) {
    return session.note_accesses(
        [current](auto records, auto points) { current().counter_.read(records, points); });
  }
  Status look_at_files(ReplaySession& session);
  Status look_at_map(ReplaySession& session);
  Status before_unmapping(ReplaySession& session, u64 start, u64 end);
  Status finish(ReplaySession& session);
  ObjectRows rows() const;

 private:
  u32 heap_program_;
  profile::CodeFiles files_;
  DataFiles data_;
  FieldTable fields_;
  ObjectMap objects_;
  ObjectCounter counter_;
  DataCounts frame_, unknown_;
};

}  // namespace orrery::lens::cache
