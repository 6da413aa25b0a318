// Text in columns of a terminal. UTF-8 continuation bytes take none.
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::cli {

u64 columns(const std::string& text);
std::string padded(const std::string& text, u64 width);
/// At most so wide, the last column an ellipsis if something was left out.
std::string cut(const std::string& text, u64 width);

}  // namespace orrery::cli
