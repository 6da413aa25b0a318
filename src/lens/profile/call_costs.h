// Who called whom how often, and what it cost, from the stream of a profile. Costs are instructions that the
// calling task executed.
//
// A function that is entered by a jump from another one (a tail call, a PLT entry's jump) is called by it:
// it returns for both. A call that leads to no watched function is one of whatever code is met next.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "base/hash_map.h"
#include "translate/profile_stream.h"

namespace orrery::lens::profile {

struct CallEdge {
  u64 caller = 0;  ///< entry of the function; 0: what began the task, or was interrupted by a signal
  u64 site = 0;    ///< pc of the call; 0: a jump, or a signal
  u64 callee = 0;  ///< entry of the function; of one that is not watched, the first of its pcs that is met
  u64 calls = 0;
  u64 instructions = 0;  ///< of the callee and of all that it called
};

struct CalledFunction {
  u64 entry = 0;
  u64 instructions = 0;  ///< with all that it called; of a recursion, the outermost call's
};

class CallCosts {
 public:
  void read(std::span<const translate::ProfileNote> notes);
  /// As if the calls that have not returned did so now. `instructions`: of all tasks, as the notes have it.
  CallCosts finished(u64 instructions) const;

  /// All that were met; the first is none.
  const std::vector<CalledFunction>& functions() const { return functions_; }
  /// What was found since the last time. A call that has not returned has no cost yet.
  std::vector<CallEdge> take_edges();
  std::vector<CalledFunction> take_functions();

 private:
  static constexpr std::size_t kMemos = 4096, kFramesFirst = 256;

  struct Frame {
    u64 rsp = ~u64{0};  ///< where its return address lies; of the outermost, which no call made, above all
    u64 entered_at = 0;
    u32 function = 0;
    u32 edge = 0;
  };
  struct Call {
    u64 site = 0, rsp = 0, at = 0;  ///< site 0: there is none
  };
  struct Task {
    u64 ran = 0;  ///< instructions up to its last turn
    std::vector<Frame> frames = std::vector<Frame>(kFramesFirst);
    std::size_t innermost = 0, room = kFramesFirst;
    std::vector<u32>
        depths{};  ///< by function: how many of its calls have not returned; of all functions that are known
    Call call{};   ///< made, and nothing is known yet of where it leads

    const Frame& top() const { return frames[innermost]; }
    void add(const Frame& frame) {
      if (++innermost == room) [[unlikely]]
        frames.resize(room *= 2);
      frames[innermost] = frame;
    }
  };

  void turn(i32 task, u64 instructions);
  std::size_t read_known(std::span<const translate::ProfileNote> notes);
  void read_other(const translate::ProfileNote& note, u64 now);
  void enter(u64 function, u64 rsp, u64 now);
  void settle_call(u64 pc);
  void enter_straight(u64 site, u64 function, u64 rsp, u64 now);
  void pop_below(u64 rsp, u64 now) {
    while (task_->top().rsp < rsp) pop(now);
  }
  u32 function_at(u64 entry);
  u32 edge_of(u32 caller, u64 site, u32 callee);
  /// The edge of a call, remembered: nearly all calls are of few kinds.
  struct Memo {
    u64 site = 0, callee = 0;
    u32 caller = 0, function = 0, edge = 0;

    bool is(u32 by, u64 at, u64 of) const {
      return site == at && callee == of && caller == by && function != 0;
    }
  };
  static std::size_t place_of_memo(u32 caller, u64 site, u64 callee) {
    static_assert(kMemos == 1 << (64 - 52));
    return ((site ^ callee << 17 ^ caller) * 0x9e37'79b9'7f4a'7c15) >> 52;
  }
  const Memo& find_call(u32 caller, u64 site, u64 callee);

  /// What lies below is over already.
  void push(u64 function, u64 site, u64 rsp, u64 now) {
    Task& task = *task_;
    const Memo& call = find_call(task.top().function, site, function);
    ++edges_[call.edge].calls;
    ++task.depths[call.function];
    task.add({rsp, now, call.function, call.edge});
  }
  void pop(u64 now) {
    Task& task = *task_;
    const Frame& frame = task.frames[task.innermost--];
    const u64 cost = now - frame.entered_at;
    edges_[frame.edge].instructions += cost;
    if (--task.depths[frame.function] == 0) functions_[frame.function].instructions += cost;
  }

  std::vector<CallEdge> edges_;
  std::vector<CalledFunction> functions_{{}};  ///< the first is none
  std::vector<Memo> memos_ = std::vector<Memo>(kMemos);
  HashMap<u32> function_numbers_;  ///< by entry
  HashMap<u32> edge_numbers_;      ///< the first edge of a hash, in a chain
  std::vector<u32> next_edges_;
  std::unordered_map<i32, Task> tasks_;
  Task nobody_;              ///< before the first turn
  Task* task_ = &nobody_;    ///< whose code runs
  u64 ran_before_turn_ = 0;  ///< added to the instructions of all tasks: those of this one
};

}  // namespace orrery::lens::profile
