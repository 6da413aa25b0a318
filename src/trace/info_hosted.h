// REC/info: what a recording is, in lines that people can read too (docs/format.md). The supervisor
// writes it before the guest starts, the writer process again when the recording ends.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "trace/event.h"

namespace orrery::trace {

enum class RecordingState : u8 {
  recording,  ///< not ended, as far as this file knows; the trace's lock tells whether it is still written
  complete,   ///< every event up to the guest's end
  cut,        ///< the guest or its engine was killed: every event up to the last flush
  gap,        ///< events are missing at the end: see gap
};
const char* state_name(RecordingState state);

struct RecordingInfo {
  std::string program{};                 ///< resolved path
  std::vector<std::string> arguments{};  ///< argv
  std::string directory{};               ///< cwd
  std::string orrery_version{};
  std::string host{};     ///< nodename
  std::string kernel{};   ///< release
  std::string cpu{};      ///< model name
  std::string profile{};  ///< --cpu
  /// What the first process had from its parent and no event tells, by name: Groups, CapEff and the like as
  /// in /proc/self/status, cgroup (one a line), ns/mnt and the like, oom_score_adj, nice.
  std::vector<std::pair<std::string, std::string>> inherited{};
  std::optional<u64> seed{};
  u64 aslr = 0;        ///< --aslr
  u64 started_ns = 0;  ///< CLOCK_REALTIME
  u64 duration_ns = 0;
  i32 pid = 0;
  RecordingState state = RecordingState::recording;
  std::optional<int> exit_status{};   ///< of exit_group
  std::optional<int> fatal_signal{};  ///< that ended it
  std::optional<GapReason> gap{};
  u64 event_count = 0;
  u64 raw_bytes = 0;    ///< of the events
  u64 trace_bytes = 0;  ///< as stored
  u64 process_count = 0;
  u64 killed_count = 0;  ///< of these, without an event that tells the end

  /// Of the first of that name; "" if it is not known.
  std::string inherited_value(const std::string& name) const;
};

/// Takes over what the last event of a trace says of its end.
void note_end(RecordingInfo& info, const EventHeader& last);

Status write_info(const std::string& recording, const RecordingInfo& info);
/// A missing or partly damaged file gives what could be read; fails only if there is nothing.
Result<RecordingInfo> read_info(const std::string& recording);

/// Of a recording whose writer was killed, `info` still says that it is being made: writes down what the
/// trace holds and how it ends. Does nothing to others.
Status settle_recording(const std::string& recording);

/// Of a guest whose end no event tells, its parent knows the signal that killed it.
Status note_fatal_signal(const std::string& recording, int signal);

/// Host, kernel, cpu, start time: of this machine, now; and what a child of this process will have inherited.
void describe_host(RecordingInfo& info);

}  // namespace orrery::trace
