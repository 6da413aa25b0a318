// The processes of a recording: who forked whom, what each ran, how long it lived and how it ended. Read from
// the events alone, without a replay.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trace/info_hosted.h"
#include "trace/processes_hosted.h"

namespace orrery::lens {

struct TreeProcess {
  u32 process = 0;  ///< number in the recording
  std::optional<u32> parent{};
  i32 pid = 0, parent_pid = 0;
  std::string program{};                 ///< path of what it ran last
  std::vector<std::string> arguments{};  ///< of that
  bool executed = false;                 ///< it ran a program of its own, not its parent's
  std::optional<u64> fork_event{};       ///< number of the fork in the parent's events
  u64 first_event = 0, last_event = 0;
  u64 event_count = 0;           ///< 0: its parent tells of it, but nothing it did is in the trace
  u64 start_ns = 0, end_ns = 0;  ///< CLOCK_MONOTONIC of the recording host
  u64 end_ticks = 0;             ///< of the last event
  std::optional<int> exit_status{}, fatal_signal{};
  bool native = false;  ///< its program was not recorded; its end is what its parent was told, if it was
  /// What its parent was told of its end.
  struct Told {
    std::optional<int> status{}, signal{};
    u64 time_ns = 0;
  } told{};
  std::optional<trace::ResourceUsage> usage{};  ///< until its end, with the engine's share
  std::optional<trace::GapReason> gap{};
  trace::Ending ending = trace::Ending::clean;  ///< of its events in the file
  std::vector<u32> children{};                  ///< in the order of their forks
};

/// By process number; the first one is there if the trace has anything at all.
using ProcessTree = std::map<u32, TreeProcess>;

/// `info` tells of the first process what no event does.
ProcessTree read_process_tree(const std::shared_ptr<const trace::OpenedTrace>& trace,
                              const trace::RecordingInfo& info);

/// How it ended in a few words: "exit 0", "SIGKILL", "killed", "recorder killed", "damaged".
std::string end_words(const TreeProcess& process);

}  // namespace orrery::lens
