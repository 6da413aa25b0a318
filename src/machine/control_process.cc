#include "machine/control_process.h"

#include <algorithm>
#include <cstring>

#include "kernel/process.h"

namespace orrery::machine {
namespace {

static_assert(kControlLimits == kernel::kResourceLimitCount);
static_assert(kControlSignals == kernel::kSignalCount);

}  // namespace

u32 write_process(const kernel::Process& process, std::span<u8> out) {
  ControlProcess block;
  block.pid = process.id.value;
  block.parent = process.parent.value;
  block.group = process.group.value;
  block.session = process.session.value;
  const kernel::Credentials& who = process.credentials;
  block.uid = who.uid, block.euid = who.euid, block.suid = who.suid;
  block.gid = who.gid, block.egid = who.egid, block.sgid = who.sgid;
  block.umask = process.umask;
  block.personality = process.personality;
  block.dumpable = process.dumpable ? 1 : 0;
  block.no_new_privileges = process.no_new_privileges ? 1 : 0;
  block.seccomp_mode = static_cast<u32>(process.seccomp.mode);
  block.seccomp_filters = static_cast<u32>(process.seccomp.filters.size());
  block.tasks = static_cast<u32>(process.tasks.size());
  block.timers = static_cast<u32>(process.posix_timers.size());
  block.pending = process.pending.set();
  for (std::size_t i = 0; i < kControlLimits; ++i) {
    block.limits[i][0] = process.limits[i].soft;
    block.limits[i][1] = process.limits[i].hard;
  }
  for (std::size_t i = 0; i < kControlSignals; ++i)
    block.actions[i] = {process.actions[i].handler, process.actions[i].flags, process.actions[i].mask};
  const std::size_t room = out.size() - sizeof block;
  block.directory_bytes = static_cast<u32>(std::min(process.cwd.size(), room));
  block.program_bytes = static_cast<u32>(std::min(process.exe.size(), room - block.directory_bytes));
  std::memcpy(out.data(), &block, sizeof block);
  std::memcpy(out.data() + sizeof block, process.cwd.data(), block.directory_bytes);
  std::memcpy(out.data() + sizeof block + block.directory_bytes, process.exe.data(), block.program_bytes);
  return static_cast<u32>(sizeof block) + block.directory_bytes + block.program_bytes;
}

}  // namespace orrery::machine
