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
  u64 calls = 0;
  u64 instructions = 0;  ///< with all that it called; of a recursion, the outermost call's
};

class CallCosts {
 public:
  void read(std::span<const translate::ProfileNote> notes);
  /// As if the calls that have not returned did so now. `instructions`: of all tasks, as the notes have it.
  CallCosts finished(u64 instructions) const;

  /// What was found since the last time. A call that has not returned has no cost yet.
  std::vector<CallEdge> take_edges();
  std::vector<CalledFunction> take_functions();

 private:
  static constexpr std::size_t kMemos = 4096;

  struct Frame {
    u64 rsp;  ///< where its return address lies
    u64 entered_at;
    u32 function;
    u32 edge;
  };
  struct Call {
    u64 site = 0, rsp = 0, at = 0;  ///< site 0: there is none
  };
  struct Task {
    u64 ran = 0;  ///< instructions up to its last turn
    std::vector<Frame> frames{};
    std::vector<u32> depths{};  ///< by function: how many of its calls have not returned
    Call call{};                ///< made, and nothing is known yet of where it leads
  };

  void turn(i32 task, u64 instructions);
  void enter(u64 function, u64 rsp, u64 now);
  void settle_call(u64 pc);
  void push(u64 function, u64 site, u64 rsp, u64 now);
  void pop(u64 now);
  u32 function_at(u64 entry);
  u32 edge_of(u32 caller, u64 site, u32 callee);
  /// The edge of a call, remembered: nearly all calls are of few kinds.
  struct Memo {
    u64 site = 0, callee = 0;
    u32 caller = 0, function = 0, edge = 0;
  };
  const Memo& find_call(u32 caller, u64 site, u64 callee);

  std::vector<CallEdge> edges_;
  std::vector<CalledFunction> functions_{{}};  ///< the first is none
  std::vector<Memo> memos_ = std::vector<Memo>(kMemos);
  HashMap<u32> function_numbers_;  ///< by entry
  HashMap<u32> edge_numbers_;      ///< the first edge of a hash, in a chain
  std::vector<u32> next_edges_;
  std::unordered_map<i32, Task> tasks_;
  i32 current_ = 0;  ///< whose code runs; 0: nobody's yet
  Task* task_ = nullptr;
  u64 turn_began_ = 0;
};

}  // namespace orrery::lens::profile
