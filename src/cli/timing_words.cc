#include "cli/timing_words.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cli/recording_text.h"
#include "trace/info_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {
namespace {

constexpr u64 kEventsLookedAt = 200'000;
/// Between neighbours with no more ticks than that the program did next to nothing.
constexpr u64 kTicksFew = 4;

struct Gaps {
  std::vector<u64> ns{};
  u64 looked_at = 0;
};

void look(const std::shared_ptr<const trace::OpenedTrace>& trace, u32 process, Gaps& gaps) {
  trace::TraceReader reader(trace, process);
  trace::EventView view;
  trace::EventHeader before;
  for (bool is_first = true;
       gaps.looked_at < kEventsLookedAt && reader.next(view) == trace::ReadStatus::event; ++gaps.looked_at) {
    const trace::EventHeader& now = *view.header;
    const bool near = !is_first && now.task == before.task && now.ticks >= before.ticks &&
                      now.ticks - before.ticks <= kTicksFew && now.duration_ns() == 0 &&
                      before.duration_ns() == 0 && now.time_ns > before.time_ns;
    if (near) gaps.ns.push_back(now.time_ns - before.time_ns);
    before = now;
    is_first = false;
  }
}

/// The last event of a process says what it used.
u64 used_ns(const std::shared_ptr<const trace::OpenedTrace>& trace, u32 process, u64 end_number) {
  trace::TraceReader reader(trace, process);
  trace::EventView view;
  if (end_number == 0 || !reader.seek(end_number - 1) || reader.next(view) != trace::ReadStatus::event)
    return 0;
  trace::ResourceUsage usage;
  if (view.header->kind != trace::EventKind::exit || view.payload.size() < sizeof usage) return 0;
  std::memcpy(&usage, view.payload.data(), sizeof usage);
  return usage.user_ns + usage.system_ns;
}

}  // namespace

Fallible<Timing> timing_of(const std::string& directory) {
  std::string trouble;
  std::shared_ptr<const trace::OpenedTrace> trace = trace::OpenedTrace::open(directory, trouble);
  if (!trace) return Failure(trouble);
  Timing timing;
  if (auto info = trace::read_info(directory)) {
    timing.wall_ns = info.value().duration_ns;
    timing.seeded = info.value().seed.has_value();
  }
  Gaps gaps;
  for (const auto& [process, chunks] : trace->processes()) {
    timing.events += chunks.end_number() - chunks.entries.front().first_number;
    timing.cpu_ns += used_ns(trace, process, chunks.end_number());
    look(trace, process, gaps);
  }
  if (gaps.ns.empty()) return timing;
  const auto middle = gaps.ns.begin() + static_cast<std::ptrdiff_t>(gaps.ns.size() / 2);
  std::nth_element(gaps.ns.begin(), middle, gaps.ns.end());
  timing.event_ns = *middle;
  return timing;
}

std::vector<std::string> timing_words(const Timing& timing) {
  std::vector<std::string> lines = {
      timing.seeded
          ? "one process and one thread at a time, on a virtual clock: times are not the program's own"
          : "threads of a process took turns on one processor (what is ready would run elsewhere); code ran "
            "translated"};
  if (timing.event_ns == 0) return lines;
  char text[200];
  std::snprintf(text, sizeof text, "%lu events of %.2g us (the call itself and its recording, median): %s",
                timing.events, static_cast<double>(timing.event_ns) / 1e3,
                human_duration(timing.events_most_ns()).c_str());
  std::string line = text;
  if (timing.wall_ns != 0) line += " of " + human_duration(timing.wall_ns);
  if (timing.cpu_ns != 0) line += "; " + human_duration(timing.cpu_ns) + " of processor time in all";
  lines.push_back(line);
  return lines;
}

Fallible<Nothing> print_timing(const std::string& directory, const Style& style) {
  const Timing timing = TRY(timing_of(directory));
  for (const std::string& line : timing_words(timing))
    std::printf("%s\n", style.dim("as recorded: " + line).c_str());
  return Nothing{};
}

Fallible<nlohmann::ordered_json> timing_json(const std::string& directory) {
  const Timing timing = TRY(timing_of(directory));
  return nlohmann::ordered_json{{"threads_at_a_time", 1},
                                {"seeded", timing.seeded},
                                {"wall_ns", timing.wall_ns},
                                {"cpu_ns", timing.cpu_ns},
                                {"events", timing.events},
                                {"event_ns", timing.event_ns},
                                {"events_most_ns", timing.events_most_ns()}};
}

}  // namespace orrery::cli
