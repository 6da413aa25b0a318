// The blocks that a program was given, and the last of those that it gave back: what an address that is wrong
// is described by.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/hash_map.h"
#include "base/types.h"

namespace orrery::lens::errors {

/// Where in the run something was done.
struct Place {
  u64 event = 0;  ///< the process's next event
  i32 task = 0;
  u64 ticks = 0;  ///< of the task
  u64 pc = 0;
};

/// Which functions give and take a block: what is given by one kind is to be taken back by it.
enum class Family : u8 { malloc, scalar_new, array_new };

struct HeapBlock {
  u64 address = 0, size_bytes = 0;
  u64 usable_bytes = 0;  ///< what the allocator has said that the program may use; 0: nothing
  u64 number = 0;        ///< counts those given out, from 1
  Family family = Family::malloc;
  Place made{};
  u64 made_by = 0;  ///< the call instruction; 0 if it is not known
  Place gone{};     ///< of one that was given back
  u64 gone_by = 0;
};

/// How an address lies to a block.
enum class Relation : u8 { none, inside, behind, before };

struct Neighbour {
  HeapBlock block{};
  bool live = false;
  Relation relation = Relation::none;
  u64 distance = 0;  ///< inside: from its beginning; else bytes between the two
};

class HeapBlocks {
 public:
  void give(const HeapBlock& block);
  /// Null if no live block begins there.
  const HeapBlock* find(u64 address) const;
  /// Of blocks that find() knows.
  void set_usable(u64 address, u64 bytes) { live_.find(address)->usable_bytes = bytes; }
  void take_back(u64 address, const Place& gone, u64 gone_by);
  /// The last one that was taken back is not to be told of.
  void forget_last_gone() { gone_.pop_back(); }
  /// The block that an access of an address that may not be touched was most likely meant for.
  std::optional<Neighbour> neighbour(u64 address) const;
  /// By address.
  std::vector<HeapBlock> live() const;
  u64 given() const { return given_; }  ///< number of the last block that was given out

 private:
  static constexpr std::size_t kGoneMost = 1 << 16;
  /// Further away than this, nothing is said of a block.
  static constexpr u64 kNearBytes = 1 << 12;

  HashMap<HeapBlock> live_;
  std::deque<HeapBlock> gone_;  ///< the last one last
  u64 given_ = 0;
};

}  // namespace orrery::lens::errors
