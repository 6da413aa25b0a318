#include "machine/task_stacks.h"

#include <new>

#include "base/check.h"
#include "machine/engine_memory.h"

extern "C" {
void orrery_switch_stack(orrery::u64* left, orrery::u64 entered);
void orrery_begin_stack();
}

namespace orrery::machine {

namespace {

/// What orrery_switch_stack pops, in its order.
struct Frame {
  u64 r15 = 0, r14 = 0, r13 = 0, r12 = 0, rbp = 0, rbx = 0, return_address = 0;
};

}  // namespace

/// A stack whose first entry runs the body. Memory comes when it is touched.
bool TaskStacks::give_stack(kernel::Task& task) {
  namespace layout = memory::layout;
  u64 start = 0;
  if (!free_.empty()) {
    start = free_.back();
    free_.pop_back();
  } else {
    start = layout::kTaskStacks.start + slots_used_ * (kStackBytes + kGuardBytes);
    if (start + kStackBytes + kGuardBytes > layout::kTaskStacks.end) return false;
    if (!map_task_stack(start + kGuardBytes, kStackBytes)) return false;
    ++slots_used_;
  }
  auto* const at = new (reinterpret_cast<void*>(start + kGuardBytes)) Anchor;
  Frame* const frame = reinterpret_cast<Frame*>(start + kGuardBytes + kStackBytes - 16) - 1;
  *frame = {.r12 = reinterpret_cast<u64>(body_.argument),
            .rbx = reinterpret_cast<u64>(body_.run),
            .return_address = reinterpret_cast<u64>(&orrery_begin_stack)};
  at->stack_pointer = reinterpret_cast<u64>(frame);
  task.stack = at;
  return true;
}

bool TaskStacks::create(kernel::Task& task, kernel::Task&) {
  if (!give_stack(task)) return false;
  cpu::save_vector_state(anchor(task).vectors, kernel_.vector_components());
  return true;
}

void TaskStacks::leave_home(kernel::Task& first) {
  CHECK(give_stack(first), "the first task's stack can be mapped");
  orrery_switch_stack(&home_, anchor(first).stack_pointer);
}

void TaskStacks::go_home() {
  u64 left = 0;
  orrery_switch_stack(&left, home_);
  __builtin_unreachable();
}

void TaskStacks::switch_to(kernel::Task& from, kernel::Task& to) {
  const u64 components = kernel_.vector_components();
  cpu::save_vector_state(anchor(from).vectors, components);
  cpu::restore_vector_state(anchor(to).vectors, components);
  orrery_switch_stack(&anchor(from).stack_pointer, anchor(to).stack_pointer);
}

std::span<const u8> TaskStacks::vector_state(const kernel::Task& task) const {
  return anchor(task).vectors.bytes;
}

void TaskStacks::destroy(kernel::Task& task) {
  free_.push_back(reinterpret_cast<u64>(task.stack) - kGuardBytes);
  task.stack = nullptr;
}

}  // namespace orrery::machine
