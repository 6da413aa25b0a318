#include "cli/style.h"

#include <unistd.h>

#include <cstdlib>

namespace orrery::cli {

Style Style::for_stream(std::string_view wanted, int fd) {
  if (wanted == "always") return Style(true);
  if (wanted == "never") return Style(false);
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color && *no_color) return Style(false);
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal && std::string_view(terminal) == "dumb";
  return Style(!dumb && isatty(fd) == 1);
}

std::string Style::wrap(std::string_view code, std::string_view text) const {
  if (!colored_ || text.empty()) return std::string(text);
  std::string out = "\x1b[";
  out.append(code).append("m").append(text).append("\x1b[0m");
  return out;
}

}  // namespace orrery::cli
