// Who asked for blocks of a program's heap, as reports name it: the calls that led to an allocator, with the
// functions inlined there.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "db/database.h"
#include "lens/heap/heap_tables.h"

namespace orrery::cli {

/// "make_node (walk.c:12)", or "make_node [libx.so]".
std::string words_of(const lens::heap::PlaceRow& place);
nlohmann::ordered_json place_json(const lens::heap::PlaceRow& place);

class HeapStacks {
 public:
  /// Of a program whose heap has been collected.
  static Fallible<HeapStacks> read(db::Database& database, u32 process, u32 program);

  /// The call instruction of a node of heap_node; 0 if there is no such node.
  u64 pc_of(u32 node) const;
  /// From the call of the allocator outwards.
  std::vector<const lens::heap::PlaceRow*> frames_of(u32 node) const;
  nlohmann::ordered_json json_of(u32 node) const;

 private:
  struct Node {
    u32 parent = 0;
    u64 pc = 0;
  };
  std::map<u32, Node> nodes_;
  std::map<u64, std::vector<lens::heap::PlaceRow>> places_;  ///< by pc, innermost first
};

}  // namespace orrery::cli
