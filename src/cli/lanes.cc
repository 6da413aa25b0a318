#include "cli/lanes.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

struct Kind {
  const char* reason;
  const char* letter;
};
/// Of waits, in the order of the legend.
constexpr Kind kKinds[] = {
    {"lock", "L"},      {"condition", "c"}, {"thread", "j"},    {"child", "p"}, {"pipe", "|"},
    {"socket", "s"},    {"disk", "d"},      {"readiness", "e"}, {"timer", "t"}, {"signal", "g"},
    {"file lock", "F"}, {"semaphore", "m"}, {"call", "o"},
};
constexpr std::size_t kKindCount = std::size(kKinds);
constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

std::size_t kind_of(const std::string& reason) {
  const auto at = std::find_if(std::begin(kKinds), std::end(kKinds),
                               [&](const Kind& kind) { return reason == kind.reason; });
  return at == std::end(kKinds) ? kKindCount - 1 : static_cast<std::size_t>(at - std::begin(kKinds));
}

}  // namespace

struct LanePainter::Cell {
  double running = 0, ready = 0;
  std::array<double, kKindCount> blocked{};
};

/// Running is a bar as high as its share; without any, what took most of the time.
std::string LanePainter::cell_text(const Cell& cell) {
  constexpr double kSeen = 1.0 / 16;
  const auto most = std::max_element(cell.blocked.begin(), cell.blocked.end());
  if (cell.running >= kSeen && (cell.running >= cell.ready || cell.running >= kSeen * 4)) {
    used_.insert("running");
    return style_.green(kBars[std::clamp<int>(static_cast<int>(cell.running * 8 - 0.01), 0, 7)]);
  }
  if (cell.ready > *most && cell.ready > 0) {
    used_.insert("ready");
    return style_.yellow("~");
  }
  if (*most > 0) {
    const Kind& kind = kKinds[most - cell.blocked.begin()];
    used_.insert(kind.reason);
    return &kind == &kKinds[0] ? style_.red(kind.letter) : style_.dim(kind.letter);
  }
  if (cell.running <= 0) return " ";
  used_.insert("running");
  return style_.green(kBars[0]);
}

std::string LanePainter::paint(const TaskLane& lane) {
  std::vector<Cell> cells(columns_);
  const double span = std::max<double>(static_cast<double>(to_ns_ - from_ns_), 1);
  const double cell_ns = span / static_cast<double>(columns_);
  for (const TaskStretch& each : lane.stretches) {
    const double begin = static_cast<double>(std::max(each.begin_ns, from_ns_) - from_ns_) / cell_ns;
    const double end = static_cast<double>(std::min(each.end_ns, to_ns_) - from_ns_) / cell_ns;
    if (end <= begin) continue;
    for (auto at = static_cast<std::size_t>(begin); at < columns_ && static_cast<double>(at) < end; ++at) {
      const double share =
          std::min(end, static_cast<double>(at + 1)) - std::max(begin, static_cast<double>(at));
      Cell& cell = cells[at];
      (each.state == "running" ? cell.running
       : each.state == "ready" ? cell.ready
                               : cell.blocked[kind_of(each.reason)]) += share;
    }
  }
  std::string text;
  for (const Cell& cell : cells) text += cell_text(cell);
  return text;
}

std::string LanePainter::axis() const {
  const std::string left = human_duration(static_cast<u64>(from_ns_));
  const std::string right = human_duration(static_cast<u64>(to_ns_));
  if (left.size() + right.size() >= columns_) return left;
  return left + std::string(columns_ - left.size() - right.size(), ' ') + right;
}

std::string LanePainter::legend() const {
  std::string text;
  const auto add = [&](const char* letter, const std::string& words) {
    if (used_.contains(words)) text += std::string(text.empty() ? "" : "  ") + letter + " " + words;
  };
  add("▁…█", "running");
  add("~", "ready");
  for (const Kind& kind : kKinds) add(kind.letter, kind.reason);
  return text;
}

}  // namespace orrery::cli
