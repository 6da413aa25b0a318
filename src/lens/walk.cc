#include "lens/walk.h"

#include <algorithm>
#include <map>

#include "trace/trace_file_hosted.h"

namespace orrery::lens {

bool WalkedCall::replaced_program() const {
  return call.returned && call.result == 0 && (call.name == "execve" || call.name == "execveat");
}

namespace {

using machine::StopReason;

/// When a process was where, for questions that go forward: an event says when it was written.
class Clock {
 public:
  Clock(const Recording& recording, u32 process) : recording_(recording), reader_(recording.trace, process) {
    advance();
    before_ = next_;
  }

  Instant at(const Stop& stop) {
    while (more_ && next_.number < stop.event) {
      before_ = next_;
      advance();
    }
    return {.event = stop.event,
            .task = stop.task,
            .ticks = stop.ticks,
            .instructions = stop.instructions,
            .time_ns = time_at(stop.ticks)};
  }

 private:
  void advance() {
    trace::EventView view;
    more_ = reader_.next(view) == trace::ReadStatus::event;
    if (more_) next_ = *view.header;
  }

  u64 time_at(u64 ticks) const {
    const u64 begin_ns = recording_.since_begin(before_.time_ns);
    if (!more_ || next_.ticks <= before_.ticks || next_.time_ns <= before_.time_ns) return begin_ns;
    const double part = static_cast<double>(std::clamp(ticks, before_.ticks, next_.ticks) - before_.ticks) /
                        static_cast<double>(next_.ticks - before_.ticks);
    return begin_ns + static_cast<u64>(part * static_cast<double>(next_.time_ns - before_.time_ns));
  }

  const Recording& recording_;
  trace::TraceReader reader_;
  trace::EventHeader before_, next_;
  bool more_ = false;
};

class Walk {
 public:
  Walk(const Recording& recording, u32 process, ReplaySession& session,
       std::span<const std::unique_ptr<Watcher>> watchers)
      : clock_(recording, process), session_(session), watchers_(watchers), changes_seen_(watchers.size()) {}

  Status go(const WalkProgress& progress) {
    for (const auto& watcher : watchers_) watcher->begin(session_, clock_.at(session_.stop()));
    while (!session_.stop().ended()) {
      show_stop();
      TRY(set_breakpoints());
      TRY(session_.run_before(session_.stop().event));
      progress(session_.stop().event);
    }
    while (!pending_.empty()) leave(pending_.begin(), clock_.at(session_.stop()));
    if (session_.stop().reason == StopReason::diverged) return Error{"the replay differs from the recording"};
    for (const auto& watcher : watchers_) watcher->end(session_, clock_.at(session_.stop()));
    session_.let_go();
    return Nothing{};
  }

 private:
  struct Pending {
    Call call;
    Instant entry;
    u64 number = 0;
  };

  void show_stop() {
    const Stop& stop = session_.stop();
    const Instant now = clock_.at(stop);
    if (stop.reason == StopReason::breakpoint) {
      for (const auto& watcher : watchers_) watcher->reach(session_, stop.pc, now);
    } else if (stop.reason == StopReason::system_call) {
      const Pending& made = pending_[stop.task] = {read_call(session_), now, number_++};
      for (const auto& watcher : watchers_)
        watcher->enter(session_, {.call = made.call, .entry = now, .exit = now, .number = made.number});
    } else if (const auto made = pending_.find(stop.task); made != pending_.end()) {
      finish_call(session_, made->second.call);
      leave(made, now);
    }
  }

  void leave(std::map<i32, Pending>::iterator made, const Instant& now) {
    const auto& [call, entry, number] = made->second;
    const WalkedCall walked{.call = call, .entry = entry, .exit = now, .number = number};
    const bool is_new_program = walked.replaced_program();
    if (is_new_program) is_set_ = false;
    for (const auto& watcher : watchers_) watcher->leave(session_, walked);
    // The tasks of the program before are gone, and their calls with them.
    if (is_new_program)
      pending_.clear();
    else
      pending_.erase(made);
  }

  Status set_breakpoints() {
    for (std::size_t at = 0; at < watchers_.size(); ++at) {
      const u64 changes = watchers_[at]->breakpoint_changes();
      if (changes != changes_seen_[at]) is_set_ = false;
      changes_seen_[at] = changes;
    }
    if (is_set_) return Nothing{};
    is_set_ = true;
    std::set<u64> all;
    for (const auto& watcher : watchers_)
      all.insert(watcher->breakpoints().begin(), watcher->breakpoints().end());
    return session_.set_breakpoints(std::vector<u64>(all.begin(), all.end()));
  }

  Clock clock_;
  ReplaySession& session_;
  std::span<const std::unique_ptr<Watcher>> watchers_;
  std::vector<u64> changes_seen_;
  bool is_set_ = true;              ///< the session has the breakpoints that the watchers want
  std::map<i32, Pending> pending_;  ///< by task: one that blocks lets others call
  u64 number_ = 0;
};

}  // namespace

Status walk_process(const Recording& recording, u32 process, ReplaySession& session,
                    std::span<const std::unique_ptr<Watcher>> watchers, const WalkProgress& progress) {
  return Walk(recording, process, session, watchers).go(progress);
}

}  // namespace orrery::lens
