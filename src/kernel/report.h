// Where the machine's own words go: one clear line for everything that degrades (design.md,
// invariant 8). The engine writes them to its stderr, tests collect them.
#pragma once

#include <string_view>

namespace orrery::kernel {

class ReportSink {
 public:
  /// One line, without its newline.
  virtual void line(std::string_view text) = 0;

 protected:
  ~ReportSink() = default;
};

}  // namespace orrery::kernel
