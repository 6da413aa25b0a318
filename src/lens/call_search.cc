#include "lens/call_search.h"

#include <asm/unistd.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "lens/call_set.h"
#include "lens/clock.h"
#include "lens/function_names.h"

namespace orrery::lens {
namespace {

using machine::ControlHit;
using machine::StopReason;

/// What is mapped changes with these.
constexpr u64 kStops[] = {__NR_execve, __NR_execveat, __NR_mmap, __NR_munmap, __NR_mprotect};

class Search {
 public:
  Search(const Recording& recording, u32 process, ReplaySession& session, const std::string& function,
         u64 nth)
      : process_(process), session_(session), clock_(recording, process), finder_(function), nth_(nth) {}

  /// Nothing if the process ended before.
  Fallible<std::optional<ExactInstant>> run(const std::function<void(u64 event)>& progress) {
    look_everywhere();
    TRY(ask_for_stops(progress));
    while (!session_.stop().ended()) {
      TRY(set_breakpoints());
      for (const ControlHit& hit : TRY(go_on()))
        if (note(hit) && calls_ == nth_) return arrived(hit);
      progress(session_.stop().event);
      follow_map();
    }
    if (session_.stop().reason == StopReason::diverged)
      return Failure("the replay differs from the recording");
    return std::optional<ExactInstant>();
  }

  u64 calls() const { return calls_; }
  bool is_known() const { return is_known_; }
  std::vector<std::string> nearest() const { return finder_.nearest(); }

 private:
  struct Entry {
    bool chooses = false;  ///< see elf::NamedFunction
    bool returns = false;  ///< the place that such a one returns to
  };

  Fallible<Nothing> ask_for_stops(const std::function<void(u64 event)>& progress) {
    const Status asked =
        session_.note_schedule(words_of(set_of(kStops)), machine::kScheduleStopsOnly,
                               [&progress](const auto& told) { progress(told.back().event); });
    if (!asked) return Failure(asked.error());
    return Nothing{};
  }

  /// The session has stopped there.
  Fallible<std::optional<ExactInstant>> arrived(const ControlHit& hit) {
    if (const Status none = session_.set_breakpoints({}); !none) return Failure(none.error());
    if (const Status none = session_.note_schedule_no_more(); !none) return Failure(none.error());
    return std::optional(instant_of(hit));
  }

  /// Runs to the next stop: at the call that is wanted, or at the entry of a system call that changes what is
  /// mapped, or behind it. Only where what was met leads to other
  /// breakpoints it stops at each of them: that takes twenty times as long.
  Fallible<std::vector<ControlHit>> go_on() {
    const u64 event = session_.stop().event;
    std::vector<ControlHit> hits;
    const bool is_choosing = std::any_of(entries_.begin(), entries_.end(), [](const auto& each) {
      return each.second.chooses || each.second.returns;
    });
    auto stop =
        is_choosing ? session_.run_before(event) : session_.collect_before(event, hits, nth_ - calls_);
    if (!stop) return Failure(stop.error());
    if (is_choosing && stop.value().reason == StopReason::breakpoint) hits.push_back(hit_here());
    return hits;
  }

  ControlHit hit_here() {
    const Stop& stop = session_.stop();
    const auto& gpr = session_.registers().gpr;
    ControlHit hit{.pc = stop.pc,
                   .ticks = stop.ticks,
                   .event = stop.event,
                   .instructions = stop.instructions,
                   .task = stop.task};
    std::copy(std::begin(gpr), std::end(gpr), std::begin(hit.gpr));
    session_.read_value(gpr[elf::kRspIndex], hit.return_address);
    return hit;
  }

  /// True if it is a call of the function.
  bool note(const ControlHit& hit) {
    const auto found = entries_.find(hit.pc);
    if (found == entries_.end()) return false;
    if (found->second.chooses) {
      add(hit.return_address, {.returns = true});
    } else if (found->second.returns) {
      std::erase_if(entries_, [](const auto& each) { return each.second.returns || each.second.chooses; });
      add(hit.gpr[0], {});
    } else {
      ++calls_;
      return true;
    }
    return false;
  }

