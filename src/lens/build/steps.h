// The steps of a build: each is one program that a process ran, from its exec to the next one or to the end.
// Read from the events alone.
#pragma once

#include <optional>

#include "lens/lens.h"
#include "trace/event_view.h"

namespace orrery::lens::build {

struct Step {
  u32 number = 0;
  /// The step that started it; of a process that became another program, the one that it was before.
  std::optional<u32> parent{};
  u32 process = 0;
  std::string program{};
  std::vector<std::string> arguments{};
  u64 start_ns = 0, end_ns = 0;  ///< since the recording began
  bool last = false;             ///< of its process
  /// Of all its processes, those included that ran no program of their own; nothing if the recording does not
  /// say, and of programs that became another one.
  std::optional<trace::ResourceUsage> usage{};
};

class Steps {
 public:
  explicit Steps(const Recording& recording);
  const std::vector<Step>& all() const { return steps_; }
  /// What a process ran when it had executed `count` programs of its own. A process that ran none belongs to
  /// the step that forked it.
  u32 of(u32 process, u64 count) const;
  /// What `process` ran when its next event was `event`.
  u32 at_event(u32 process, u64 event) const;

 private:
  struct Lives {
    u32 inherited = 0;                       ///< the step it was forked in
    std::vector<std::pair<u64, u32>> own{};  ///< exec events and their steps
  };
  void read_process(const Recording& recording, const TreeProcess& process);
  void begin(const Recording& recording, const TreeProcess& process, const trace::EventView& event);
  void add_usage(const TreeProcess& process);

  std::vector<Step> steps_;
  std::map<u32, Lives> lives_;
};

}  // namespace orrery::lens::build
