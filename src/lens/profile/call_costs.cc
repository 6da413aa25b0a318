#include "lens/profile/call_costs.h"

namespace orrery::lens::profile {

using translate::ProfileNote;
using translate::ProfileRecord;

void CallCosts::read(std::span<const ProfileNote> notes) {
  for (const ProfileNote& note : notes) {
    if (note.record() == ProfileRecord::turn) {
      turn(static_cast<i32>(note.pc()), note.instructions());
      continue;
    }
    if (task_ == nullptr) continue;
    const u64 now = task_->ran + (note.instructions() - turn_began_);
    switch (note.record()) {
      case ProfileRecord::call:
        if (task_->call.site != 0) settle_call(note.pc());
        task_->call = {note.pc(), note.rsp, now};
        break;
      case ProfileRecord::entry:
        enter(note.pc(), note.rsp, now);
        break;
      case ProfileRecord::ret:
        if (task_->call.site != 0) settle_call(note.pc());
        while (!task_->frames.empty() && task_->frames.back().rsp <= note.rsp) pop(now);
        break;
      case ProfileRecord::turn:
        break;
    }
  }
}

void CallCosts::turn(i32 task, u64 instructions) {
  if (task_ != nullptr) task_->ran += instructions - turn_began_;
  turn_began_ = instructions;
  current_ = task;
  task_ = &tasks_[task];
}

/// The call has led to code that no watched function begins with.
void CallCosts::settle_call(u64 pc) {
  const Call call = task_->call;
  task_->call = {};
  push(pc, call.site, call.rsp - sizeof(u64), call.at);
}

void CallCosts::enter(u64 function, u64 rsp, u64 now) {
  std::vector<Frame>& frames = task_->frames;
  while (!frames.empty() && frames.back().rsp < rsp) pop(now);
  const Call call = task_->call;
  task_->call = {};
  if (call.site != 0) return push(function, call.rsp - sizeof(u64) == rsp ? call.site : 0, rsp, now);
  // A loop back to where the function begins is no call.
  const bool is_loop =
      !frames.empty() && functions_[frames.back().function].entry == function && frames.back().rsp == rsp;
  if (!is_loop) push(function, 0, rsp, now);
}

void CallCosts::push(u64 function, u64 site, u64 rsp, u64 now) {
  std::vector<Frame>& frames = task_->frames;
  while (!frames.empty() && frames.back().rsp < rsp) pop(now);
  const Memo& call = find_call(frames.empty() ? 0 : frames.back().function, site, function);
  ++edges_[call.edge].calls;
  ++functions_[call.function].calls;
  if (task_->depths.size() <= call.function) task_->depths.resize(call.function + 64);
  ++task_->depths[call.function];
  frames.push_back({rsp, now, call.function, call.edge});
}

const CallCosts::Memo& CallCosts::find_call(u32 caller, u64 site, u64 callee) {
  const u64 mixed = (site ^ callee << 17 ^ caller) * 0x9e37'79b9'7f4a'7c15;
  Memo& memo = memos_[mixed >> 52];
  static_assert(kMemos == 1 << (64 - 52));
  if (memo.function != 0 && memo.site == site && memo.callee == callee && memo.caller == caller) return memo;
  const u32 function = function_at(callee);
  memo = {site, callee, caller, function, edge_of(caller, site, function)};
  return memo;
}

void CallCosts::pop(u64 now) {
  const Frame frame = task_->frames.back();
  task_->frames.pop_back();
  const u64 cost = now - frame.entered_at;
  edges_[frame.edge].instructions += cost;
  if (--task_->depths[frame.function] == 0) functions_[frame.function].instructions += cost;
}

u32 CallCosts::function_at(u64 entry) {
  u32& number = function_numbers_[entry];
  if (number != 0) return number;
  number = static_cast<u32>(functions_.size());
  functions_.push_back({.entry = entry});
  return number;
}

u32 CallCosts::edge_of(u32 caller, u64 site, u32 callee) {
  const u64 caller_entry = functions_[caller].entry, callee_entry = functions_[callee].entry;
  // The site nearly always tells the caller.
  u32& first = edge_numbers_[(site != 0 ? site : caller_entry) ^ u64{callee} << 48];
  for (u32 edge = first; edge != 0; edge = next_edges_[edge - 1]) {
    const CallEdge& known = edges_[edge - 1];
    if (known.callee == callee_entry && known.site == site && known.caller == caller_entry) return edge - 1;
  }
  edges_.push_back({.caller = caller_entry, .site = site, .callee = callee_entry});
  next_edges_.push_back(first);
  first = static_cast<u32>(edges_.size());
  return first - 1;
}

std::vector<CallEdge> CallCosts::take_edges() {
  std::vector<CallEdge> taken;
  for (CallEdge& edge : edges_) {
    if (edge.calls == 0 && edge.instructions == 0) continue;
    taken.push_back(edge);
    edge.calls = edge.instructions = 0;
  }
  return taken;
}

std::vector<CalledFunction> CallCosts::take_functions() {
  std::vector<CalledFunction> taken;
  for (CalledFunction& function : functions_) {
    if (function.calls == 0 && function.instructions == 0) continue;
    taken.push_back(function);
    function.calls = function.instructions = 0;
  }
  return taken;
}

CallCosts CallCosts::finished(u64 instructions) const {
  CallCosts copy = *this;
  if (current_ != 0) copy.tasks_[current_].ran += instructions - turn_began_;
  for (auto& [id, task] : copy.tasks_) {
    copy.task_ = &task;
    while (!task.frames.empty()) copy.pop(task.ran);
  }
  return copy;
}

}  // namespace orrery::lens::profile