  ExactInstant instant_of(const ControlHit& hit) {
    return {.process = process_,
            .at = {.event = hit.event,
                   .task = hit.task,
                   .ticks = hit.ticks,
                   .instructions = hit.instructions,
                   .time_ns = clock_.time_at(hit.event, hit.task, hit.ticks)},
            .pc = hit.pc};
  }

  void add(u64 address, Entry entry) { changed_ |= entries_.try_emplace(address, entry).second; }

  void look(u64 address) {
    for (const elf::NamedFunction& each : finder_.look(session_, session_.debug_files(), address)) {
      is_known_ = true;
      add(each.address, {.chooses = each.chooses});
    }
  }

  void look_everywhere() {
    entries_.clear();
    changed_ = true;
    std::string path;
    for (const elf::MappedRegion& each : std::vector<elf::MappedRegion>(session_.regions())) {
      if ((each.protection & PROT_EXEC) == 0 || each.path == path) continue;
      path = each.path;
      look(each.start);
    }
  }

  void forget(u64 start, u64 size_bytes) {
    const auto begin = entries_.lower_bound(start), end = entries_.lower_bound(start + size_bytes);
    changed_ |= begin != end;
    entries_.erase(begin, end);
  }

  /// What is mapped changes with system calls alone.
  void follow_map() {
    const Stop& stop = session_.stop();
    const auto& gpr = session_.registers().gpr;
    if (stop.reason == StopReason::system_call) {
      calling_[stop.task] = {gpr[0], gpr[7], gpr[6], gpr[2], gpr[8]};  // rax; rdi, rsi, rdx, r8
      return;
    }
    const auto made = calling_.find(stop.task);
    if (made == calling_.end()) return;
    const SystemCall call = made->second;
    calling_.erase(made);
    const u64 result = gpr[0];
    if (static_cast<i64>(result) < 0 && static_cast<i64>(result) > -4096) return;
    if (call.number == __NR_execve || call.number == __NR_execveat) {
      calling_.clear();
      look_everywhere();
    } else if (call.number == __NR_munmap) {
      forget(call.address, call.size_bytes);
    } else if (call.number == __NR_mmap) {
      forget(result, call.size_bytes);
      if ((call.protection & PROT_EXEC) != 0 && static_cast<int>(call.descriptor) >= 0) look(result);
    } else if (call.number == __NR_mprotect && (call.protection & PROT_EXEC) != 0) {
      look(call.address);
    }
  }

  Fallible<Nothing> set_breakpoints() {
    if (!changed_) return Nothing{};
    changed_ = false;
    std::vector<u64> addresses;
    for (const auto& [address, entry] : entries_) addresses.push_back(address);
    if (const Status set = session_.set_breakpoints(addresses); !set) return Failure(set.error());
    return Nothing{};
  }

  struct SystemCall {
    u64 number = 0, address = 0, size_bytes = 0, protection = 0, descriptor = 0;
  };

  u32 process_;
  ReplaySession& session_;
  Clock clock_;
  FunctionFinder finder_;
  u64 nth_, calls_ = 0;
  std::map<u64, Entry> entries_;
  std::map<i32, SystemCall> calling_;  ///< by task
  bool changed_ = false, is_known_ = false;
};

std::string times(u64 count) {
  return count == 1 ? "once" : count == 2 ? "twice" : std::to_string(count) + " times";
}

}  // namespace

Fallible<ExactInstant> find_call(const Recording& recording, u32 process, ReplaySession& session,
                                 const std::string& function, u64 nth,
                                 const std::function<void(u64 event)>& progress) {
  Search search(recording, process, session, function, nth);
  auto found = TRY(search.run(progress));
  if (found) return *found;
  const std::string of =
      "process #" + std::to_string(process) + " (" + recording.tree.at(process).program + ")";
  if (search.calls() > 0)
    return Failure(of + " called " + function + " " + times(search.calls()) + ", so there is no call " +
                   std::to_string(nth));
  if (search.is_known()) return Failure(of + " never called " + function);
  std::string sentence = "no function " + function + " is in what " + of + " maps, as far as symbols tell";
  const auto nearest = search.nearest();
  for (std::size_t i = 0; i < nearest.size(); ++i)
    sentence += (i == 0 ? "; there is " : i + 1 < nearest.size() ? ", " : " and ") + nearest[i];
  return Failure(sentence);
}

}  // namespace orrery::lens
