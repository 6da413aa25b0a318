#include "lens/place_search.h"

#include <algorithm>
#include <vector>

#include "lens/clock.h"
#include "x86/decode.h"

namespace orrery::lens {
namespace {

using x86::Category;

/// Where one instruction may lead, as far as that is before the next tick.
struct Ways {
  std::vector<u64> addresses{};
  bool ticks = false;  ///< it may be a tick
  bool enters_kernel = false;
};

Ways ways_of(const x86::Decoded& decoded, u64 pc) {
  const u64 next = pc + decoded.length, target = next + static_cast<u64>(decoded.immediate);
  const bool is_forward = target > pc;
  switch (decoded.category) {
    case Category::jump:
      return is_forward ? Ways{.addresses = {target}} : Ways{.ticks = true};
    case Category::jump_if:
    case Category::loop:
      return is_forward ? Ways{.addresses = {next, target}} : Ways{.addresses = {next}, .ticks = true};
    case Category::call:
    case Category::jump_indirect:
    case Category::call_indirect:
    case Category::ret:
      return {.ticks = true};
    case Category::copy:
    case Category::gated:
      return {.addresses = {next}};
    default:
      return {.enters_kernel = true};
  }
}

}  // namespace

Fallible<Nothing> step(ReplaySession& session) {
  const Stop before = session.stop();
  u8 bytes[15] = {};
  const u64 count = session.read(before.pc, bytes);
  const x86::Decoded decoded = x86::decode(std::span(bytes).first(count));
  const Ways ways = ways_of(decoded, before.pc);
  if (decoded.length == 0 || ways.enters_kernel) return Failure("a system call comes there");
  const Status set = session.set_breakpoints(ways.addresses);
  if (!set) return Failure(set.error());
  const Status tick = session.stop_at_tick(before.task, ways.ticks ? before.ticks + 1 : ~u64{0});
  if (!tick) return Failure(tick.error());
  // A gated instruction may itself be the event.
  const auto ran = session.run_before(before.event + 1);
  if (!ran) return Failure(ran.error());
  const Stop& after = session.stop();
  const bool at_way =
      std::find(ways.addresses.begin(), ways.addresses.end(), after.pc) != ways.addresses.end();
  const bool arrived = !after.ended() && after.task == before.task &&
                       (ways.ticks && after.ticks == before.ticks + 1 ? true : at_way);
  const Status cleared = session.set_breakpoints({});
  if (!cleared) return Failure(cleared.error());
  if (!arrived) return Failure("a signal or another task comes there");
  return Nothing{};
}

Fallible<ExactInstant> find_place(const Recording& recording, u32 process, ReplaySession& session,
                                  const InstantWord& word) {
  const TreeProcess& of = recording.tree.at(process);
  if (word.number < of.first_event || word.number > of.last_event)
    return Failure("the events of the process are " + std::to_string(of.first_event) + " to " +
                   std::to_string(of.last_event));
  const auto arrived = session.run_before(word.number + 1);
  if (!arrived) return Failure(arrived.error());
  const Stop from = session.stop();
  const std::string where = "event " + std::to_string(from.event);
  if (from.ended()) return Failure("the run ends with " + where);
  if (word.ticks != 0) {
    const Status set = session.stop_at_tick(from.task, from.ticks + word.ticks);
    if (!set) return Failure(set.error());
    const auto ran = session.run_before(from.event + 1);
    if (!ran) return Failure(ran.error());
    const Stop& stop = session.stop();
    if (stop.reason != machine::StopReason::tick)
      return Failure(where + " comes before so many ticks" +
                     (stop.task == from.task ? ": after " + std::to_string(stop.ticks - from.ticks) : ""));
  }
  for (u64 i = 0; i < word.instructions; ++i) {
    const auto stepped = step(session);
    if (!stepped) return Failure(stepped.error().sentence + ", after " + std::to_string(i) + " instructions");
  }
  Clock clock(recording, process);
  ExactInstant found{.process = process, .at = clock.at(session.stop()), .pc = session.stop().pc};
  found.at.event = session.stop().event;
  return found;
}

}  // namespace orrery::lens
