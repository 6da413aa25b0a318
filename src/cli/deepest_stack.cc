#include "cli/deepest_stack.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/stopped_process.h"
#include "cli/style.h"
#include "lens/clock.h"
#include "lens/stack/deepest.h"

namespace orrery::cli {
namespace {

using lens::DeepestPoint;
using lens::DeepFrame;
using Json = nlohmann::ordered_json;

constexpr std::size_t kLinesShown = 24;

struct Deepest {
  DeepestPoint point{};
  lens::ExactInstant instant{};
  std::vector<DeepFrame> frames{};
};

struct Span {
  lens::ExactInstant from{};
  std::optional<lens::ExactInstant> to{};  ///< none: the process's end
};

Fallible<Span> span_of(const LayerOptions& options) {
  Span span;
  span.from =
      TRY(find_instant(options.directory, options.from.empty() ? "start" : options.from, options.processes));
  if (options.instant)
    span.to = options.instant;
  else if (!options.to.empty())
    span.to = TRY(find_instant(options.directory, options.to, {span.from.process}));
  if (span.to && span.to->process != span.from.process)
    return Failure("both instants must be of one process: choose it with -p");
  return span;
}

/// A second replay goes to the points, one after the other.
Fallible<Nothing> read_frames(const LayerOptions& options, const Span& span, std::vector<Deepest>& all) {
  std::unique_ptr<StoppedProcess> stopped;
  for (Deepest& each : all) {
    const bool is_there = stopped && static_cast<bool>(lens::seek(*stopped->session, each.instant));
    // Of two tasks between the same events the order is not known beforehand.
    if (!is_there) stopped = TRY(stop_process(options.directory, {span.from.process}, each.instant));
    each.frames = lens::deep_frames(*stopped->session, each.point.task);
  }
  return Nothing{};
}

Fallible<std::vector<Deepest>> find_all(const LayerOptions& options, const Span& span) {
  const auto stopped = TRY(stop_process(options.directory, {span.from.process}, span.from));
  std::vector<Deepest> all;
  lens::Clock clock(stopped->recording, span.from.process);
  for (const DeepestPoint& point : TRY(lens::find_deepest(*stopped->session, span.to))) {
    if (options.task != 0 && point.task != options.task) continue;
    lens::ExactInstant instant{.process = span.from.process,
                               .at = {.event = point.event, .task = point.task, .ticks = point.ticks}};
    instant.at.time_ns = clock.time_at(point.event, point.task, point.ticks);
    if (point.pc != 0) instant.pc = point.pc;
    all.push_back({.point = point, .instant = instant});
  }
  TRY(read_frames(options, span, all));
  return all;
}

// --- for people ---

std::string name_of(const DeepFrame& frame) {
  if (frame.signal_frame) return "<signal handler called>";
  const std::string image(base_name(frame.image));
  if (frame.function.empty())
    return image.empty() ? "code that is in no file" : "code without a symbol [" + image + "]";
  if (frame.source.line == 0) return frame.function + " [" + image + "]";
  return fmt::format("{} ({}:{})", frame.function, base_name(frame.source.file), frame.source.line);
}

/// Frames that follow each other at one place.
struct Line {
  u64 count = 1, bytes = 0;
  bool is_known = true;  ///< of all of them the size
  const DeepFrame* frame = nullptr;
};

std::vector<Line> lines_of(const std::vector<DeepFrame>& frames) {
  std::vector<Line> lines;
  for (const DeepFrame& frame : frames) {
    const bool again = !lines.empty() && lines.back().frame->pc == frame.pc;
    if (again)
      ++lines.back().count;
    else
      lines.push_back({.frame = &frame});
    lines.back().bytes += frame.bytes.value_or(0);
    lines.back().is_known = lines.back().is_known && frame.bytes.has_value();
  }
  return lines;
}

void print_frames(const std::vector<DeepFrame>& frames, bool all, const Style& style) {
  std::printf("%s\n", style.bold("       BYTES   TIMES  FUNCTION").c_str());
  const std::vector<Line> lines = lines_of(frames);
  std::size_t shown = 0;
  for (const Line& line : lines) {
    if (!all && shown++ == kLinesShown) break;
    std::printf("%12s  %6s  %s\n", line.is_known ? std::to_string(line.bytes).c_str() : "?",
                line.count > 1 ? (std::to_string(line.count) + " x").c_str() : "",
                printable(name_of(*line.frame)).c_str());
  }
  if (!all && lines.size() > kLinesShown)
    std::printf("%s\n", style.dim(fmt::format("  and {} more: --all", lines.size() - kLinesShown)).c_str());
}

void print_deepest(const Deepest& each, const LayerOptions& options, const Style& style) {
  const DeepestPoint& point = each.point;
  const u64 room = point.top - point.start;
  const std::string of = point.is_alternate ? "alternate stack" : "stack";
  std::printf(
      "\n%s\n",
      style
          .bold(fmt::format("Task {}: {} bytes of its {} written, {:.1f} % of {}", point.task, point.bytes(),
                            of, 100.0 * static_cast<double>(point.bytes()) / static_cast<double>(room),
                            human_bytes(room)))
          .c_str());
  std::printf("  down to %#lx %s\n", point.lowest, instant_words(each.instant).c_str());
  if (point.pc == 0) std::printf("  by the kernel, for a signal or in a system call\n");
  print_frames(each.frames, options.all, style);
}

// --- JSON ---

Json deepest_json(const Deepest& each) {
  const DeepestPoint& point = each.point;
  Json frames = Json::array();
  for (const DeepFrame& frame : each.frames)
    frames.push_back({{"pc", frame.pc},
                      {"function", frame.function.empty() ? Json() : Json(frame.function)},
                      {"image", frame.image.empty() ? Json() : Json(frame.image)},
                      {"file", frame.source.line == 0 ? Json() : Json(frame.source.file)},
                      {"line", frame.source.line == 0 ? Json() : Json(frame.source.line)},
                      {"signal_frame", frame.signal_frame},
                      {"bytes", frame.bytes ? Json(*frame.bytes) : Json()}});
  return {{"task", point.task},
          {"program", point.program},
          {"kind", point.is_alternate ? "alternate" : "own"},
          {"start", point.start},
          {"top", point.top},
          {"lowest", point.lowest},
          {"bytes", point.bytes()},
          {"by_kernel", point.pc == 0},
          {"instant", instant_json(each.instant)},
          {"frames", std::move(frames)}};
}

}  // namespace

Fallible<Nothing> show_deepest(const LayerOptions& options, const Session& session) {
  const Span span = TRY(span_of(options));
  const std::vector<Deepest> all = TRY(find_all(options, span));
  if (options.json) {
    Json stacks = Json::array();
    for (const Deepest& each : all) stacks.push_back(deepest_json(each));
    print_json({{"from", instant_json(span.from)},
                {"to", span.to ? instant_json(*span.to) : Json()},
                {"stacks", std::move(stacks)}});
    return Nothing{};
  }
  if (all.empty()) return Failure("no stack of that process was written there");
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  std::printf("from %s\n", instant_words(span.from).c_str());
  std::printf("to %s\n", span.to ? instant_words(*span.to).c_str() : "the end of the process");
  for (const Deepest& each : all) print_deepest(each, options, style);
  return Nothing{};
}

}  // namespace orrery::cli
