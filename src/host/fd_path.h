// What file a descriptor of this process refers to.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"

namespace orrery::host {

/// The path as /proc/self/fd shows it, cut to `buffer`; empty if it cannot be had.
std::string_view fd_path(int fd, std::span<char> buffer);

}  // namespace orrery::host
