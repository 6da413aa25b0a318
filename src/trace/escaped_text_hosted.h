// Text of any bytes as one line: control characters and the backslash are written \xNN.
#pragma once

#include <string>
#include <string_view>

namespace orrery::trace {

std::string escape_line(std::string_view text);
std::string unescape_line(std::string_view text);

}  // namespace orrery::trace
