#include "lens/difference/event_difference.h"

#include <asm/unistd.h>
#include <errno.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "host/host.h"
#include "linux/syscall_table.h"

namespace orrery::lens {
namespace {

using trace::EventHeader;
using trace::EventKind;

/// What is compared of an event.
struct Told {
  EventHeader event{};
  u64 answer_hash = 0;
};

/// What the program did not cause: whose turn it was, that a turn was over, and what the recorder did.
bool is_ours(const EventHeader& event) {
  const bool is_no_signal = event.result == host::kQuantumOver || event.result == host::kMemoryShared;
  return (event.kind == EventKind::signal && is_no_signal) || event.kind == EventKind::turn ||
         event.kind == EventKind::meeting || event.kind == EventKind::gap;
}

/// Whether it may be the machine's look at what tasks wait for: how often it looks depends on whose turn it
/// is.
bool may_be_look(const EventHeader& event) {
  if (event.kind != EventKind::syscall) return false;
  return event.detail == __NR_ppoll || event.detail == __NR_clock_gettime || event.result == -EAGAIN;
}

Told told(const trace::EventView& view) {
  Told out{*view.header};
  switch (view.header->kind) {
    case EventKind::exit:   // resources used
    case EventKind::start:  // pids
    case EventKind::fork:
    case EventKind::map:  // inode and time of change
      break;
    default:
      out.answer_hash = xxh64(view.payload);
  }
  return out;
}

bool same_way(const EventHeader& left, const EventHeader& right) {
  return left.kind == right.kind && left.detail == right.detail && left.ticks == right.ticks &&
         left.pc == right.pc;
}

bool same_request(const EventHeader& left, const EventHeader& right) {
  return left.request_hash == right.request_hash &&
         (left.kind != EventKind::exit || left.result == right.result);
}

bool same_answer(const Told& left, const Told& right) {
  if (left.event.kind == EventKind::exit) return true;  // nobody is answered
  const bool is_fork = left.event.kind == EventKind::fork;
  return left.answer_hash == right.answer_hash &&
         (left.event.result == right.event.result ||
          (is_fork && (left.event.result < 0) == (right.event.result < 0)));
}

/// What the machine asks before any task runs, to load the program, no program sees; but its arguments it
/// does.
bool is_for_the_program(const EventHeader& event) { return event.task != 0 || event.kind == EventKind::exec; }

/// The events of one process of each run, side by side.
class ProcessComparison {
 public:
  ProcessComparison(const std::array<const Recording*, 2>& runs, const std::array<u32, 2>& process,
                    EventDifference& found)
      : process_(process), found_(found) {
    for (int side = 0; side < 2; ++side)
      readers_[side] = std::make_unique<trace::TraceReader>(runs[side]->trace, process[side]);
  }

  /// Up to where its first task parts, or to the end.
  void go() {
    while (!parted_ && (advance(0) | advance(1)) != 0) match();
    if (!parted_) match_ends();
    for (const Task& task : tasks_)
      if (task.task[0] != 0 && task.task[1] != 0) found_.tasks[process_].push_back(task.task);
  }

 private:
  struct Task {
    std::array<i32, 2> task{};
    std::array<std::deque<Told>, 2> waiting{};
  };

  /// One event of that run; 0 at its end.
  int advance(int side) {
    trace::EventView view;
    do {
      if (readers_[side]->next(view) != trace::ReadStatus::event) return 0;
    } while (is_ours(*view.header));
    Task& task = tasks_[number_of(side, view.header->task)];
    task.task[side] = view.header->task;
    task.waiting[side].push_back(told(view));
    return 1;
  }

  /// How many tasks of that run came before.
  std::size_t number_of(int side, i32 task) {
    const auto [found, is_new] = numbers_[side].try_emplace(task, numbers_[side].size());
    if (is_new) tasks_.resize(std::max(tasks_.size(), numbers_[side].size()));
    return found->second;
  }

  void match() {
    for (Task& task : tasks_)
      while (!parted_ && !task.waiting[0].empty() && !task.waiting[1].empty()) {
        const Told &left = task.waiting[0].front(), &right = task.waiting[1].front();
        const bool same = same_way(left.event, right.event);
        const bool skips_left = !same && may_be_look(left.event);
        const bool skips_right = !same && !skips_left && may_be_look(right.event);
        if (!skips_left && !skips_right) match_pair(task, left, right);
        if (!skips_right) task.waiting[0].pop_front();
        if (!skips_left) task.waiting[1].pop_front();
      }
  }

