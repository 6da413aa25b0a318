// A replay under way: an engine that runs a recording again, and the thread that feeds it the events.
// `replay` waits for its end; `why` and whatever else asks questions speaks to it over the control socket.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "cli/launch.h"
#include "cli/replay_family.h"
#include "lens/replay_session.h"
#include "trace/ring_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {

struct ReplayOptions {
  bool show_output = false;  ///< write the guest's output again
  /// This process of the recording waits at its start for requests. Others are replayed only as far as it
  /// needs them.
  std::optional<u32> asked{};
  /// Every process does: called with our end of its control socket when it begins, from any thread.
  std::function<void(u32 process, Fd control)> each{};
  bool trust = false;  ///< run the engine that the recording holds, not the installed one
  /// The recording's, if it is open: what is decoded for the replay need not be for its other readers.
  std::shared_ptr<const trace::OpenedTrace> trace{};
};

/// engine/doors.h, ReplayStatus: what the engine exits with.
enum EngineStatus : int { kToTheEnd = 0, kDiffered = 3, kTraceEnded = 4, kEngineCannotRun = 69 };

/// Whether the engine that made the recording is the installed one. True if the recording holds none.
bool made_by_installed_engine(const std::string& recording);

class ReplayProcess {
 public:
  /// `recording` is a recording's directory.
  static Result<std::unique_ptr<ReplayProcess>> start(const std::string& recording,
                                                      const ReplayOptions& options);
  /// Ends the engine if it still runs.
  ~ReplayProcess();
  ReplayProcess(const ReplayProcess&) = delete;
  ReplayProcess& operator=(const ReplayProcess&) = delete;

  /// Begins to ask questions; once, and only if one is `asked`.
  Result<std::unique_ptr<lens::ReplaySession>> attach(lens::SessionFiles files);
  /// Waits for the engine's end: a wait(2) status.
  int wait();
  /// What the engine was fed from. Only after wait().
  const trace::TraceReader& reader() const { return *reader_; }
  /// Of the processes that the program made, if all are replayed (none is `asked`). Only after wait().
  const ReplayFamily::Outcome& others() const { return others_; }

 private:
  ReplayProcess(trace::MappedRing ring, std::unique_ptr<trace::TraceReader> reader)
      : ring_(std::move(ring)), reader_(std::move(reader)) {}
  Result<std::string> choose_engine(const std::string& recording, bool trust);
  Status start_engine_of(const std::string& recording, const ReplayOptions& options);
  /// The first process's end of its control socket, if it is asked, and who else is.
  Result<Fd> start_control(const ReplayOptions& options, ReplayFamily::Wanted& wanted);
  /// Begins the replay of other processes too, if any are wanted.
  Status start_family(const std::string& recording, const ReplayOptions& options,
                      ReplayFamily::Wanted wanted);
  void feed();
  void stop_feeding();

  std::unique_ptr<ReplayFamily> family_;
  ReplayFamily::Outcome others_;
  trace::MappedRing ring_;
  std::unique_ptr<trace::TraceReader> reader_;
  Fd control_;
  bool ancestors_end_ = false;  ///< those of the process that is asked are not needed once it has begun
  Fd engine_copy_;  ///< of the recording's engine, which is stored without the right to be executed
  pid_t engine_ = -1;
  std::atomic<bool> stop_feeding_ = false;
  std::thread feeder_;
};

}  // namespace orrery::cli
