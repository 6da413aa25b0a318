// The blocks of a program at any place of its log (lens/heap/heap_log.h); of a forked process its parent's,
// from before the fork, too.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "db/database.h"
#include "lens/clock.h"
#include "lens/heap/heap_log.h"
#include "lens/heap/heap_tables.h"
#include "lens/instants.h"

namespace orrery::cli {

/// One program's, going forward.
class HeapHistory {
 public:
  using Live = std::map<u64, lens::heap::BlockRow>;  ///< by number
  struct Counts {
    u64 blocks = 0, bytes = 0;
  };

  /// `inherited`: what was live before the first entry of its own.
  HeapHistory(db::Database& database, const lens::Recording& recording, const lens::heap::HeapRow& program,
              Live inherited);

  /// So far as the entries are not behind the place.
  Fallible<Nothing> go_to(const lens::heap::LoggedPlace& place);
  /// So many entries from the log's beginning.
  Fallible<Nothing> go_behind(u64 entries);

  u64 entries() const { return entries_; }
  const Live& live() const { return live_; }
  /// Given out so far by nodes of heap_node, without what was inherited.
  const std::map<u32, Counts>& given() const { return given_; }
  u64 releases() const { return releases_; }
  /// The block that had the address last, or has it; nothing if none ever did. Only of those that were there
  /// since it was set, so before the first go.
  void look_for(u64 address);
  struct Found {
    lens::heap::BlockRow block{};
    bool is_live = true;
    lens::heap::LoggedPlace released{};  ///< if it is not
    u64 released_ns = 0;
  };
  const std::optional<Found>& found() const { return found_; }

 private:
  using Entry = lens::heap::LogReader::Entry;
  /// The next entry, kept until it is taken; null at the end.
  Fallible<const Entry*> look();
  void take();
  void allocate(const Entry& entry);
  void release(const Entry& entry);
  void note_found(const lens::heap::BlockRow& block);

  db::Database& database_;
  lens::heap::HeapRow program_;
  lens::Clock clock_;
  Live live_;
  std::map<u32, Counts> given_;
  u64 releases_ = 0, entries_ = 0, next_block_;
  u32 next_chunk_ = 0;
  u64 left_in_chunk_ = 0;
  lens::heap::LogRow chunk_;
  std::unique_ptr<lens::heap::LogReader> reader_;
  std::optional<Entry> next_;
  std::optional<u64> wanted_;
  std::optional<Found> found_;
};

/// Those of several programs. Children of one parent that are asked for in the order of their forks read its
/// log once.
class HeapHistories {
 public:
  HeapHistories(db::Database& database, const lens::Recording& recording)
      : database_(database), recording_(recording) {}

  /// At the beginning of the program.
  Fallible<std::unique_ptr<HeapHistory>> begin(const lens::heap::HeapRow& program);
  /// The program that it was forked from; nothing if it inherited nothing.
  Fallible<std::optional<lens::heap::HeapRow>> parent(const lens::heap::HeapRow& program);

 private:
  db::Database& database_;
  const lens::Recording& recording_;
  std::map<std::pair<u32, u32>, std::unique_ptr<HeapHistory>> parents_;
};

/// Where a process was at an instant that may be another's.
lens::heap::LoggedPlace place_in(const lens::Recording& recording, u32 process,
                                 const lens::ExactInstant& instant);

/// Of two places in one process.
bool is_behind(const lens::heap::LoggedPlace& entry, const lens::heap::LoggedPlace& at);

}  // namespace orrery::cli
