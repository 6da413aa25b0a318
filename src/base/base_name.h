// The last component of a path.
#pragma once

#include <string_view>

namespace orrery {

/// "ls" of "/bin/ls"; all of a path without a slash.
constexpr std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace orrery
