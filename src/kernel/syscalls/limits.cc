// Resource limits. They are the process's own; those whose effect the host brings about (CPU time, file
// size, locks, ...) are set there too. Those that would bind the engine's memory and descriptors as well
// are kept here alone: the address-space manager and the descriptor table look at them.
#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel/fd_table.h"
#include "kernel/memory_limits.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

enum Resource : u32 {
  kCpu,
  kFileSize,
  kData,
  kStack,
  kCore,
  kResident,
  kProcesses,
  kOpenFiles,
  kLocked,
  kSpace
};

constexpr bool kept_here(u32 resource) {
  return resource == kData || resource == kStack || resource == kResident || resource == kOpenFiles ||
         resource == kLocked || resource == kSpace || resource == kCore;
}

i64 set_on_host(Call& call, u32 resource, const ResourceLimit& limit) {
  host::HostCall set;
  set.number = __NR_prlimit64;
  set.args = {0, resource, reinterpret_cast<u64>(&limit), 0};
  set.checked_args = 0b0011;
  set.in.add({reinterpret_cast<u64>(&limit), sizeof limit});
  return call.host().call(set);
}

/// do_prlimit's checks: raising a hard limit needs CAP_SYS_RESOURCE, which root has.
i64 check(Call& call, u32 resource, const ResourceLimit& wanted) {
  if (wanted.soft > wanted.hard) return -EINVAL;
  const ResourceLimit& now = call.process.limits[resource];
  if (wanted.hard > now.hard && call.process.credentials.euid != 0) return -EPERM;
  return 0;
}

/// The host's limit is kept high enough for the engine's descriptors, and follows the guest's upwards.
i64 raise_open_files(Call& call, const ResourceLimit& wanted) {
  ResourceLimit& hosts = call.process.host_open_files;
  const ResourceLimit raised{std::max(hosts.soft, wanted.soft), std::max(hosts.hard, wanted.hard)};
  if (raised.soft == hosts.soft && raised.hard == hosts.hard) return 0;
  if (const i64 error = set_on_host(call, kOpenFiles, raised); error != 0) return error;
  hosts = raised;
  return 0;
}

i64 set_limit(Call& call, u32 resource, const ResourceLimit& wanted) {
  if (const i64 error = check(call, resource, wanted); error != 0) return error;
  if (!kept_here(resource))
    if (const i64 error = set_on_host(call, resource, wanted); error != 0) return error;
  if (resource == kOpenFiles)
    if (const i64 error = raise_open_files(call, wanted); error != 0) return error;
  call.process.limits[resource] = wanted;
  apply_memory_limits(call.process);
  return 0;
}

/// prlimit(2) of the process itself. A failing write of the old limit comes after the change, as in the
/// kernel.
i64 change(Call& call, u64 resource_argument, u64 new_address, u64 old_address) {
  const auto resource = static_cast<u32>(resource_argument);
  ResourceLimit wanted;
  if (new_address != 0 && !call.space().read_value(new_address, wanted)) return -EFAULT;
  if (resource >= kResourceLimitCount) return -EINVAL;
  const ResourceLimit old = call.process.limits[resource];
  if (new_address != 0)
    if (const i64 error = set_limit(call, resource, wanted); error != 0) return error;
  return old_address == 0 || call.space().write_value(old_address, old) ? 0 : -EFAULT;
}

}  // namespace

i64 sys_getrlimit(Call& call) {
  if (static_cast<u32>(call.args[0]) >= kResourceLimitCount) return -EINVAL;
  const ResourceLimit& limit = call.process.limits[static_cast<u32>(call.args[0])];
  return call.space().write_value(call.args[1], limit) ? 0 : -EFAULT;
}

i64 sys_setrlimit(Call& call) {
  ResourceLimit wanted;
  if (!call.space().read_value(call.args[1], wanted)) return -EFAULT;
  return change(call, call.args[0], call.args[1], 0);
}

i64 sys_prlimit64(Call& call) {
  const auto pid = static_cast<i32>(call.args[0]);
  if (pid != 0 && pid != call.process.id.value) return -ESRCH;  // the machine has no other process
  return change(call, call.args[1], call.args[2], call.args[3]);
}

}  // namespace orrery::kernel
