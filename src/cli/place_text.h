// Functions and lines as the rows of reports name them.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"

namespace orrery::cli {

/// "walk.c:12", or "" if either is not known.
std::string line_text(const std::optional<std::string>& file, const std::optional<u32>& line);
/// "[libc.so.6]"; without an object "[made at run time]".
std::string object_text(const std::optional<std::string>& object);
/// The short name, or "code without a symbol".
std::string function_text(const std::optional<std::string>& function);

}  // namespace orrery::cli
