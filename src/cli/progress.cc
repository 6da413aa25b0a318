#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock_hosted.h"

namespace orrery::cli {
namespace {

constexpr u64 kQuietNs = 1'000'000'000;
constexpr u64 kStepNs = 200'000'000;
constexpr u64 kBarCharacters = 30;

}  // namespace

Progress::Progress(std::string what, u64 whole)
    : what_(std::move(what)),
      whole_(std::max<u64>(whole, 1)),
      began_ns_(monotonic_ns()),
      wanted_(isatty(STDERR_FILENO) == 1),
      next_ns_(began_ns_ + kQuietNs) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::add(u64 done) {
  done_ += done;
  if (!wanted_) return;
  const u64 now_ns = monotonic_ns();
  if (now_ns < next_ns_) return;
  show(now_ns);
}

void Progress::show(u64 now_ns) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || now_ns < next_ns_) return;
  next_ns_ = now_ns + kStepNs;
  shown_ = true;
  std::fprintf(stderr, "\r%s\033[K", progress_line(what_, done_, whole_, now_ns - began_ns_).c_str());
}

std::string progress_line(const std::string& what, u64 done, u64 whole, u64 elapsed_ns) {
  done = std::min(done, whole);
  const double part = static_cast<double>(done) / static_cast<double>(whole);
  const auto filled = static_cast<std::size_t>(part * kBarCharacters);
  char text[64];
  std::snprintf(text, sizeof text, "  %3d %%  [", static_cast<int>(part * 100));
  std::string line = what + text + std::string(filled, '#') + std::string(kBarCharacters - filled, ' ') + "]";
  if (done == 0) return line;
  const double left_s = static_cast<double>(elapsed_ns) / 1e9 * (1 - part) / part;
  std::snprintf(text, sizeof text, "  %.0f s left", left_s);
  return line + text;
}

}  // namespace orrery::cli
