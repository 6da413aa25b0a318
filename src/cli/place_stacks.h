// The stacks that led to places of a run, for which a replay is brought there.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/failure_hosted.h"
#include "cli/style.h"
#include "lens/code_place.h"

namespace orrery::cli {

/// A place of a run, as rows have it.
struct RunPlace {
  u32 process = 0;
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0, pc = 0;
  auto operator<=>(const RunPlace&) const = default;
};

using PlaceStacks = std::map<RunPlace, lens::StackFact>;

/// Adds the stacks of those places that a replay can be brought to.
Fallible<Nothing> read_stacks(const std::string& directory, const std::set<RunPlace>& places,
                              PlaceStacks& stacks);

/// "add (note.c:16)", or "add [libx.so]".
std::string words_of(const lens::FrameFact& frame);
/// The calls that led there, a line each: `first` stands before the innermost, "by" before the others. Those
/// of main are left out; "" if the place's stack is not among them.
std::string stack_lines(const RunPlace& place, const PlaceStacks& stacks, const char* first,
                        const Style& style);
/// The place with its stack, innermost frame first; no frames if it is not among them.
nlohmann::ordered_json place_json(const RunPlace& place, const PlaceStacks& stacks);

}  // namespace orrery::cli
