// New processes. A guest process is a process of the host with the engine in it, so a fork is a fork of the
// host: the whole guest kernel comes along, and in the child it gives up what belonged to the parent alone.
// What processes are to each other (ids, groups, sessions, waiting, signals) the host's kernel knows, and is
// asked.
#pragma once

#include "kernel/process.h"

namespace orrery::kernel {

struct ForkWish {
  u64 host_flags = 0;          ///< as host::ForkRequest::flags
  bool shares_memory = false;  ///< CLONE_VM, until the child executes a program or ends
  bool waits = false;          ///< CLONE_VFORK
  bool clears_handlers = false;
  u64 stack = 0;  ///< the child's rsp; 0: where the parent's is
  bool sets_tls = false;
  u64 tls = 0;
};

struct Forked {
  i64 result = 0;  ///< the child's pid or -errno; 0 in the child
  i32 pidfd = -1;
};

/// Makes a child of `maker`'s process, which goes on as `maker` with 0 as the result of its call.
Forked fork_process(Task& maker, const ForkWish& wish);

/// Before a child that borrows its parent's memory becomes another program or ends.
void give_memory_back(Process& process);

}  // namespace orrery::kernel
