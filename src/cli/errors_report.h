// Errors of memory with the stacks that led to them, which a replay is brought back for.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cli/collect.h"
#include "lens/code_place.h"
#include "lens/errors/error_tables.h"

namespace orrery::cli {

/// A place of a run, as the rows have it.
struct ErrorPlace {
  u32 process = 0;
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0, pc = 0;
  auto operator<=>(const ErrorPlace&) const = default;
};

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
  std::map<ErrorPlace, lens::StackFact> stacks{};

  const lens::StackFact* stack_at(const ErrorPlace& place) const;
};

ErrorPlace place_of(const lens::errors::MemoryErrorRow& row);
ErrorPlace made_place(const lens::errors::MemoryErrorRow& row);  ///< of its block, which it has
ErrorPlace gone_place(const lens::errors::MemoryErrorRow& row);
ErrorPlace place_of(const lens::errors::LeakRow& row);

/// `condition`: SQL over the column process. Of errors and of sites of leaks, so many have their stacks.
Fallible<ErrorsReport> read_errors(const std::string& directory, const std::string& condition,
                                   std::size_t stacks_most);

}  // namespace orrery::cli
