// Who called whom, as a tree: a node is a call at one place, below the call that led to it. A reader of the
// stream of calls follows each task's stack in it, so that the present stack is one number.
#pragma once

#include <deque>
#include <vector>

#include "base/types.h"

namespace orrery::lens::heap {

class CallTree {
 public:
  using Node = u32;
  static constexpr Node kRoot = 0;  ///< no call is known

  CallTree() : entries_(1), slots_(1 << 10), paths_(1 << 10) {}
  /// The call at `pc` made within `parent`.
  Node child(Node parent, u64 pc) {
    for (u64 at = home(parent, pc);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.pc == pc && slot.parent == parent && slot.node != kRoot) return slot.node;
      if (slot.node == kRoot) return add(at, parent, pc);
    }
  }
  /// The call that a path leads to, which is known by its hash (TaskCalls::Frame); kRoot if it was not seen
  /// before. Two paths of a program have one hash in less than one of a million runs with a million paths.
  Node find_path(u64 hash) const {
    for (u64 at = hash & (paths_.size() - 1);; at = (at + 1) & (paths_.size() - 1))
      if (paths_[at].hash == hash || paths_[at].node == kRoot) return paths_[at].node;
  }
  void add_path(u64 hash, Node node);
  u64 pc(Node node) const { return entries_[node].pc; }
  Node parent(Node node) const { return entries_[node].parent; }
  u32 size() const { return static_cast<u32>(entries_.size()); }

 private:
  struct Entry {
    u64 pc = 0;
    Node parent = kRoot;
  };
  struct Slot {
    u64 pc = 0;
    Node parent = kRoot;
    Node node = kRoot;  ///< kRoot: empty
  };
  u64 home(Node parent, u64 pc) const {
    u64 hash = (pc ^ u64{parent} << 32) * 0x9e37'79b9'7f4a'7c15;
    hash ^= hash >> 29;
    return hash & (slots_.size() - 1);
  }
  Node add(u64 at, Node parent, u64 pc);
  struct Path {
    u64 hash = 0;
    Node node = kRoot;  ///< kRoot: empty
  };

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;  ///< hashed
  std::vector<Path> paths_;  ///< by their hashes
  u64 path_count_ = 0;
};

/// The calls of one task that have not returned. A task may have several stacks (coroutines, a signal's own):
/// the stack pointer tells on which it is.
class TaskCalls {
 public:
  explicit TaskCalls(CallTree& tree) : tree_(&tree), stacks_(1), stack_(&stacks_.front()) {}
  /// The same stacks in a forked process, with a copy of the tree. Who notes its calls knows nothing of those
  /// from before the fork: they are on until one is noted where they were.
  TaskCalls(const TaskCalls& from, CallTree& tree);
  TaskCalls(const TaskCalls&) = delete;
  TaskCalls& operator=(const TaskCalls&) = delete;

  struct Frame {
    u64 rsp = 0;  ///< before the return address was pushed
    u64 pc = 0;
    u64 path = 0;  ///< hash of the calls that led here and this one: one look finds the node of a whole path
  };
  /// A function that was entered and has not returned.
  struct Pending {
    u64 rsp = 0;  ///< points at the return address; 0 if there is none
    u32 function = 0;
    CallTree::Node node = CallTree::kRoot;
    u64 arguments[3] = {};
    u64 ticks = 0;
    bool ends_unnoted = false;  ///< the call that led there tells when it is over
    bool is_at(u64 there) const { return rsp == there && rsp != 0; }
  };

  void call(u64 pc, u64 rsp) {
    go_to(rsp);
    Stack& stack = *stack_;
    if (stack.used == stack.room) [[unlikely]]
      stack.grow();
    u64 path = (stack.innermost().path ^ pc) * 0x9e37'79b9'7f4a'7c15;
    path ^= path >> 32;
    stack.frames[stack.used++] = {rsp, pc, path};
  }
  /// Of a return with this stack pointer: the calls that are over behind it.
  void ret(u64 rsp) {
    constexpr u64 kReturnAddressBytes = 8;
    const u64 behind = rsp + kReturnAddressBytes;
    Stack& stack = *stack_;
    while (behind - stack.innermost().rsp < kReachBytes) --stack.used;
  }
  /// See CallRecord::outer: the calls below this stack pointer are over.
  void outer(u64 rsp) {
    Stack& stack = *stack_;
    if (stack.outermost_rsp() < rsp) [[unlikely]]
      return outer_elsewhere(rsp);
    while (stack.innermost().rsp < rsp) --stack.used;
  }
  /// With the stack pointer at a function's entry: the call that led there.
  CallTree::Node enter(u64 rsp) {
    go_to(rsp);
    return node();
  }
  /// The innermost call.
  CallTree::Node node() {
    const CallTree::Node node = tree_->find_path(path());
    return node != CallTree::kRoot || stack_->empty() ? node : name_path();
  }
  /// Forgets the calls that are over where the stack pointer is `rsp`.
  void go_to(u64 rsp) {
    if (stack_->innermost().rsp - rsp - 1 < kFrameBytesMost) [[likely]]
      return;
    go_far(rsp);
  }
  /// Of the innermost call: 0 if none is known.
  u64 path() const { return stack_->innermost().path; }
  /// The innermost call's stack pointer.
  u64 innermost_rsp() const { return stack_->innermost().rsp; }
  /// That of the present stack.
  Pending& pending() { return stack_->pending; }
  const Pending& pending() const { return stack_->pending; }

 private:
  struct Stack {
    /// Outermost first; each one's rsp is below the one before. The first stands for what is not known: its
    /// rsp is above all.
    std::vector<Frame> frames = std::vector<Frame>(64, Frame{.rsp = kAboveAll});
    std::size_t used = 1, room = 64;
    Pending pending;
    std::vector<u64> inherited;  ///< the paths of calls from before the fork, by frame

    bool empty() const { return used == 1; }
    const Frame& innermost() const { return frames[used - 1]; }
    u64 outermost_rsp() const { return empty() ? 0 : frames[1].rsp; }
    /// Calls from before the fork that are on; at least 1.
    std::size_t inherited_frames() const;
    void grow() { frames.resize(room *= 2); }
    void drop_up_to(u64 rsp) {
      while (innermost().rsp <= rsp) --used;
    }
  };
  CallTree::Node name_path();
  void go_far(u64 rsp);
  void outer_elsewhere(u64 rsp);

  /// A step down that is larger may lead to another stack.
  static constexpr u64 kFrameBytesMost = 64 << 10;
  static constexpr u64 kAboveAll = u64{1} << 63;
  /// As far as one stack is taken to go on.
  static constexpr u64 kReachBytes = 16 << 20;

  CallTree* tree_;
  std::deque<Stack> stacks_;
  Stack* stack_;  ///< the present one
};

}  // namespace orrery::lens::heap
