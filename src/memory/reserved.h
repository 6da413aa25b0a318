// Which parts of a range are the engine's (memory/layout.h, kReserved).
#pragma once

#include <algorithm>
#include <iterator>

#include "base/types.h"
#include "memory/layout.h"

namespace orrery::memory {

constexpr bool overlaps_reserved(u64 start, u64 end) {
  return std::any_of(std::begin(layout::kReserved), std::end(layout::kReserved),
                     [&](const layout::Range& range) { return range.overlaps(start, end); });
}

/// A piece, as visit_pieces() cuts them, that a program is lent when it maps memory there to use it.
constexpr bool is_lent(u64 start, u64 end, bool wants_access) {
  return wants_access && start >= layout::kLendable.start && end <= layout::kLendable.end;
}

/// Cuts [start, end) where reserved ranges begin and end: visit(from, to, is_reserved) for each piece, in
/// order, until one returns a value other than 0, which is then the result.
template <class Visit>
i64 visit_pieces(u64 start, u64 end, Visit visit) {
  while (start < end) {
    u64 to = end;
    bool is_reserved = false;
    for (const layout::Range& range : layout::kReserved) {
      if (range.contains(start)) {
        is_reserved = true;
        to = std::min(end, range.end);
        break;
      }
      if (range.start > start) to = std::min(to, range.start);
    }
    if (const i64 result = visit(start, to, is_reserved); result != 0) return result;
    start = to;
  }
  return 0;
}

}  // namespace orrery::memory
