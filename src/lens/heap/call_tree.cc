#include "lens/heap/call_tree.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::heap {

CallTree::Node CallTree::add(u64 at, Node parent, u64 pc) {
  const Node made = size();
  slots_[at] = {pc, parent, made};
  entries_.push_back({.pc = pc, .parent = parent});
  if (entries_.size() * 2 <= slots_.size()) return made;
  slots_.assign(slots_.size() * 2, Slot{});
  for (Node node = 1; node < size(); ++node) {
    const Entry& entry = entries_[node];
    u64 to = home(entry.parent, entry.pc);
    while (slots_[to].node != kRoot) to = (to + 1) & (slots_.size() - 1);
    slots_[to] = {entry.pc, entry.parent, node};
  }
  return made;
}

void CallTree::add_path(u64 hash, Node node) {
  const auto put = [this](const Path& path) {
    u64 at = path.hash & (paths_.size() - 1);
    while (paths_[at].node != kRoot) at = (at + 1) & (paths_.size() - 1);
    paths_[at] = path;
  };
  if (++path_count_ * 2 > paths_.size()) {
    const std::vector<Path> before = std::exchange(paths_, std::vector<Path>(paths_.size() * 2));
    for (const Path& each : before)
      if (each.node != kRoot) put(each);
  }
  put({hash, node});
}

/// Of the present stack's calls, which led to an allocator for the first time.
CallTree::Node TaskCalls::name_path() {
  CallTree::Node node = CallTree::kRoot;
  for (std::size_t at = 1; at < stack_->used; ++at) node = tree_->child(node, stack_->frames[at].pc);
  tree_->add_path(stack_->innermost().path, node);
  return node;
}

/// Up within the present stack: what lies below is over. Elsewhere: a stack that reaches there, or a new one.
/// A frame may be large, so a stack reaches some way below its innermost call.
void TaskCalls::go_far(u64 rsp) {
  const auto reaches = [rsp](const Stack& stack) {
    return !stack.empty() && rsp < stack.outermost_rsp() + kFrameBytesMost &&
           rsp + kReachBytes > stack.innermost().rsp;
  };
  const auto holds = [rsp](const Stack& stack) {
    return !stack.empty() && rsp <= stack.outermost_rsp() && rsp >= stack.innermost().rsp;
  };
  if (!holds(*stack_)) {
    const bool empty = stack_->empty();
    auto other = std::find_if(stacks_.begin(), stacks_.end(), holds);
    if (other == stacks_.end() && !reaches(*stack_)) {
      other = std::find_if(stacks_.begin(), stacks_.end(), reaches);
      if (other == stacks_.end() && !empty) other = stacks_.emplace(stacks_.end());
    }
    if (other != stacks_.end()) stack_ = &*other;
  }
  stack_->drop_up_to(rsp);
}

TaskCalls::TaskCalls(const TaskCalls& from, CallTree& tree)
    : tree_(&tree), stacks_(from.stacks_), stack_(nullptr) {
  for (std::size_t at = 0; at < stacks_.size(); ++at) {
    Stack& stack = stacks_[at];
    stack.inherited.clear();
    for (std::size_t frame = 0; frame < stack.used; ++frame)
      stack.inherited.push_back(stack.frames[frame].path);
    if (&from.stacks_[at] == from.stack_) stack_ = &stack;
  }
}

/// A path's hash tells of all calls up to there.
std::size_t TaskCalls::Stack::inherited_frames() const {
  std::size_t count = std::min(used, inherited.size());
  while (count > 1 && frames[count - 1].path != inherited[count - 1]) --count;
  return std::max<std::size_t>(count, 1);
}

/// The present stack has no call so far out: on another it is, or none is known.
void TaskCalls::outer_elsewhere(u64 rsp) {
  for (Stack& other : stacks_) {
    std::size_t at = other.used;
    while (at > 1 && other.frames[at - 1].rsp < rsp) --at;
    if (at == 1 || other.frames[at - 1].rsp > rsp + 1) continue;
    other.used = at;
    stack_ = &other;
    return;
  }
  stack_->used = stack_->inherited_frames();
}

}  // namespace orrery::lens::heap
