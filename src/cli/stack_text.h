// Call stacks for people: the backtrace with values, and the raw frames drawn.
#pragma once

#include <string>

#include "cli/style.h"
#include "lens/stack/task_stack.h"

namespace orrery::cli {

/// `all`: frames and values that repeat, or are the system's, as well.
std::string stack_text(const lens::TaskStack& stack, const Style& style, bool all);
/// As the stack lies in memory: the outermost frame on top.
std::string raw_stack_text(const lens::TaskStack& stack, const Style& style);

}  // namespace orrery::cli
