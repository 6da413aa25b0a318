// Which memory object each address belongs to while a program runs: a block of its heap, by who asked for it;
// a variable, by its symbol; a task's stack, by the function that accesses it; else the mapping.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "lens/cache/block_pages.h"
#include "lens/cache/data_files.h"
#include "lens/cache/field_table.h"
#include "lens/cache/heap_history.h"
#include "lens/profile/code_files.h"

namespace orrery::lens::cache {

enum class SiteKind : u8 { heap, global, stack, mapping };

/// What counts as one: blocks that were asked for at one place, one variable, ...
struct Site {
  SiteKind kind = SiteKind::mapping;
  u32 node = 0;          ///< of heap: heap::CallTree's
  i32 task = 0;          ///< of stack
  u32 function = 0;      ///< of stack: profile::CodeFiles' number
  std::string name{};    ///< of global and mapping
  std::string object{};  ///< of global: the file
  DataCounts counts{};
  u32 layout = FieldTable::kNone;  ///< of its elements, if it is known
  u64 first_bytes = 0;             ///< before the first element
  u8 fits = 0;                     ///< of heap: how well blocks fit the layout; 0: not known
  /// Of heap without a layout: by offset in the block, until it is known.
  std::map<u32, DataCounts> waiting{};
};

/// An object around an address.
struct FoundObject {
  u32 site = 0;
  u64 begin = 0, end = 0;  ///< of the object, or of what is known to belong to the same site
  bool is_block = false;
  bool may_hold_blocks = false;  ///< where blocks are, they are meant
};

class ObjectMap {
 public:
  ObjectMap(HeapLogs::Chunks heap, FieldTable& fields, profile::CodeFiles& code, DataFiles& data)
      : history_(std::move(heap)), fields_(fields), code_(code), data_(data) {}

  /// At a stop: the regions and whose stacks they are.
  void look(ReplaySession& session);
  /// The heap as it is when the task has so many ticks.
  void go_to(u64 event, i32 task, u64 ticks) {
    if (history_.is_due(event, task, ticks)) change_heap(event, task, ticks);
  }

  /// Null if no block lies there; valid until the heap changes.
  const FoundObject* block_at(u64 address) const {
    const u32 block = pages_.find(address);
    return block == BlockPages::kNone ? nullptr : &blocks_[block];
  }
  /// Of what is no block, accessed by the instruction at `pc`.
  FoundObject find(u64 address, u64 pc);
  /// Changes whenever what find() said may not hold any more.
  u32 epoch() const { return epoch_; }

  Site& site(u32 number) { return sites_[number]; }
  const std::vector<Site>& sites() const { return sites_; }

 private:
  struct Region {
    u64 start, end;
    std::string name;
    i32 stack_of;  ///< 0: it is no stack
    bool grows;
  };
  using Key = std::tuple<SiteKind, u64, u64, std::string, std::string>;

  void change_heap(u64 event, i32 task, u64 ticks);
  void allocate(const heap::LoggedBlock& block);
  void release(const heap::LoggedBlock& block);
  const Region* region_at(u64 address) const;
  u32 number_of(Site site);
  u32 number_of_global(const DataSymbol& symbol);

  HeapHistory history_;
  FieldTable& fields_;
  profile::CodeFiles& code_;
  DataFiles& data_;
  BlockPages pages_;
  std::vector<FoundObject> blocks_{1};
  std::vector<u32> free_blocks_;
  HashMap<u32> block_numbers_;   ///< by address
  std::vector<u32> heap_sites_;  ///< by node; 0: none yet
  std::vector<Region> regions_;
  std::vector<Site> sites_{1};
  std::map<Key, u32> site_numbers_;
  u32 epoch_ = 1;
};

}  // namespace orrery::lens::cache
