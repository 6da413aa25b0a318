// Which reason has more than half of the critical path. What the program waits for outermost is asked first:
// a lock, whatever its holder does meanwhile; then a child, a peer; then what threads did themselves. Time
// that a thread was ready and others ran is nobody's: all threads shared one processor while they were
// recorded.
#include "lens/why/slowness.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>

namespace orrery::lens::why {
namespace {

constexpr u64 kShown = 6;
constexpr u64 kMoments = 12;
/// What is shorter than this part of the longest is of another kind.
constexpr u64 kOthersOfLongest = 8;

using Spans = std::vector<std::pair<u64, u64>>;
using Chosen = std::function<bool(const TimePart&)>;

bool is_blocked(const TimePart& part) { return part.state == "blocked"; }
bool is_lock(const TimePart& part) { return part.reason == "lock" || part.reason == "file lock"; }
bool is_connection(const TimePart& part) {
  return part.reason == "pipe" || part.reason == "socket" || part.reason == "readiness";
}
/// What may end by a time-out; a thread's end and a lock may be waited for so too.
bool may_time_out(const TimePart& part) {
  return is_connection(part) || part.reason == "condition" || part.reason == "semaphore" ||
         part.reason == "thread" || part.reason == "signal" || part.reason == "call";
}

/// The spans that these take, without overlaps, in order.
Spans spans_of(std::vector<TimePart> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const TimePart& left, const TimePart& right) { return left.begin_ns < right.begin_ns; });
  Spans spans;
  for (const TimePart& part : parts) {
    if (!spans.empty() && part.begin_ns <= spans.back().second)
      spans.back().second = std::max(spans.back().second, part.end_ns);
    else
      spans.emplace_back(part.begin_ns, part.end_ns);
  }
  return spans;
}

u64 common_ns(const Spans& spans, const TimePart& part) {
  u64 ns = 0;
  for (const auto& [from, to] : spans) {
    const u64 begin = std::max(from, part.begin_ns), end = std::min(to, part.end_ns);
    if (begin < end) ns += end - begin;
  }
  return ns;
}

/// While the thread ran, so far through the part; nothing if its ticks do not tell.
std::optional<TimePart> moment_of(const TimePart& part, double share) {
  if (part.state != "running" || part.end_ticks < part.ticks + 2) return std::nullopt;
  TimePart moment = part;
  moment.ticks += 1 + static_cast<u64>(share * static_cast<double>(part.end_ticks - part.ticks - 2));
  return moment;
}

class Search {
 public:
  Search(const TimePath& path, u32 process) : path_(path), process_(process) {
    for (const TimePart& part : path.parts) {
      found_.wall_ns += part.ns();
      (part.state == "ready" ? found_.ready_ns : own_ns_) += part.ns();
    }
  }

  Slowness run() {
    if (own_ns_ < kSlowNsLeast) return found_;
    if (find_lock() || find_others(Delay::child) || find_others(Delay::peer)) return found_;
    if (find_own(Delay::disk, [](const TimePart& part) { return part.reason == "disk"; }) ||
        find_own(Delay::sleep, [](const TimePart& part) { return part.reason == "timer"; }) ||
        find_own(Delay::peer, may_time_out))
      return found_;
    find_computing();
    return found_;
  }

 private:
  bool dominates(u64 ns) const { return ns * 2 > own_ns_; }

  /// Waits that the path goes around, and such as nobody of the recording ended.
  std::vector<TimePart> waits(const Chosen& chosen) const {
    std::vector<TimePart> all;
    for (const TimePart& wait : path_.waits)
      if (chosen(wait)) all.push_back(wait);
    for (const TimePart& part : path_.parts)
      if (is_blocked(part) && chosen(part)) all.push_back(part);
    return all;
  }

  /// How much of the path lies in the spans, but for what was ready.
  u64 busy_ns(const Spans& spans) const {
    u64 ns = 0;
    for (const TimePart& part : path_.parts)
      if (part.state != "ready") ns += common_ns(spans, part);
    return ns;
  }

