#include "cli/columns.h"

#include <algorithm>

namespace orrery::cli {

u64 columns(const std::string& text) {
  return static_cast<u64>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, u64 width) {
  const u64 wide = columns(text);
  return wide < width ? text + std::string(width - wide, ' ') : text;
}

std::string cut(const std::string& text, u64 width) {
  if (columns(text) <= width) return text;
  std::string out;
  u64 wide = 0;
  for (const char byte : text) {
    if ((byte & 0xc0) != 0x80 && ++wide >= width) break;
    out += byte;
  }
  return out + "…";
}

}  // namespace orrery::cli
