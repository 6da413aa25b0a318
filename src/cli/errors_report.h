// Errors of memory with the stacks that led to them, which a replay is brought back for.
#pragma once

#include <string>
#include <vector>

#include "cli/collect.h"
#include "cli/place_stacks.h"
#include "lens/errors/error_tables.h"

namespace orrery::cli {

/// Blocks of one kind that the same place asked for.
struct LeakSite {
  lens::errors::LeakRow first{};  ///< the largest one
  u64 blocks = 0, bytes = 0;
};

struct ErrorsReport {
  std::vector<lens::errors::CheckedRow> programs{};
  std::vector<lens::errors::MemoryErrorRow> errors{};
  std::vector<lens::errors::LeakRow> leaks{};
  std::vector<LeakSite> sites{};  ///< what is lost first, then most bytes
  PlaceStacks stacks{};

  const lens::StackFact* stack_at(const RunPlace& place) const;
};

RunPlace place_of(const lens::errors::MemoryErrorRow& row);
RunPlace made_place(const lens::errors::MemoryErrorRow& row);  ///< of its block, which it has
RunPlace gone_place(const lens::errors::MemoryErrorRow& row);
RunPlace place_of(const lens::errors::LeakRow& row);

/// Which errors are wanted: undefined values take a replay of their own, and are only told if they were
/// collected before.
enum class Sought : u8 { accesses, undefined_too };

/// `condition`: SQL over the column process. Of errors and of sites of leaks, so many have their stacks.
Fallible<ErrorsReport> read_errors(const std::string& directory, const std::string& condition,
                                   std::size_t stacks_most, Sought sought);

}  // namespace orrery::cli
