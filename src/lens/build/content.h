// What is known of a file's bytes: pieces of the spool, the newest on top.
#pragma once

#include <map>
#include <vector>

#include "lens/build/journal.h"

namespace orrery::lens::build {

class Content {
 public:
  void put(u64 offset, const Data& data);
  /// Also the pieces of another file's content, from `from` on.
  void put(u64 offset, const Content& other, u64 from, u64 size_bytes);
  void cut(u64 size_bytes);
  /// Whether it has every byte below `size_bytes`.
  bool covers(u64 size_bytes) const;
  u64 known_bytes() const;
  /// `size_bytes` of it, with zeros where nothing is known. False if the spool does not have it any more.
  bool read(const Spool& spool, std::vector<u8>& out) const;

 private:
  struct Piece {
    u64 size = 0;
    u64 at = 0;  ///< in the spool
  };
  void clear(u64 offset, u64 size_bytes);
  std::map<u64, Piece> pieces_;  ///< by offset, disjoint
};

}  // namespace orrery::lens::build