  bool find_lock() {
    std::map<std::pair<u32, std::string>, u64> locks;
    for (const TimePart& wait : waits(is_lock)) locks.try_emplace({wait.process, wait.object}, 0);
    for (auto& [lock, ns] : locks) ns = busy_ns(spans_of(waits(of_lock(lock.first, lock.second))));
    const auto most = std::max_element(locks.begin(), locks.end(), [](const auto& left, const auto& right) {
      return left.second < right.second;
    });
    if (most == locks.end() || !dominates(most->second)) return false;
    const std::vector<TimePart> waited = waits(of_lock(most->first.first, most->first.second));
    found_.delay = Delay::lock;
    found_.object = most->first.second;
    found_.delay_ns = most->second;
    found_.count = waited.size();
    found_.wait_to_see = longest(waited);
    see_holder(spans_of(waited));
    return true;
  }

  static Chosen of_lock(u32 process, const std::string& object) {
    return [=](const TimePart& part) {
      return is_lock(part) && part.process == process && part.object == object;
    };
  }

  static TimePart longest(const std::vector<TimePart>& parts) {
    return *std::max_element(parts.begin(), parts.end(), [](const TimePart& left, const TimePart& right) {
      return left.ns() < right.ns();
    });
  }

  /// What was done while the lock was waited for: by the one that held it, if that is known.
  void see_holder(const Spans& spans) {
    const TimePart& wait = *found_.wait_to_see;
    std::vector<TimePart> done;
    const auto take = [&](const TimePart& part) {
      const bool by_holder = part.process == wait.process && (wait.owner == 0 || part.task == wait.owner);
      if (by_holder && !is_lock(part) && part.state != "ready" &&
          common_ns(spans, part) * 4 * (wait.in_vain + 1) > wait.ns())
        done.push_back(part);
    };
    for (const TimePart& part : path_.waits) take(part);
    for (const TimePart& part : path_.parts) take(part);
    if (!done.empty()) found_.to_see = {longest(done)};
  }

  /// Waits of the process for others, whose part of the path it was.
  bool find_others(Delay delay) {
    // Its waits need not be on the path: at the end it waits for the other's end, and so for all that the
    // other did.
    std::vector<TimePart> waited;
    for (const TimePart& wait : path_.firsts)
      if (delay == Delay::child ? wait.reason == "child" : is_connection(wait)) waited.push_back(wait);
    const Spans spans = spans_of(waited);
    std::map<u32, u64> processes;
    for (const TimePart& part : path_.parts) {
      // Itself, if its child was not recorded.
      const bool by_other = part.process != process_ || (is_blocked(part) && part.reason == "child");
      if (part.state != "ready" && by_other) processes[part.process] += common_ns(spans, part);
    }
    u64 ns = 0;
    for (const auto& [process, its_ns] : processes) ns += its_ns;
    if (!dominates(ns)) return false;
    const auto most =
        std::max_element(processes.begin(), processes.end(),
                         [](const auto& left, const auto& right) { return left.second < right.second; });
    found_.delay = delay;
    found_.delay_ns = ns;
    found_.count = processes.size();
    found_.wait_to_see = longest(waited);
    found_.object_ns = most->second;
    see_longest([&](const TimePart& part) {
      return part.process == most->first && part.state != "ready" && common_ns(spans, part) != 0;
    });
    return true;
  }

  bool find_own(Delay delay, const Chosen& chosen) {
    const Chosen all = [&](const TimePart& part) { return is_blocked(part) && chosen(part); };
    std::map<std::string, u64> objects;
    u64 ns = 0, longest_ns = 0;
    for (const TimePart& part : path_.parts) {
      if (!all(part)) continue;
      ns += part.ns();
      longest_ns = std::max(longest_ns, part.ns());
      objects[part.object] += part.ns();
    }
    if (!dominates(ns)) return false;
    found_.delay_ns = ns;
    found_.count =
        static_cast<u64>(std::count_if(path_.parts.begin(), path_.parts.end(), [&](const TimePart& part) {
          return all(part) && part.ns() * kOthersOfLongest >= longest_ns;
        }));
    const auto most =
        std::max_element(objects.begin(), objects.end(),
                         [](const auto& left, const auto& right) { return left.second < right.second; });
    found_.delay = delay;
    found_.object = most->first;
    found_.object_ns = most->second;
    see_longest([&](const TimePart& part) { return all(part) && part.object == most->first; });
    if (delay != Delay::peer) see_first_thread();
    return true;
  }

