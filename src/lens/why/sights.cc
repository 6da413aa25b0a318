#include "lens/why/sights.h"

#include "lens/pending_calls.h"

namespace orrery::lens::why {
namespace {

using machine::StopReason;

constexpr u64 kFramesShown = 24;
/// Calls of other threads between a call's entry and its end.
constexpr int kStopsMost = 4'000;

Status go_before(ReplaySession& session, u64 event) {
  if (session.stop().event < event && !session.stop().ended()) TRY(session.run_before(event));
  return Nothing{};
}

/// Where the task that ran had so many ticks.
Result<std::optional<Sight>> see_moment(ReplaySession& session, const std::string& image,
                                        const TimePart& part) {
  TRY(go_before(session, part.event));
  TRY(session.stop_at_tick(part.task, part.ticks));
  TRY(session.run_to_end());
  if (session.stop().reason != StopReason::tick) return std::optional<Sight>();
  return std::optional(Sight{part, stack_of(session, image, kFramesShown), std::nullopt});
}

/// From the entry of the call to its end.
Result<std::optional<Sight>> see_call(ReplaySession& session, const std::string& image,
                                      const TimePart& part) {
  TRY(go_before(session, part.event));
  std::optional<Sight> sight;
  PendingCalls<Nothing> pending;
  for (int stops = 0; stops < kStopsMost && !session.stop().ended(); ++stops) {
    const Stop& stop = session.stop();
    const bool is_its = stop.task == part.task;
    if (!sight && stop.event > part.event) return sight;
    if (!sight && is_its && stop.reason == StopReason::system_call && stop.ticks >= part.ticks) {
      sight = Sight{part, stack_of(session, image, kFramesShown), pending.enter(session, {}).call};
    } else if (sight && is_its) {
      if (auto made = pending.leave(session)) sight->call = std::move(made->call);
      return sight;
    }
    TRY(session.run_before(session.stop().event));
  }
  return sight;
}

}  // namespace

Result<std::vector<Sight>> see_parts(ReplaySession& session, const std::string& image,
                                     const std::vector<TimePart>& parts) {
  std::vector<Sight> sights;
  for (const TimePart& part : parts) {
    if (session.stop().ended()) break;
    const bool ran = part.state == "running";
    auto sight = TRY(ran ? see_moment(session, image, part) : see_call(session, image, part));
    if (sight) sights.push_back(std::move(*sight));
  }
  return sights;
}

}  // namespace orrery::lens::why
