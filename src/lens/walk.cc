#include "lens/walk.h"

#include "trace/trace_file_hosted.h"

namespace orrery::lens {
namespace {

using machine::StopReason;

/// When the events of a process were, for questions that go forward.
class EventTimes {
 public:
  EventTimes(const Recording& recording, u32 process)
      : recording_(recording), reader_(recording.trace, process) {}

  /// Of the last event before `event`.
  u64 before(u64 event) {
    trace::EventView view;
    while (next_ < event && reader_.next(view) == trace::ReadStatus::event) {
      next_ = view.header->number + 1;
      time_ns_ = view.header->time_ns;
    }
    return recording_.since_begin(time_ns_);
  }

 private:
  const Recording& recording_;
  trace::TraceReader reader_;
  u64 next_ = 0;
  u64 time_ns_ = 0;
};

}  // namespace

Status walk_process(const Recording& recording, u32 process, ReplaySession& session,
                    std::span<const std::unique_ptr<Watcher>> watchers, const WalkProgress& progress) {
  EventTimes times(recording, process);
  std::optional<Call> pending;
  Stop entry;
  u64 number = 0;
  const auto walked = [&](u64 before) {
    return WalkedCall{.call = *pending, .entry = entry, .time_ns = times.before(before), .number = number};
  };
  const auto leave = [&] {
    const WalkedCall call = walked(session.stop().event);
    for (const auto& watcher : watchers) watcher->leave(session, call);
    pending.reset();
    ++number;
  };
  for (const auto& watcher : watchers) watcher->begin(session);
  while (!session.stop().ended()) {
    if (session.stop().reason == StopReason::system_call) {
      pending = read_call(session);
      entry = session.stop();
      const WalkedCall call = walked(entry.event);
      for (const auto& watcher : watchers) watcher->enter(session, call);
    } else if (pending) {
      finish_call(session, *pending);
      leave();
    }
    TRY(session.run_before(session.stop().event));
    progress(session.stop().event);
  }
  if (pending) leave();
  if (session.stop().reason == StopReason::diverged) return Error{"the replay differs from the recording"};
  for (const auto& watcher : watchers) watcher->end(session);
  session.let_go();
  return Nothing{};
}

}  // namespace orrery::lens
