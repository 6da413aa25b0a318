#include "lens/walk.h"

#include <map>

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
  struct Pending {
    Call call;
    Stop entry;
    u64 number = 0;
  };
  EventTimes times(recording, process);
  std::map<i32, Pending> pending;  // by task: one that waits in its call lets others run
  u64 number = 0;
  const auto walked = [&](const Pending& each, u64 before) {
    return WalkedCall{
        .call = each.call, .entry = each.entry, .time_ns = times.before(before), .number = each.number};
  };
  const auto leave = [&](const Pending& each) {
    const WalkedCall call = walked(each, session.stop().event);
    for (const auto& watcher : watchers) watcher->leave(session, call);
  };
  for (const auto& watcher : watchers) watcher->begin(session);
  while (!session.stop().ended()) {
    const i32 task = session.stop().task;
    if (session.stop().reason == StopReason::system_call) {
      Pending& made = pending[task] = {read_call(session), session.stop(), number++};
      const WalkedCall call = walked(made, made.entry.event);
      for (const auto& watcher : watchers) watcher->enter(session, call);
    } else if (auto each = pending.extract(task)) {
      finish_call(session, each.mapped().call);
      leave(each.mapped());
    }
    TRY(session.run_before(session.stop().event));
    progress(session.stop().event);
  }
  for (const auto& [task, each] : pending) leave(each);
  if (session.stop().reason == StopReason::diverged) return Error{"the replay differs from the recording"};
  for (const auto& watcher : watchers) watcher->end(session);
  session.let_go();
  return Nothing{};
}

}  // namespace orrery::lens
