// The chain of hosts of one run, by mode: `run` asks the real kernel, recording puts SeededHost (with
// --seed) and RecordingHost in front of it, a replay answers from the ring. Everything the chain needs
// (ring, keeper of files, waiter) is owned here.
#pragma once

#include <memory>

#include "base/result.h"
#include "host/live_host.h"
#include "kernel/report.h"
#include "machine/launch.h"
#include "replay/replay_host.h"

namespace orrery::engine {

/// How a replay's process ends, told to the `orrery` that started it by its exit status.
enum ReplayStatus : int {
  kReplayedToTheEnd = 0,
  kReplayDiffered = 3,
  kReplayTraceEnded = 4,  ///< all that was recorded was replayed; the program was killed there
  kReplayCannotRun = 69,
};

class Doors {
 public:
  /// Fails when the ring or the directories of the mode are not there.
  static Result<std::unique_ptr<Doors>> open(const machine::LaunchHeader& launch, host::LiveHost& live,
                                             kernel::ReportSink& report);
  virtual ~Doors() = default;

  virtual host::Host& host() = 0;
  /// Null unless replaying.
  virtual replay::ReplayHost* replaying() { return nullptr; }
  /// Who answers questions when a replay comes to the end of what was recorded; may be null.
  virtual void set_control(machine::ControlServer*, kernel::Kernel*) {}
};

}  // namespace orrery::engine
