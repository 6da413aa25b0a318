// One system call on its way through the guest kernel: what a handler gets, and what a handler is. The
// list of all handlers is kernel/syscalls/handlers.h; dispatch.cc calls them.
#pragma once

#include <array>

#include "base/types.h"
#include "host/host.h"
#include "kernel/process.h"
#include "kernel/task.h"
#include "linux/syscall_row.h"
#include "memory/address_space.h"

namespace orrery::kernel {

struct Call {
  Process& process;
  Task& task;
  const abi::SyscallRow& row;
  std::array<u64, 6> args;

  memory::AddressSpace& space() { return process.space(); }
  host::Host& host() { return process.host; }
  int fd(int index) const { return static_cast<int>(args[static_cast<std::size_t>(index)]); }
};

/// Performs the call. Returns what the kernel would: >= 0, -errno, or one of the internal restart codes
/// (kernel/restart.h), which Kernel::prepare_to_run resolves.
using Handler = i64 (*)(Call&);

}  // namespace orrery::kernel
