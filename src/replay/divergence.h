// The first difference between a replay and its recording (design.md, invariant 6), as a value and in words.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"
#include "host/host.h"
#include "trace/event.h"

namespace orrery::replay {

enum class Difference : u8 {
  kind,     ///< another kind of question was asked
  detail,   ///< another system call, or another memory operation
  request,  ///< the same call with other arguments or input bytes
  task,
  ticks,
  pc,
  payload,        ///< the answer does not fit the question
  signal_missed,  ///< the run went past the point where a signal came
  status,         ///< the program ended in another way
  damaged,        ///< the recording holds no event where one must be
  refused,        ///< the host will not map what the recording's host mapped
  kept_file,      ///< the kept copy of a file is missing or of another size; args[0] is its number
};

struct Divergence {
  Difference difference = Difference::kind;
  trace::EventHeader expected;  ///< what the recording says
  trace::EventKind got = trace::EventKind::none;
  u16 got_detail = 0;
  host::Instant got_instant;
  u64 got_hash = 0;
  i64 got_result = 0;  ///< of an exit
  u64 args[6] = {};    ///< of a system call that was asked for
};

/// Two sentences without a newline: what was recorded, what happened. Returns how much of `out` was
/// written; what does not fit is cut.
std::string_view describe(const Divergence& divergence, std::span<char> out);

/// What becomes of a replay that cannot go on. Neither returns.
class ReplayEnd {
 public:
  virtual void diverged(const Divergence& divergence) = 0;
  /// The recording has no further event: the recorded process was killed, or its recorder was.
  virtual void trace_ended() = 0;
  /// The program ended as it did when it was recorded.
  virtual void finished(int status, int fatal_signal) = 0;

 protected:
  ~ReplayEnd() = default;
};

}  // namespace orrery::replay
