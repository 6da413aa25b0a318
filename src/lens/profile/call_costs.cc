#include "lens/profile/call_costs.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::profile {

using translate::ProfileNote;
using translate::ProfileRecord;

namespace {

constexpr u64 kReturnAddressBytes = 8;

}  // namespace

void CallCosts::read(std::span<const ProfileNote> notes) {
  for (std::size_t at = 0; at < notes.size(); ++at) {
    at += read_known(notes.subspan(at));
    if (at < notes.size()) read_other(notes[at], notes[at].instructions() + ran_before_turn_);
  }
}

/// Nearly all notes are known calls and returns to their callers. Returns how many of those come first; what
/// they need is held in registers meanwhile.
std::size_t CallCosts::read_known(std::span<const ProfileNote> notes) {
  Task& task = *task_;
  if (task.call.site != 0) return 0;
  Frame* const outermost = task.frames.data();
  Frame* const last = outermost + task.room - 1;
  Frame* top = outermost + task.innermost;
  u32* const depths = task.depths.data();
  CallEdge* const edges = edges_.data();
  CalledFunction* const functions = functions_.data();
  const Memo* const memos = memos_.data();
  const u64 before = ran_before_turn_;
  std::size_t done = 0;
  for (const ProfileNote& note : notes) {
    const u64 now = note.instructions() + before;
    if (note.record() == ProfileRecord::enter) {
      const u64 rsp = note.rsp - kReturnAddressBytes, site = note.pc();
      const Memo& memo = memos[place_of_memo(top->function, site, note.callee)];
      const bool is_known = top->rsp > rsp && top != last && memo.is(top->function, site, note.callee);
      if (!is_known) [[unlikely]]
        break;
      ++edges[memo.edge].calls;
      ++depths[memo.function];
      *++top = {rsp, now, memo.function, memo.edge};
    } else {
      const bool is_known = note.record() == ProfileRecord::ret && top->rsp == note.rsp && top != outermost &&
                            top[-1].rsp > note.rsp;
      if (!is_known) [[unlikely]]
        break;
      const u64 cost = now - top->entered_at;
      edges[top->edge].instructions += cost;
      if (--depths[top->function] == 0) functions[top->function].instructions += cost;
      --top;
    }
    ++done;
  }
  task.innermost = static_cast<std::size_t>(top - outermost);
  return done;
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

const CallCosts::Memo& CallCosts::find_call(u32 caller, u64 site, u64 callee) {
  Memo& memo = memos_[place_of_memo(caller, site, callee)];
  if (memo.is(caller, site, callee)) return memo;
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
