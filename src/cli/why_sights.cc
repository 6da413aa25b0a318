#include "cli/why_sights.h"

#include <asm/unistd.h>

#include <csignal>

#include "cli/recorded_files.h"
#include "cli/replay_process.h"
#include "lens/run_summary.h"
#include "lens/why/sights.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {

using lens::ProcessTree;
using lens::why::Killer;
using lens::why::Sight;
using lens::why::TimePart;

std::vector<Sight> see_in(const std::string& directory, const ProcessTree& tree,
                          const std::vector<TimePart>& parts) {
  if (parts.empty()) return {};
  const auto process = tree.find(parts.front().process);
  if (process == tree.end() || process->second.native) return {};
  auto run = lens::summarize(directory, process->second);
  if (!run) return {};
  RecordedFiles files(directory);
  auto replay = ReplayProcess::start(directory, {.asked = parts.front().process});
  if (!replay) return {};
  auto session = replay.value()->attach(files.of(run.value()));
  if (!session) return {};
  auto sights = lens::why::see_parts(*session.value(), run.value().image, parts);
  session.value().reset();
  return sights ? sights.take() : std::vector<Sight>();
}

namespace {

constexpr u64 kKillsSeenMost = 20;

/// Calls that send signals, between these times.
std::vector<TimePart> sending_calls(const std::string& directory, u32 process, u64 from_ns, u64 to_ns) {
  std::vector<TimePart> calls;
  std::string trouble;
  const auto reader = trace::TraceReader::open(directory, trouble, process);
  trace::EventView event;
  while (reader != nullptr && reader->next(event) == trace::ReadStatus::event) {
    const trace::EventHeader& header = *event.header;
    const u16 number = header.detail;
    const bool sends = number == __NR_kill || number == __NR_tgkill || number == __NR_tkill ||
                       number == __NR_pidfd_send_signal || number == __NR_rt_sigqueueinfo;
    if (header.kind != trace::EventKind::syscall || !sends || header.result != 0) continue;
    if (header.end_ns() < from_ns || header.begin_ns() > to_ns) continue;
    calls.push_back({.process = process,
                     .task = header.task,
                     .state = "blocked",
                     .event = header.number,
                     .ticks = header.ticks});
  }
  if (calls.size() > kKillsSeenMost) calls.erase(calls.begin(), calls.end() - kKillsSeenMost);
  return calls;
}

/// A negative number is a group's, or all that may be sent signals.
bool kills(const lens::Call& call, i32 pid) {
  const auto target = static_cast<i32>(call.arguments[0]);
  const u64 signal = call.arguments[call.number == __NR_tgkill ? 2 : 1];
  if (signal != SIGKILL) return false;
  return call.number == __NR_pidfd_send_signal || target == pid || (call.number == __NR_kill && target <= 0);
}

}  // namespace

std::optional<Killer> find_killer(const std::string& directory, const ProcessTree& tree, u32 process) {
  // The last event of who was killed may be a wait that had begun before.
  constexpr u64 kEarlierNs = 100'000'000;
  const lens::TreeProcess& killed = tree.at(process);
  const u64 from_ns = killed.end_ns > kEarlierNs ? killed.end_ns - kEarlierNs : 0;
  const u64 to_ns = killed.told.time_ns == 0 ? ~u64{0} : killed.told.time_ns;
  for (const auto& [number, other] : tree) {
    if (number == process || other.native || other.event_count == 0 || other.end_ns < from_ns) continue;
    for (Sight& sight : see_in(directory, tree, sending_calls(directory, number, from_ns, to_ns)))
      if (sight.call && kills(*sight.call, killed.pid))
        return Killer{lens::why::fact_of(other), std::move(sight)};
  }
  return std::nullopt;
}

}  // namespace orrery::cli
