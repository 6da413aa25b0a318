// Flame graphs (Brendan Gregg, "The Flame Graph", CACM 59:6, 2016) as one SVG file that needs nothing else:
// a box for each function below those that called it, as wide as what it counts, with its number in a tip.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::cli {

/// By the functions of a stack, outermost first.
using CountedStacks = std::map<std::vector<std::string>, u64>;

struct FlameGraph {
  std::string title{};
  CountedStacks stacks{};
  std::string (*words)(u64 value) = nullptr;  ///< what a number is called
};

/// All of them below one another.
std::string flame_graph_svg(const std::vector<FlameGraph>& graphs);

}  // namespace orrery::cli
