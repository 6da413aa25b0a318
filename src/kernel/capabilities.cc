#include "kernel/capabilities.h"

#include <asm/unistd.h>
#include <sys/prctl.h>

#include <array>

namespace orrery::kernel {
namespace {

struct CapabilityHeader {
  u32 version = 0x2008'0522;  // _LINUX_CAPABILITY_VERSION_3
  i32 pid = 0;
};
struct CapabilitySet {
  u32 effective = 0, permitted = 0, inheritable = 0;
};

i64 ask_capabilities(Process& process, u32 number, std::array<CapabilitySet, 2>& sets) {
  CapabilityHeader header;
  host::HostCall call;
  call.number = number;
  call.args = {reinterpret_cast<u64>(&header), reinterpret_cast<u64>(sets.data())};
  call.checked_args = 0;
  const host::InRange range{reinterpret_cast<u64>(sets.data()), sizeof sets};
  if (number == __NR_capset)
    call.in.add(range);
  else
    call.out.add({.address = range.address, .capacity_bytes = range.size_bytes});
  return process.host.call(call);
}

bool keeps_capability(Process& process, u32 capability) {
  host::HostCall call;
  call.number = __NR_prctl;
  call.args = {PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0};
  return process.host.call(call) == 1;
}

}  // namespace

/// cap_bprm_creds_from_file, for a file without capabilities that whoever is not root executes: only the
/// ambient ones are left. And the host must let the engine look at its own process again (begin_new_exec).
void drop_capabilities(Process& process) {
  const Credentials& who = process.credentials;
  if (who.uid == 0 || who.euid == 0) return;
  host::HostCall dumpable;
  dumpable.number = __NR_prctl;
  dumpable.args = {PR_SET_DUMPABLE, 1};
  process.host.call(dumpable);
  std::array<CapabilitySet, 2> sets{};
  if (ask_capabilities(process, __NR_capget, sets) < 0) return;
  if ((sets[0].permitted | sets[1].permitted) == 0) return;
  for (u32 capability = 0; capability < 64; ++capability) {
    CapabilitySet& set = sets[capability / 32];
    const u32 bit = u32{1} << capability % 32;
    if ((set.permitted & bit) != 0 && !keeps_capability(process, capability)) set.permitted &= ~bit;
    set.effective = set.permitted;
  }
  ask_capabilities(process, __NR_capset, sets);
}

}  // namespace orrery::kernel
