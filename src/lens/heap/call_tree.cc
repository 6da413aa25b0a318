#include "lens/heap/call_tree.h"

namespace orrery::lens::heap {

u64 CallTree::home(Node parent, u64 pc) const {
  u64 hash = (pc ^ u64{parent} << 32) * 0x9e37'79b9'7f4a'7c15;
  hash ^= hash >> 29;
  return hash & (slots_.size() - 1);
}

CallTree::Node CallTree::child(Node parent, u64 pc) {
  const Node recent = entries_[parent].recent;
  if (recent != kRoot && entries_[recent].pc == pc) return recent;
  u64 at = home(parent, pc);
  for (; slots_[at] != kRoot; at = (at + 1) & (slots_.size() - 1)) {
    const Entry& entry = entries_[slots_[at]];
    if (entry.pc == pc && entry.parent == parent) return entries_[parent].recent = slots_[at];
  }
  const Node made = size();
  slots_[at] = made;
  entries_.push_back({.pc = pc, .parent = parent});
  entries_[parent].recent = made;
  if (entries_.size() * 2 > slots_.size()) grow();
  return made;
}

void CallTree::grow() {
  slots_.assign(slots_.size() * 2, kRoot);
  for (Node node = 1; node < size(); ++node) {
    u64 at = home(entries_[node].parent, entries_[node].pc);
    while (slots_[at] != kRoot) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = node;
  }
}

/// Up within the present stack: what lies below is over. Elsewhere: a stack that reaches there, or a new one.
/// A frame may be large, so a stack reaches some way below its innermost call.
void TaskCalls::go_far(u64 rsp) {
  const auto reaches = [rsp](const Stack& stack) {
    return !stack.frames.empty() && rsp < stack.frames.front().rsp + kFrameBytesMost &&
           rsp + kReachBytes > stack.frames.back().rsp;
  };
  const auto holds = [rsp](const Stack& stack) {
    return !stack.frames.empty() && rsp <= stack.frames.front().rsp && rsp >= stack.frames.back().rsp;
  };
  if (!stacks_[at_].frames.empty() && !holds(stacks_[at_])) {
    auto other = std::find_if(stacks_.begin(), stacks_.end(), holds);
    if (other == stacks_.end() && reaches(stacks_[at_])) other = stacks_.begin() + static_cast<i64>(at_);
    if (other == stacks_.end()) other = std::find_if(stacks_.begin(), stacks_.end(), reaches);
    if (other == stacks_.end()) other = stacks_.emplace(stacks_.end());
    at_ = static_cast<std::size_t>(other - stacks_.begin());
  }
  std::vector<Frame>& frames = stacks_[at_].frames;
  while (!frames.empty() && frames.back().rsp <= rsp) frames.pop_back();
  stacks_[at_].named = std::min(stacks_[at_].named, frames.size());
}

}  // namespace orrery::lens::heap
