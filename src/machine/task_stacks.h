// One engine stack for each guest task, so that a task which waits in a system call stays there while others
// run. With the stack goes what the processor holds of a task while the engine runs: its vector state and
// its segment bases. The stack that the engine began on is home: the machine starts from it and ends on it.
#pragma once

#include <vector>

#include "base/types.h"
#include "cpu/vector_state.h"
#include "kernel/kernel.h"
#include "kernel/task_switch.h"
#include "memory/layout.h"

namespace orrery::machine {

class TaskStacks final : public kernel::TaskSwitch {
 public:
  /// What a fresh stack does; it ends with go_home().
  struct Body {
    void (*run)(void* argument) = nullptr;
    void* argument = nullptr;
  };
  TaskStacks(kernel::Kernel& kernel, const Body& body) : kernel_(kernel), body_(body) {}

  /// From home: runs `first` on a stack of its own; returns after go_home().
  void leave_home(kernel::Task& first);
  /// From any task's stack: the machine has ended.
  [[noreturn]] void go_home();

  // --- kernel::TaskSwitch ---
  bool create(kernel::Task& task, kernel::Task& maker) override;
  void switch_to(kernel::Task& from, kernel::Task& to) override;
  void destroy(kernel::Task& task) override;
  std::span<const u8> vector_state(const kernel::Task& task) const override;

 private:
  /// At the lowest address of a task's stack.
  struct Anchor {
    cpu::VectorImage vectors;
    u64 stack_pointer = 0;  ///< while the task is not current
  };
  static constexpr u64 kStackBytes = 256 * 1024;
  static constexpr u64 kGuardBytes = 64 * 1024;

  static Anchor& anchor(const kernel::Task& task) { return *static_cast<Anchor*>(task.stack); }
  bool give_stack(kernel::Task& task);

  kernel::Kernel& kernel_;
  Body body_;
  u64 home_ = 0;
  u64 slots_used_ = 0;
  std::vector<u64> free_;  ///< addresses of stacks that ended tasks left
};

}  // namespace orrery::machine
