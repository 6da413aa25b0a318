#include "lens/walk.h"

#include "lens/call_set.h"
#include "lens/clock.h"
#include "lens/pending_calls.h"

namespace orrery::lens {

namespace {

using machine::StopReason;

class Walk {
 public:
  Walk(const Recording& recording, u32 process, ReplaySession& session,
       std::span<const std::unique_ptr<Watcher>> watchers)
      : clock_(recording, process), session_(session), watchers_(watchers), changes_seen_(watchers.size()) {}

  Status go(const WalkProgress& progress) {
    for (const auto& watcher : watchers_) watcher->begin(session_, clock_.at(session_.stop()));
    TRY(ask_for_notes(progress));
    while (!session_.stop().ended()) {
      show_stop();
      TRY(set_breakpoints());
      TRY(session_.run_before(session_.stop().event));
      progress(session_.stop().event);
    }
    for (const Made& made : pending_.take_rest()) leave(made, clock_.at(session_.stop()));
    if (session_.stop().reason == StopReason::diverged) return Error{"the replay differs from the recording"};
    for (const auto& watcher : watchers_) watcher->end(session_, clock_.at(session_.stop()));
    session_.let_go();
    return Nothing{};
  }

 private:
  struct Entry {
    Instant instant;
    u64 number = 0;
  };
  using Made = PendingCalls<Entry>::Made;

  void show_stop() {
    const Stop& stop = session_.stop();
    const Instant now = clock_.at(stop);
    if (stop.reason == StopReason::waits_for_lock) {
      for (const auto& watcher : watchers_)
        if (watcher->wants_lock_waits()) watcher->lock_wait(session_, static_cast<i32>(stop.value));
    } else if (stop.reason == StopReason::breakpoint) {
      for (const auto& watcher : watchers_) watcher->reach(session_, stop.pc, now);
    } else if (stop.reason == StopReason::system_call) {
      const Made& made = pending_.enter(session_, {now, number_++});
      for (const auto& watcher : watchers_)
        if (wants(*watcher, made.call))
          watcher->enter(session_,
                         {.call = made.call, .entry = now, .exit = now, .number = made.entry.number});
    } else if (const auto made = pending_.leave(session_)) {
      if (made->call.replaced_program()) is_set_ = false;
      leave(*made, now);
    }
  }

  void leave(const Made& made, const Instant& now) {
    const WalkedCall walked{
        .call = made.call, .entry = made.entry.instant, .exit = now, .number = made.entry.number};
    for (const auto& watcher : watchers_)
      if (wants(*watcher, made.call)) watcher->leave(session_, walked);
  }

  static bool wants(const Watcher& watcher, const Call& call) {
    const CallSet* const calls = watcher.calls();
    return calls == nullptr || call.number >= calls->size() || calls->test(call.number);
  }

  /// With notes the replay need not stop at calls that nobody wants to be shown.
  Status ask_for_notes(const WalkProgress& progress) {
    CallSet all;
    bool locks = false, notes = false, all_want_less = true;
    for (const auto& watcher : watchers_) {
      if (watcher->calls() == nullptr)
        all.set();
      else
        all |= *watcher->calls();
      locks = locks || watcher->wants_lock_waits();
      notes = notes || watcher->wants_notes();
      all_want_less = all_want_less && watcher->calls() != nullptr;
    }
    if (!notes && !all_want_less) return Nothing{};
    const u32 how =
        (locks ? machine::kScheduleStopsAtLocks : 0U) | (notes ? 0U : machine::kScheduleStopsOnly);
    return session_.note_schedule(words_of(all), how, [this, &progress](const auto& told) {
      for (const kernel::ScheduleNote& each : told) {
        const u64 time_ns = clock_.time_at(each.event, each.task, each.ticks);
        for (const auto& watcher : watchers_)
          if (watcher->wants_notes()) watcher->note(each, time_ns);
      }
      progress(told.back().event);
    });
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
  bool is_set_ = true;  ///< the session has the breakpoints that the watchers want
  PendingCalls<Entry> pending_;
  u64 number_ = 0;
};

}  // namespace

Status walk_process(const Recording& recording, u32 process, ReplaySession& session,
                    std::span<const std::unique_ptr<Watcher>> watchers, const WalkProgress& progress) {
  return Walk(recording, process, session, watchers).go(progress);
}

}  // namespace orrery::lens
