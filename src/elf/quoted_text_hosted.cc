#include "elf/quoted_text_hosted.h"

#include <cstdio>

namespace orrery::elf {
namespace {

/// How many bytes at `at` are one UTF-8 character; 0 if they are none.
u64 utf8_bytes(const std::string& text, u64 at) {
  const u8 first = static_cast<u8>(text[at]);
  const u64 bytes = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : (first & 0xf0) == 0xe0        ? 3
                    : (first & 0xf8) == 0xf0        ? 4
                                                    : 0;
  for (u64 i = 1; i < bytes; ++i) {
    if (at + i >= text.size() || (static_cast<u8>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

}  // namespace

std::string quoted(const std::string& text, u64 most) {
  std::string out = "\"";
  u64 at = 0;
  while (at < text.size() && at < most) {
    const char letter = text[at];
    const u64 bytes = utf8_bytes(text, at);
    if (letter == '"' || letter == '\\') {
      out += std::string("\\") + letter;
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\t') {
      out += "\\t";
    } else if (bytes == 0 || static_cast<u8>(letter) < 0x20 || letter == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<u8>(letter)));
      out += escape;
    } else {
      out += text.substr(at, bytes);
    }
    at += bytes == 0 ? 1 : bytes;
  }
  out += '"';
  return at < text.size() ? out + "…" : out;
}

}  // namespace orrery::elf
