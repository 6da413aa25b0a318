// Where two recordings of one program first part: by their events, then by the branch, with what differs
// there. Text and JSON of `orrery compare`.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/style.h"
#include "lens/code_place.h"
#include "lens/difference/event_difference.h"
#include "lens/difference/path_difference.h"

namespace orrery::cli {

/// A register or variable that is not the same in both runs.
struct DifferentValue {
  std::string name{};      ///< "rax", or a variable's name
  std::string function{};  ///< of a variable: whose it is
  std::array<std::string, 2> value{};
};

/// What a run shows at the branch.
struct BranchSide {
  u32 process = 0;
  i32 task = 0;
  u64 event = 0, ticks = 0, pc = 0;
  std::string instruction{};  ///< disassembled
  lens::StackFact stack{};
  std::string to{};  ///< where it goes on: "main (sum.c:12)"; "" if the run ends
};

struct FirstDifference {
  lens::EventDifference events{};
  std::optional<lens::PathDifference> path{};
  std::optional<std::array<BranchSide, 2>> branch{};
  std::vector<DifferentValue> values{};
  /// Of EventDifference's way, request and answer, in each run: the call as strace would show it, or what
  /// else it is; "" if there is none.
  std::array<std::string, 2> way{}, request{}, answer{};
};

/// `directories`: the recordings; `processes`: those to compare, as lens::find_event_difference() takes them.
/// Fails if the runs are not of the same program.
Fallible<FirstDifference> find_first_difference(const std::array<std::string, 2>& directories,
                                                const std::optional<std::array<u32, 2>>& processes);

/// `names`: what the user calls the recordings.
std::string first_difference_text(const FirstDifference& found, const std::array<std::string, 2>& names,
                                  const Style& style);
nlohmann::ordered_json first_difference_json(const FirstDifference& found);

}  // namespace orrery::cli
