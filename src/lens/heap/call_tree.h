// Who called whom, as a tree: a node is a call at one place, below the call that led to it. A reader of the
// stream of calls follows each task's stack in it, so that the present stack is one number.
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.h"

namespace orrery::lens::heap {

class CallTree {
 public:
  using Node = u32;
  static constexpr Node kRoot = 0;  ///< no call is known

  CallTree() : entries_(1), slots_(1 << 10) {}
  /// The call at `pc` made within `parent`.
  Node child(Node parent, u64 pc);
  u64 pc(Node node) const { return entries_[node].pc; }
  Node parent(Node node) const { return entries_[node].parent; }
  u32 size() const { return static_cast<u32>(entries_.size()); }

 private:
  struct Entry {
    u64 pc = 0;
    Node parent = kRoot;
    Node recent = kRoot;  ///< the child that was asked for last
  };
  u64 home(Node parent, u64 pc) const;
  void grow();

  std::vector<Entry> entries_;
  std::vector<Node> slots_;  ///< hashed; kRoot: empty
};

/// The calls of one task that have not returned. A task may have several stacks (coroutines, a signal's own):
/// the stack pointer tells on which it is.
class TaskCalls {
 public:
  explicit TaskCalls(CallTree& tree) : tree_(&tree), stacks_(1) {}

  struct Frame {
    u64 rsp = 0;  ///< before the return address was pushed
    u64 pc = 0;
    CallTree::Node node = CallTree::kRoot;  ///< if it is among Stack::named
  };
  /// A function that was entered and has not returned.
  struct Pending {
    u64 rsp = 0;  ///< points at the return address
    u32 function = 0;
    u64 arguments[3] = {};
    u64 ticks = 0;
    CallTree::Node node = CallTree::kRoot;
  };

  void call(u64 pc, u64 rsp) {
    go_to(rsp);
    stacks_[at_].frames.push_back({rsp, pc});
  }
  /// Of a return with this stack pointer: the calls that are over behind it.
  void ret(u64 rsp) {
    constexpr u64 kReturnAddressBytes = 8;
    const u64 behind = rsp + kReturnAddressBytes;
    std::vector<Frame>& frames = stacks_[at_].frames;
    while (!frames.empty() && behind - frames.back().rsp < kReachBytes) frames.pop_back();
    stacks_[at_].named = std::min(stacks_[at_].named, frames.size());
  }
  /// With the stack pointer at a function's entry: the call that led there.
  CallTree::Node enter(u64 rsp) {
    go_to(rsp);
    Stack& stack = stacks_[at_];
    std::vector<Frame>& frames = stack.frames;
    std::size_t named = std::min(stack.named, frames.size());
    CallTree::Node node = named == 0 ? CallTree::kRoot : frames[named - 1].node;
    for (; named < frames.size(); ++named) node = frames[named].node = tree_->child(node, frames[named].pc);
    stack.named = named;
    return node;
  }
  /// Those of the present stack.
  std::vector<Pending>& pending() { return stacks_[at_].pending; }
  /// Those of the stack where `rsp` is, without going there: where a return is looked for.
  bool has_pending() const { return !stacks_[at_].pending.empty(); }

 private:
  struct Stack {
    std::vector<Frame> frames;  ///< outermost first; each one's rsp is below the one before
    std::size_t named = 0;      ///< how many of them, from the outermost on, have their node
    std::vector<Pending> pending;
  };

  /// Forgets the calls that are over where the stack pointer is `rsp`.
  void go_to(u64 rsp) {
    std::vector<Frame>& frames = stacks_[at_].frames;
    if (!frames.empty() && frames.back().rsp - rsp - 1 < kFrameBytesMost) [[likely]]
      return;
    go_far(rsp);
  }
  void go_far(u64 rsp);

  /// A step down that is larger may lead to another stack.
  static constexpr u64 kFrameBytesMost = 64 << 10;
  /// As far as one stack is taken to go on.
  static constexpr u64 kReachBytes = 16 << 20;

  CallTree* tree_;
  std::vector<Stack> stacks_;
  std::size_t at_ = 0;
};

}  // namespace orrery::lens::heap
