#include "lens/profile/call_costs.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::profile {

using translate::ProfileNote;
using translate::ProfileRecord;

namespace {

constexpr u64 kReturnAddressBytes = 8;

}  // namespace

/// Nearly all notes are known calls and their returns; those that are something else are read as such.
void CallCosts::read(std::span<const ProfileNote> notes) {
  for (const ProfileNote& note : notes) {
    const u64 now = note.instructions() + ran_before_turn_;
    const bool done = note.record() == ProfileRecord::enter ? enter_known(note, now)
                      : note.record() == ProfileRecord::ret ? return_to_caller(note, now)
                                                            : false;
    if (!done) read_other(note, now);
  }
}

inline bool CallCosts::enter_known(const ProfileNote& note, u64 now) {
  const u64 rsp = note.rsp - kReturnAddressBytes;
  if (task_->call.site != 0 || task_->top().rsp <= rsp) [[unlikely]]
    return false;
  push(note.callee, note.pc(), rsp, now);
  return true;
}

inline bool CallCosts::return_to_caller(const ProfileNote& note, u64 now) {
  if (task_->call.site != 0 || task_->top().rsp != note.rsp) [[unlikely]]
    return false;
  pop(now);
  return task_->top().rsp > note.rsp;
}

void CallCosts::read_other(const ProfileNote& note, u64 now) {
  if (note.record() == ProfileRecord::turn) return turn(static_cast<i32>(note.pc()), note.instructions());
  if (note.record() != ProfileRecord::entry && task_->call.site != 0) settle_call(note.pc());
  switch (note.record()) {
    case ProfileRecord::enter:
      return enter_straight(note.pc(), note.callee, note.rsp - kReturnAddressBytes, now);
    case ProfileRecord::ret:
      return pop_below(note.rsp + 1, now);
    case ProfileRecord::call:
      task_->call = {note.pc(), note.rsp, now};
      return;
    case ProfileRecord::entry:
      return enter(note.pc(), note.rsp, now);
    case ProfileRecord::turn:
      return;
  }
}

void CallCosts::turn(i32 task, u64 instructions) {
  task_->ran = instructions + ran_before_turn_;
  task_ = &tasks_[task];
  ran_before_turn_ = task_->ran - instructions;
  task_->depths.resize(functions_.size());
}

/// The call has led to code that no watched function begins with.
void CallCosts::settle_call(u64 pc) {
  const Call call = std::exchange(task_->call, {});
  pop_below(call.rsp - kReturnAddressBytes, call.at);
  push(pc, call.site, call.rsp - kReturnAddressBytes, call.at);
}

void CallCosts::enter(u64 function, u64 rsp, u64 now) {
  pop_below(rsp, now);
  const Call call = std::exchange(task_->call, {});
  if (call.site != 0) return push(function, call.rsp - kReturnAddressBytes == rsp ? call.site : 0, rsp, now);
  // A loop back to where the function begins is no call.
  const Frame& top = task_->top();
  if (top.rsp != rsp || functions_[top.function].entry != function) push(function, 0, rsp, now);
}

/// What lies where the return address goes was left without a return.
void CallCosts::enter_straight(u64 site, u64 function, u64 rsp, u64 now) {
  pop_below(rsp, now);
  const Frame& top = task_->top();
  const bool is_made_again = top.rsp == rsp && top.entered_at == now;  // after a fault
  if (is_made_again) return;
  pop_below(rsp + 1, now);
  push(function, site, rsp, now);
}

const CallCosts::Memo& CallCosts::learn_call(Memo& memo, u32 caller, u64 site, u64 callee) {
  const u32 function = function_at(callee);
  task_->depths.resize(std::max(task_->depths.size(), functions_.size()));
  memo = {site, callee, caller, function, edge_of(caller, site, function)};
  return memo;
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
    if (function.instructions == 0) continue;
    taken.push_back(function);
    function.instructions = 0;
  }
  return taken;
}

CallCosts CallCosts::finished(u64 instructions) const {
  CallCosts copy = *this;
  for (auto& [id, task] : copy.tasks_) {
    const bool runs = &tasks_.at(id) == task_;
    const u64 now = runs ? instructions + ran_before_turn_ : task.ran;
    copy.task_ = &task;
    while (task.innermost != 0) copy.pop(now);
  }
  return copy;
}

}  // namespace orrery::lens::profile
