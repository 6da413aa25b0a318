// The hosted side of a replay of several processes (trace/family.h): engines that replay forked processes ask
// here for rings, each of which a thread of its own fills with the events of that process.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "cli/launch.h"
#include "cli/shared_copies.h"
#include "trace/family.h"
#include "trace/lineage_hosted.h"
#include "trace/ring_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {

class ReplayFamily {
 public:
  /// How the forked processes' replays ended, all together.
  struct Outcome {
    bool differed = false;  ///< one was not equal; its engine has said where
    bool lost = false;      ///< an engine ended without a word
    bool damaged = false;   ///< events of one are damaged
    u64 processes = 0;
    u64 events = 0;
    std::string damage{};  ///< for people
  };

  /// Which of the forked processes are replayed, and who is asked questions.
  struct Wanted {
    std::shared_ptr<const trace::OpenedTrace> trace{};
    std::optional<trace::Lineage> only{};  ///< all if there is none
    std::optional<u32> asked{};            ///< the one process that is, if it is one
    /// The engine's end of the control socket of a process that begins; an empty one if it is not asked.
    std::function<Fd(u32 process)> control{};
  };

  static Result<std::unique_ptr<ReplayFamily>> start(const std::string& recording, Wanted wanted);
  ReplayFamily(const ReplayFamily&) = delete;
  ReplayFamily& operator=(const ReplayFamily&) = delete;
  ~ReplayFamily();

  /// For the first engine: its end of the family socket, and the memfd of trace::ReplayOrder, or -1: where
  /// some processes are missing nobody can wait for them.
  int engines_end() const { return engines_end_.get(); }
  int order_fd() const { return order_fd_.get(); }
  /// After the first engine has been started.
  void close_engines_end() { engines_end_ = Fd(); }

  /// Ends all engines that came by.
  void kill_all();
  /// Those that led to the process which is asked are not needed any more.
  void kill_ancestors();
  /// Returns when all engines are gone.
  Outcome wait();

 private:
  /// One forked process.
  struct Child {
    trace::FamilyRequest request;
    pid_t pid = -1;  ///< as the kernel names the engine
    Fd socket;
    Fd control;  ///< until the engine has it
    Fd life;     ///< hangs up when this process ends, however it does
    bool gone = false;
    std::thread thread;
  };

  ReplayFamily(std::string recording, Wanted wanted)
      : recording_(std::move(recording)), wanted_(std::move(wanted)) {}
  Status open();
  void kill_all(const std::lock_guard<std::mutex>& locked);
  void accept_all();
  void give_file(u32 file_number, int socket);
  void begin(const trace::FamilyRequest& request, Fd socket);
  void serve(Child& child);
  void feed(Child& child, trace::TraceReader& reader, trace::MappedRing& ring);
  void note_end(Child& child, const trace::TraceReader* reader, const trace::FamilyEnd* end);

  std::string recording_;
  Wanted wanted_;
  SharedCopies shared_copies_{recording_};  ///< the acceptor's
  Fd our_end_, engines_end_, order_fd_;
  trace::ReplayOrder* order_ = nullptr;
  std::thread acceptor_;
  std::mutex mutex_;
  std::list<std::unique_ptr<Child>> children_;
  Outcome outcome_;
  bool ending_ = false;  ///< engines that still come by are ended
};

}  // namespace orrery::cli
