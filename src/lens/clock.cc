#include "lens/clock.h"

namespace orrery::lens {

Clock::Clock(const Recording& recording, u32 process)
    : recording_(recording), reader_(recording.trace, process) {
  advance();
  before_ = next_;
}

Instant Clock::at(const Stop& stop) {
  return {.event = stop.event,
          .task = stop.task,
          .ticks = stop.ticks,
          .instructions = stop.instructions,
          .time_ns = time_at(stop.event, stop.task, stop.ticks)};
}

Clock::Stretch Clock::stretch_at(u64 event, i32 task) {
  go_to(event);
  const u64 before_ns = before_.end_ns(), next_ns = next_.begin_ns();
  Stretch stretch{.begin_ns = recording_.since_begin(before_ns)};
  const u64 first = ticks_before();
  if (!more_ || task != next_.task || next_.ticks <= first || next_ns <= before_ns) return stretch;
  stretch.first_ticks = first;
  stretch.end_ticks = next_.ticks;
  stretch.ns_a_tick = static_cast<double>(next_ns - before_ns) / static_cast<double>(next_.ticks - first);
  return stretch;
}

Instant Clock::find(u64 time_ns) {
  while (more_ && recording_.since_begin(next_.end_ns()) <= time_ns) {
    before_ = next_;
    advance();
  }
  const u64 begin_ns = recording_.since_begin(before_.end_ns());
  if (!more_)
    return {.event = before_.number, .task = before_.task, .ticks = before_.ticks, .time_ns = begin_ns};
  const u64 first = ticks_before(), next_ns = recording_.since_begin(next_.begin_ns());
  // While it waits, time goes on without ticks.
  Instant found{
      .event = next_.number, .task = next_.task, .ticks = first, .time_ns = std::max(begin_ns, time_ns)};
  if (next_.ticks <= first || time_ns <= begin_ns) return found;
  const double part = time_ns >= next_ns
                          ? 1
                          : static_cast<double>(time_ns - begin_ns) / static_cast<double>(next_ns - begin_ns);
  found.ticks += static_cast<u64>(std::min(part, 1.0) * static_cast<double>(next_.ticks - first));
  return found;
}

void Clock::go_to(u64 event) {
  while (more_ && next_.number < event) {
    before_ = next_;
    advance();
  }
}

void Clock::advance() {
  if (more_) ticks_[next_.task] = next_.ticks;
  trace::EventView view;
  more_ = reader_.next(view) == trace::ReadStatus::event;
  if (more_) next_ = *view.header;
}

/// A task that has had no event yet begins here.
u64 Clock::ticks_before() const {
  const auto known = ticks_.find(next_.task);
  return known != ticks_.end() ? known->second : std::min(before_.ticks, next_.ticks);
}

}  // namespace orrery::lens
