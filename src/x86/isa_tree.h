// The places of a key in the trees of shared rows that the generator writes (isa_table_generator_hosted.cc).
#pragma once

#include "x86/isa_table.h"

namespace orrery::x86 {

inline constexpr int kNoMap = -1;

/// The row of kMaps for an encoding's map.
inline int map_index(Encoding encoding, u8 map) {
  switch (encoding) {
    case Encoding::legacy:
      return map <= 3 ? map : kNoMap;
    case Encoding::vex:
      return map >= 1 && map <= 3 ? 3 + map : kNoMap;
    case Encoding::evex:
      return map >= 1 && map <= 3 ? 6 + map : map == 5 || map == 6 ? 5 + map : kNoMap;
    case Encoding::xop:
      return kNoMap;
  }
  return kNoMap;
}

inline int leaf_cell(const ClassKey& key) {
  return (key.wide ? 1 : 0) | (key.register_form ? 2 : 0) | (key.vector_length << 2) |
         (key.broadcast ? 16 : 0);
}

}  // namespace orrery::x86
