// Text that the host's /proc wrote, line by line.
#pragma once

#include <algorithm>
#include <string_view>

namespace orrery::kernel {

/// Takes the first line off `text`, and its end.
inline std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace orrery::kernel
