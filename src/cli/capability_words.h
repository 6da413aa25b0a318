// A set of capabilities in words.
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::cli {

/// "none", "all", "all but sys_boot", "chown kill".
std::string capability_words(u64 set);

}  // namespace orrery::cli
