// What the guest kernel needs of the machine to run more than one task: an engine stack for each, so that
// a system call that has to wait can simply stay where it is.
#pragma once

#include <span>

#include "kernel/task.h"

namespace orrery::kernel {

class TaskSwitch {
 public:
  /// Gives `task` a stack and the vector state of its maker. The first switch to it begins with guest code.
  /// False: no room.
  virtual bool create(Task& task, Task& maker) = 0;
  /// Leaves `from` where it stands and goes on with `to` where that was left; returns when somebody switches
  /// to `from` again.
  virtual void switch_to(Task& from, Task& to) = 0;
  /// Takes the stack of a task that has ended and is not current.
  virtual void destroy(Task& task) = 0;
  /// The vector state of a task that is not current, as an XSAVE area in standard form.
  virtual std::span<const u8> vector_state(const Task& task) const = 0;

 protected:
  ~TaskSwitch() = default;
};

}  // namespace orrery::kernel