  void match_pair(Task& task, const Told& left, const Told& right) {
    EventPair pair{.process = process_, .task = task.task, .event = {left.event, right.event}};
    if (!same_way(left.event, right.event)) return part(pair);
    ++found_.common_events;
    if (!same_request(left.event, right.event) && !found_.request) found_.request = pair;
    if (!same_answer(left, right) && is_for_the_program(left.event)) {
      ++found_.answers[event_name(left.event)];
      if (!found_.answer && !differs_always(left.event)) found_.answer = pair;
    }
  }

  void part(const EventPair& pair) {
    parted_ = true;
    const auto time = [](const EventPair& of) {
      const auto& event = of.event[0] ? of.event[0] : of.event[1];
      return event->time_ns;
    };
    if (found_.way && time(*found_.way) <= time(pair)) return;
    found_.way = pair;
  }

  /// Tasks of which one run tells more.
  void match_ends() {
    for (Task& task : tasks_) {
      if (parted_) return;
      EventPair pair{.process = process_, .task = task.task};
      for (int side = 0; side < 2; ++side)
        std::erase_if(task.waiting[side], [](const Told& each) { return may_be_look(each.event); });
      if (task.waiting[0].empty() && task.waiting[1].empty()) continue;
      for (int side = 0; side < 2; ++side)
        if (!task.waiting[side].empty()) pair.event[side] = task.waiting[side].front().event;
      part(pair);
    }
  }

  std::array<u32, 2> process_;
  EventDifference& found_;
  std::array<std::unique_ptr<trace::TraceReader>, 2> readers_{};
  std::array<std::map<i32, std::size_t>, 2> numbers_{};
  std::vector<Task> tasks_{};
  bool parted_ = false;
};

/// Those and all below them that both runs have.
void add_pairs(const std::array<const Recording*, 2>& runs, const std::array<u32, 2>& pair,
               std::vector<std::array<u32, 2>>& pairs) {
  pairs.push_back(pair);
  const std::vector<u32>&left = runs[0]->tree.at(pair[0]).children,
        &right = runs[1]->tree.at(pair[1]).children;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
    add_pairs(runs, {left[i], right[i]}, pairs);
}

constexpr u16 kDifferentCalls[] = {
    __NR_clock_gettime,   __NR_gettimeofday, __NR_time,   __NR_times,     __NR_getrusage,
    __NR_getpid,          __NR_getppid,      __NR_gettid, __NR_getrandom, __NR_sysinfo,
    __NR_set_tid_address, __NR_statfs,       __NR_fstatfs};

}  // namespace

std::string event_name(const EventHeader& event) {
  switch (event.kind) {
    case EventKind::syscall: {
      const abi::SyscallRow* const row = abi::find_syscall(event.detail);
      return row != nullptr ? std::string(row->name) : "call " + std::to_string(event.detail);
    }
    case EventKind::start:
      return "the process's begin";
    case EventKind::map:
      return "mapping of a file";
    case EventKind::memory:
      return "change of the map";
    case EventKind::tsc:
      return "rdtsc";
    case EventKind::cpu_number:
      return "number of the processor";
    case EventKind::random:
      return "random bytes";
    case EventKind::signal:
      return "signal " + std::to_string(event.result);
    case EventKind::exec:
      return "execve";
    case EventKind::exit:
      if (event.result == trace::kExitToNative) return "a program that is not recorded";
      return (event.result & 0x100) != 0 ? "death of signal " + std::to_string(event.result & 0x7f)
                                         : "exit " + std::to_string(event.result);
    case EventKind::more:
      return "more of an answer";
    case EventKind::file_change:
      return "change of a mapped file";
    case EventKind::fork:
      return "fork";
    case EventKind::memory_change:
      return "memory that a vfork's child left";
    default:
      return "event";
  }
}

bool differs_always(const EventHeader& event) {
  if (event.kind == EventKind::syscall)
    return std::find(std::begin(kDifferentCalls), std::end(kDifferentCalls), event.detail) !=
           std::end(kDifferentCalls);
  return event.kind == EventKind::tsc || event.kind == EventKind::cpu_number ||
         event.kind == EventKind::random;
}

Fallible<EventDifference> find_event_difference(const std::array<const Recording*, 2>& runs,
                                                const std::optional<std::array<u32, 2>>& processes) {
  std::vector<std::array<u32, 2>> pairs;
  for (const Recording* run : runs)
    if (run->tree.empty()) return Failure(run->directory + " has no events");
  if (processes)
    pairs.push_back(*processes);
  else
    add_pairs(runs, {runs[0]->tree.begin()->first, runs[1]->tree.begin()->first}, pairs);
  EventDifference found;
  for (const std::array<u32, 2>& pair : pairs) ProcessComparison(runs, pair, found).go();
  return found;
}

}  // namespace orrery::lens
