// More than one task. This machine runs programs of one task; a program that asks for another is told so
// as by a kernel without the call, once.
#include <asm/unistd.h>

#include <cerrno>

#include "base/text.h"
#include "kernel/dispatch.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kCloneFiles = 0x400, kCloneFs = 0x200, kCloneVm = 0x100, kCloneSignalHandlers = 0x800;
constexpr u64 kCloneThread = 0x10000, kCloneSemaphoreUndo = 0x40000;
constexpr u64 kCloneNewTime = 0x80;
constexpr u64 kCloneNamespaces =
    0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000 | kCloneNewTime;

i64 one_task_only(Call& call) {
  // libc tries clone3 and then clone: one line for all of them.
  if (first_report(call.process, __NR_clone)) {
    Text text;
    text.add(call.row.name)
        .add(" asks for another process or thread, and this machine runs one task: ENOSYS");
    call.process.say(text.view());
  }
  return -ENOSYS;
}

}  // namespace

i64 sys_clone(Call& call) { return one_task_only(call); }
i64 sys_clone3(Call& call) { return one_task_only(call); }
i64 sys_fork(Call& call) { return one_task_only(call); }
i64 sys_vfork(Call& call) { return one_task_only(call); }

/// One task shares nothing, so there is nothing to take apart; new namespaces would move the engine too.
i64 sys_unshare(Call& call) {
  const u64 flags = call.args[0];
  constexpr u64 kHarmless =
      kCloneFiles | kCloneFs | kCloneVm | kCloneSignalHandlers | kCloneThread | kCloneSemaphoreUndo;
  if ((flags & ~(kHarmless | kCloneNamespaces)) != 0) return -EINVAL;
  return (flags & kCloneNamespaces) != 0 ? -EPERM : 0;
}

}  // namespace orrery::kernel
