// Names and texts of errno values, for printing. Pure data; used by the system-call printer, the `why`
// lens and the messages of the engine.
#pragma once

#include <span>

namespace orrery::abi {

struct ErrorName {
  int value;
  const char* name;  ///< "ENOENT"
  const char* text;  ///< "No such file or directory"
};

/// The row of a positive errno value (the kernel's internal restart codes included), or null.
const ErrorName* find_error(int value);

/// All that a guest can see, in ascending order.
std::span<const ErrorName> error_names();

/// A system call's result is an error when it lies in [-4095, -1] (MAX_ERRNO in include/linux/err.h).
constexpr bool is_error(long long result) { return result < 0 && result >= -4095; }

}  // namespace orrery::abi
