#include "lens/instants.h"

#include <algorithm>

#include "lens/clock.h"
#include "lens/why/culprit.h"

namespace orrery::lens {
namespace {

using Kind = InstantWord::Kind;

std::string name_of(const TreeProcess& process) {
  return "process #" + std::to_string(process.process) + " (" + process.program + ")";
}

ExactInstant instant_of(const Recording& recording, u32 process, const trace::EventHeader& event) {
  return {.process = process,
          .at = {.event = event.number,
                 .task = event.task,
                 .ticks = event.ticks,
                 .time_ns = recording.since_begin(event.time_ns)},
          .pc = event.pc};
}

bool same_place(const trace::EventHeader& left, const trace::EventHeader& right) {
  return left.task == right.task && left.ticks == right.ticks && left.pc == right.pc;
}

/// Where the program made the call that the event belongs to, which may have several.
Fallible<ExactInstant> find_event(const Recording& recording, const TreeProcess& process, u64 number) {
  trace::TraceReader reader(recording.trace, process.process);
  trace::EventView event;
  if (!reader.seek(number) || reader.next(event) != trace::ReadStatus::event)
    return Failure("the events of " + name_of(process) + " are " + std::to_string(reader.first_number()) +
                   " to " + std::to_string(std::max(reader.end_number(), u64{1}) - 1));
  trace::EventHeader first = *event.header;
  while (first.number > reader.first_number() && reader.seek(first.number - 1) &&
         reader.next(event) == trace::ReadStatus::event && same_place(*event.header, first))
    first = *event.header;
  ExactInstant found = instant_of(recording, process.process, first);
  found.is_event = true;
  return found;
}

/// The event before which the first process stands at its first instruction: those before it are of its exec,
/// when it has no task yet.
u64 first_of_program(const Recording& recording, const TreeProcess& process) {
  trace::TraceReader reader(recording.trace, process.process);
  trace::EventView event;
  while (reader.next(event) == trace::ReadStatus::event)
    if (event.header->task != 0) return event.header->number;
  return process.first_event;
}

/// Before the process's first instruction, or behind the fork.
Fallible<ExactInstant> find_start(const Recording& recording, const TreeProcess& process) {
  // A forked process's first event is its start itself.
  const u64 event = process.parent ? process.first_event : first_of_program(recording, process);
  ExactInstant found = TRY(find_event(recording, process, event));
  found.at.ticks = process.parent ? found.at.ticks : 0;
  found.at.time_ns = recording.since_begin(process.start_ns);
  found.pc.reset();
  return found;
}

Fallible<ExactInstant> find_time(const Recording& recording, const TreeProcess& process, u64 time_ns) {
  const u64 begin_ns = recording.since_begin(process.start_ns),
            end_ns = recording.since_begin(process.end_ns);
  if (time_ns < begin_ns || time_ns > end_ns)
    return Failure(name_of(process) + " ran from " + std::to_string(static_cast<double>(begin_ns) / 1e9) +
                   "s to " + std::to_string(static_cast<double>(end_ns) / 1e9) + "s of the recording");
  if (time_ns == begin_ns) return find_start(recording, process);
  ExactInstant found{.process = process.process, .at = Clock(recording, process.process).find(time_ns)};
  if (found.at.task == 0 && !process.parent) {  // the exec that starts the run: nothing stands anywhere yet
    ExactInstant start = TRY(find_start(recording, process));
    start.at.time_ns = time_ns;
    return start;
  }
  // While all tasks wait, a replay stands nowhere between two events: what is meant is the call in which the
  // one of the next event does.
  ExactInstant next = TRY(find_event(recording, process, found.at.event));
  if (next.at.task != found.at.task || next.at.ticks != found.at.ticks) return found;
  next.at.time_ns = found.at.time_ns;
  return next;
}

Fallible<ExactInstant> find_crash(const Recording& recording, const TreeProcess& asked, bool is_named) {
  const TreeProcess* crashed = asked.fatal_signal ? &asked : nullptr;
  if (crashed == nullptr && !is_named) {
    const auto others = why::find_crashed(recording.tree, asked.process);
    if (!others.empty()) crashed = &recording.tree.at(others.front());
  }
  if (crashed == nullptr)
    return Failure((is_named ? name_of(asked) : "no process") +
                   " was killed by a signal of its own making: " + name_of(asked) + " ended with " +
                   end_words(asked));
  return find_event(recording, *crashed, crashed->last_event);
}

}  // namespace

std::string ExactInstant::condition(const char* event, const char* ticks, const char* time_ns) const {
  const std::string of = std::to_string(process), before = std::to_string(at.event);
  const std::string this_one = std::string("process = ") + of + " AND (" + event + " < " + before + " OR " +
                               event + " = " + before + " AND " + ticks + " <= " + std::to_string(at.ticks) +
                               ")";
  return "(" + this_one + " OR process != " + of + " AND " + time_ns + " <= " + std::to_string(at.time_ns) +
         ")";
}

Fallible<ExactInstant> find_instant(const Recording& recording, const InstantWord& word,
                                    std::optional<u32> process) {
  if (recording.tree.empty()) return Failure("the recording has no events");
  const auto known = recording.tree.find(process.value_or(recording.tree.begin()->first));
  if (known == recording.tree.end() || known->second.event_count == 0)
    return Failure("nothing of that process was recorded");
  const TreeProcess& of = known->second;
  switch (word.kind) {
    case Kind::event:
      return find_event(recording, of, word.number);
    case Kind::time:
      return find_time(recording, of, word.number);
    case Kind::percent: {
      const u64 begin_ns = recording.since_begin(of.start_ns), end_ns = recording.since_begin(of.end_ns);
      const double part = static_cast<double>(end_ns - begin_ns) * word.percent / 100;
      return find_time(recording, of, std::min(end_ns, begin_ns + static_cast<u64>(part)));
    }
    case Kind::start:
      return find_start(recording, of);
    case Kind::end:
      return find_event(recording, of, of.last_event);
    case Kind::crash:
      return find_crash(recording, of, process.has_value());
    case Kind::place:
    case Kind::main:
    case Kind::call:
      break;
  }
  return Failure("only a replay finds that instant");
}

Fallible<Nothing> seek(ReplaySession& session, const ExactInstant& instant) {
  const Instant& at = instant.at;
  const auto is_past = [&] { return session.stop().ended() || session.stop().event > at.event; };
  const auto is_there = [&] {
    const Stop& stop = session.stop();
    if (at.task != 0 && stop.task != at.task) return false;
    return instant.pc ? stop.ticks == at.ticks && stop.pc == *instant.pc : stop.ticks >= at.ticks;
  };
  const auto run = [](const Status& status) -> Fallible<Nothing> {
    if (status) return Nothing{};
    return Failure(status.error());
  };
  const auto go_on = [&]() -> Fallible<Nothing> {
    auto stopped = session.run_before(at.event);
    if (!stopped) return Failure(stopped.error());
    return Nothing{};
  };
  const bool is_at_start = session.stop().reason == machine::StopReason::start;
  if (is_at_start && session.stop().event > at.event) return Nothing{};
  if (session.stop().event > at.event || session.stop().ended())
    return Failure("the replay stands behind that instant");
  if (session.stop().event < at.event) TRY(go_on());
  while (!is_there() && !is_past()) {
    // To the tick first: the instruction may be one of a loop that runs a million times before.
    if (session.stop().task == at.task && session.stop().ticks >= at.ticks)
      TRY(run(session.set_breakpoints({{*instant.pc}})));
    else
      TRY(run(session.stop_at_tick(at.task, at.ticks)));
    TRY(go_on());
  }
  // Some events come while the program waits in a call that began earlier: it has no place of its own then.
  if (!is_there() && !(instant.is_event && is_past()))
    return Failure("the replay did not come by that instant");
  return run(session.set_breakpoints({}));
}

}  // namespace orrery::lens
