// Programs are recorded under the stack limit that the user chose for them (`ulimit -s 16`), which may be too
// little for this one.
#pragma once

#include <functional>

namespace orrery::cli {

/// Calls `function` on a stack of the usual size, whatever the limit is, and gives what it returns.
int call_with_stack(const std::function<int()>& function);

}  // namespace orrery::cli
