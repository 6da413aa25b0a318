#include "kernel/memory_limits.h"

#include <asm/resource.h>

namespace orrery::kernel {

void apply_memory_limits(Process& process) {
  const auto soft = [&](std::size_t resource) { return process.limits[resource].soft; };
  const bool may_lock_all = process.credentials.euid == 0;  // CAP_IPC_LOCK
  process.space().set_limits({.address_space_bytes = soft(RLIMIT_AS),
                              .data_bytes = soft(RLIMIT_DATA),
                              .stack_bytes = soft(RLIMIT_STACK),
                              .locked_bytes = may_lock_all ? ~u64{0} : soft(RLIMIT_MEMLOCK)});
}

}  // namespace orrery::kernel
