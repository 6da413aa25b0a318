// A process's command comes from its exec events; until the first one it is its parent's at the time of the
// fork. The end of a process that a signal killed outright is in no event of its own, but its parent learned
// of it: from SIGCHLD's siginfo or from a wait call.
#include "lens/process_tree.h"

#include <asm/unistd.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "linux/signal_names.h"

namespace orrery::lens {
namespace {

using trace::EventKind;
using trace::EventView;

template <class T>
std::optional<T> read_front(std::span<const u8> bytes, u64 offset = 0) {
  T value;
  if (bytes.size() < offset + sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<std::string> split_strings(std::span<const u8> bytes) {
  std::vector<std::string> strings;
  while (!bytes.empty()) {
    const auto end = std::find(bytes.begin(), bytes.end(), u8{0});
    strings.emplace_back(bytes.begin(), end);
    bytes = bytes.subspan(std::min<u64>(static_cast<u64>(end - bytes.begin()) + 1, bytes.size()));
  }
  return strings;
}

/// What take_event() looks at.
constexpr EventKind kKinds[] = {EventKind::start, EventKind::fork, EventKind::exec,
                                EventKind::exit,  EventKind::gap,  EventKind::signal};
constexpr u16 kCalls[] = {__NR_waitid, __NR_wait4};
constexpr trace::EventChoice kChoice = {kKinds, kCalls};

class TreeBuilder {
 public:
  TreeBuilder(const std::shared_ptr<const trace::OpenedTrace>& trace, const trace::RecordingInfo& info)
      : trace_(trace) {
    TreeProcess& first = tree_[0];
    first.pid = info.pid;
    first.program = info.program;
    first.arguments = info.arguments;
    first.executed = true;
    first.fatal_signal = info.fatal_signal;
    first.exit_status = info.exit_status;
  }

  ProcessTree build() {
    // A child's number is higher than its parent's, so the parent has told of it before.
    for (const auto& [number, chunks] : trace_->processes()) read_process(number, chunks);
    return std::move(tree_);
  }

 private:
  void read_process(u32 number, const trace::ProcessChunks& chunks) {
    TreeProcess& process = tree_[number];
    process.process = number;
    trace::TraceReader reader(trace_, number);
    process.first_event = chunks.entries.front().first_number;
    process.start_ns = chunks.entries.front().first_time_ns;
    EventView event;
    while (reader.next_of(kChoice, event) == trace::ReadStatus::event) {
      process.last_event = event.header->number;
      process.end_ns = event.header->time_ns;
      process.end_ticks = event.header->ticks;
      process.event_count = process.last_event - process.first_event + 1;
      take_event(process, event);
    }
    process.ending = reader.ending();
  }

  void take_event(TreeProcess& process, const EventView& event) {
    const trace::EventHeader& header = *event.header;
    switch (header.kind) {
      case EventKind::start:
        return take_start(process, event);
      case EventKind::fork:
        return take_fork(process, event);
      case EventKind::exec:
        return take_program(process, event);
      case EventKind::exit:
        if (header.result == trace::kExitToNative) {
          process.native = true;
          process.exit_status = process.told.status;
          process.end_ns = std::max(process.end_ns, process.told.time_ns);
          return take_program(process, event);
        }
        process.exit_status.reset();
        process.fatal_signal.reset();
        process.usage = read_front<trace::ResourceUsage>(event.payload);
        if ((header.result & 0x100) != 0)
          process.fatal_signal = static_cast<int>(header.result & 0x7f);
        else
          process.exit_status = static_cast<int>(header.result & 0xff);
        return;
      case EventKind::gap:
        process.gap = static_cast<trace::GapReason>(header.result);
        return;
      case EventKind::signal:
        if (header.result == SIGCHLD) take_child_end(process, event);
        return;
      case EventKind::syscall:
        if (header.detail == __NR_waitid) take_child_end(process, event);
        if (header.detail == __NR_wait4) take_wait(process, event);
        return;
      default:
        return;
    }
  }

  void take_program(TreeProcess& process, const EventView& event) {
    std::vector<std::string> words = split_strings(event.payload);
    if (words.empty()) return;
    process.program = words.front();
    process.arguments.assign(words.begin() + 1, words.end());
    process.executed = true;
  }

  void take_start(TreeProcess& process, const EventView& event) {
    const auto start = read_front<trace::ProcessStart>(event.payload);
    if (!start) return;
    process.pid = start->pid;
    process.parent_pid = start->parent_pid;
    // What a fork said is as good, and a stranger's numbers must not make a circle.
    if (process.parent || start->parent_process >= process.process) return;
    TreeProcess& parent = tree_[start->parent_process];
    parent.process = start->parent_process;
    add_child(parent, process, start->parent_event);
  }

  void take_fork(TreeProcess& process, const EventView& event) {
    const auto number = read_front<u32>(event.payload, offsetof(trace::ForkedProcess, process));
    if (event.header->result < 0 || !number || *number <= process.process) return;
    TreeProcess& child = tree_[*number];
    if (child.parent) return;
    child.process = *number;
    child.pid = static_cast<i32>(event.header->result);
    child.parent_pid = process.pid;
    child.start_ns = child.end_ns = event.header->time_ns;
    child.program = process.program;
    child.arguments = process.arguments;
    add_child(process, child, event.header->number);
  }

  static void add_child(TreeProcess& parent, TreeProcess& child, u64 fork_event) {
    child.parent = parent.process;
    child.fork_event = fork_event;
    parent.children.push_back(child.process);
  }

  /// siginfo of SIGCHLD and of waitid have one layout (sigaction(2)).
  void take_child_end(const TreeProcess& parent, const EventView& event) {
    const std::span<const u8> siginfo = event.payload;
    const auto code = read_front<i32>(siginfo, 8), pid = read_front<i32>(siginfo, 16),
               status = read_front<i32>(siginfo, 24);
    if (!code || !pid || !status) return;
    const u64 time_ns = event.header->time_ns;
    if (*code == CLD_KILLED || *code == CLD_DUMPED) note_end(parent, *pid, {{}, *status, time_ns});
    if (*code == CLD_EXITED) note_end(parent, *pid, {*status & 0xff, {}, time_ns});
  }

  void take_wait(const TreeProcess& parent, const EventView& event) {
    // The status is there unless only the resource usage was wanted, or nothing.
    constexpr u64 kUsageBytes = 144;
    const u64 bytes = event.payload.size();
    const auto status = read_front<i32>(event.payload);
    if (event.header->result <= 0) return;
    const i32 pid = static_cast<i32>(event.header->result);
    const u64 time_ns = event.header->time_ns;
    if (!status || (bytes != sizeof *status && bytes != sizeof *status + kUsageBytes))
      return note_waited(parent, pid, time_ns);
    if (WIFSIGNALED(*status)) note_end(parent, pid, {{}, WTERMSIG(*status), time_ns});
    if (WIFEXITED(*status)) note_end(parent, pid, {WEXITSTATUS(*status), {}, time_ns});
  }

  /// For a child, but without asking how it ended.
  void note_waited(const TreeProcess& parent, i32 pid, u64 time_ns) {
    for (auto number = parent.children.rbegin(); number != parent.children.rend(); ++number) {
      TreeProcess& child = tree_[*number];
      if (child.pid != pid) continue;
      child.told.time_ns = time_ns;
      return;
    }
  }

  /// Pids are used again: the child that had it last is meant. Its own events, read later, know better.
  void note_end(const TreeProcess& parent, i32 pid, const TreeProcess::Told& told) {
    for (auto number = parent.children.rbegin(); number != parent.children.rend(); ++number) {
      TreeProcess& child = tree_[*number];
      if (child.pid != pid) continue;
      if (told.signal) child.fatal_signal = told.signal;
      child.told = told;
      return;
    }
  }

  const std::shared_ptr<const trace::OpenedTrace>& trace_;
  ProcessTree tree_;
};

}  // namespace

ProcessTree read_process_tree(const std::shared_ptr<const trace::OpenedTrace>& trace,
                              const trace::RecordingInfo& info) {
  return TreeBuilder(trace, info).build();
}

std::string end_words(const TreeProcess& process) {
  if (process.native) {
    TreeProcess end;
    end.exit_status = process.exit_status;
    end.fatal_signal = process.fatal_signal;
    return end.exit_status || end.fatal_signal ? "native, " + end_words(end) : "native";
  }
  if (process.exit_status) return "exit " + std::to_string(*process.exit_status);
  if (process.fatal_signal) {
    const abi::SignalName* name = abi::find_signal(*process.fatal_signal);
    return name != nullptr ? name->name : "signal " + std::to_string(*process.fatal_signal);
  }
  if (process.gap) return "gap";
  if (process.ending == trace::Ending::damaged) return "damaged";
  if (process.event_count == 0) return "no events";
  if (process.ending == trace::Ending::cut) return "cut";
  return "killed";
}

}  // namespace orrery::lens
