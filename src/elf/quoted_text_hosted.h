// Strings of a program as reports show them.
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::elf {

/// In double quotes, with C's escapes for what cannot be printed; cut after `most` bytes, with an ellipsis.
std::string quoted(const std::string& text, u64 most);

}  // namespace orrery::elf