  /// If another thread of the process did that: what the first one waited for meanwhile.
  void see_first_thread() {
    if (found_.to_see.empty() || path_.firsts.empty()) return;
    const TimePart done = longest(found_.to_see);
    const TimePart wait = longest(path_.firsts);
    if (done.process == wait.process && done.task != wait.task &&
        common_ns(spans_of({done}), wait) * 2 > done.ns())
      found_.wait_to_see = wait;
  }

  void see_longest(const Chosen& chosen) {
    std::vector<TimePart>& see = found_.to_see;
    for (const TimePart& part : path_.parts)
      if (chosen(part)) see.push_back(part);
    std::stable_sort(see.begin(), see.end(),
                     [](const TimePart& left, const TimePart& right) { return left.ns() > right.ns(); });
    if (see.size() > kShown) see.resize(kShown);
    while (!see.empty() && see.back().ns() * kOthersOfLongest < see.front().ns()) see.pop_back();
    for (TimePart& part : see)
      if (const auto moment = moment_of(part, 0.5)) part = *moment;
    std::sort(see.begin(), see.end(),
              [](const TimePart& left, const TimePart& right) { return left.begin_ns < right.begin_ns; });
  }

  void find_computing() {
    std::map<u32, u64> processes;
    for (const TimePart& part : path_.parts)
      if (part.state == "running") processes[part.process] += part.ns();
    const auto most =
        std::max_element(processes.begin(), processes.end(),
                         [](const auto& left, const auto& right) { return left.second < right.second; });
    if (most == processes.end() || !dominates(most->second)) return;
    found_.delay = Delay::computing;
    found_.delay_ns = most->second;
    see_moments(most->first, most->second);
  }

  /// Moments in equal distances of the time that the process ran.
  void see_moments(u32 process, u64 ran_ns) {
    u64 passed = 0, next = 1;
    for (const TimePart& part : path_.parts) {
      if (part.process != process || part.state != "running") continue;
      const u64 before = passed;
      passed += part.ns();
      for (; next <= kMoments && next * ran_ns / (kMoments + 1) < passed; ++next) {
        const double share =
            static_cast<double>(next * ran_ns / (kMoments + 1) - before) / static_cast<double>(part.ns());
        if (const auto moment = moment_of(part, share)) found_.to_see.push_back(*moment);
      }
    }
  }

  const TimePath& path_;
  u32 process_;
  u64 own_ns_ = 0;  ///< of the path what was not ready
  Slowness found_;
};

bool timed_out(const Call& call) {
  switch (call.number) {
    case __NR_poll:
    case __NR_ppoll:
    case __NR_select:
    case __NR_pselect6:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
      return call.returned && call.result == 0;
    default:
      return call.error() == ETIMEDOUT || call.error() == EAGAIN || call.error() == EINPROGRESS;
  }
}

}  // namespace

Slowness find_slowness(const TimePath& path, u32 process) { return Search(path, process).run(); }

void tell_timeouts(Slowness& slowness) {
  if (slowness.delay != Delay::peer || slowness.other || slowness.sights.empty()) return;
  const bool all = std::all_of(slowness.sights.begin(), slowness.sights.end(),
                               [](const Sight& sight) { return sight.call && timed_out(*sight.call); });
  const bool is_peer = std::any_of(slowness.to_see.begin(), slowness.to_see.end(), is_connection);
  if (all)
    slowness.delay = Delay::timeouts;
  else if (!is_peer)
    slowness.delay = Delay::none;
}

}  // namespace orrery::lens::why
