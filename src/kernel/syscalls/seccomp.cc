// seccomp(2) and prctl(PR_SET_SECCOMP): filters are checked and kept; they are asked at every later call
// (kernel/seccomp.h). Listeners (SECCOMP_FILTER_FLAG_NEW_LISTENER) need another process and are refused.
#include "kernel/seccomp.h"

#include <linux/seccomp.h>

#include <cerrno>
#include <span>

#include "kernel/process.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kInstructionsMost = 32768;  // MAX_INSNS_PER_PATH
constexpr u64 kPenalty = 4;               // each filter counts for some more
constexpr u64 kFlagsKnown = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
                            SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;

/// struct sock_fprog.
struct FilterProgram {
  u16 count = 0;
  u64 instructions = 0;
};
static_assert(sizeof(FilterProgram) == 16);

bool may_assign(const Seccomp& seccomp, SeccompMode mode) {
  return seccomp.mode == SeccompMode::disabled || seccomp.mode == mode;
}

i64 set_strict(Call& call) {
  Seccomp& seccomp = call.process.seccomp;
  if (!may_assign(seccomp, SeccompMode::strict)) return -EINVAL;
  seccomp.mode = SeccompMode::strict;
  return 0;
}

u64 total_instructions(const Seccomp& seccomp) {
  u64 total = 0;
  for (const auto& filter : seccomp.filters) total += filter.size() + kPenalty;
  return total;
}

/// seccomp_set_mode_filter.
i64 set_filter(Call& call, u64 flags, u64 address) {
  if ((flags & ~kFlagsKnown) != 0) return -EINVAL;
  FilterProgram program;
  if (!call.space().read_value(address, program)) return -EFAULT;
  if (program.count == 0 || program.count > kFilterInstructionsMost) return -EINVAL;
  if (!call.process.no_new_privileges && call.process.credentials.euid != 0) return -EACCES;
  std::vector<FilterInstruction> filter(program.count);
  const std::span<u8> bytes(reinterpret_cast<u8*>(filter.data()), filter.size() * sizeof filter[0]);
  if (!call.space().read(program.instructions, bytes)) return -EFAULT;
  if (!is_valid_filter(filter)) return -EINVAL;
  Seccomp& seccomp = call.process.seccomp;
  if (!may_assign(seccomp, SeccompMode::filter)) return -EINVAL;
  if (total_instructions(seccomp) + filter.size() > kInstructionsMost) return -ENOMEM;
  seccomp.filters.push_back(std::move(filter));
  seccomp.mode = SeccompMode::filter;
  return 0;
}

i64 is_action_available(Call& call) {
  u32 action = 0;
  if (!call.space().read_value(call.args[2], action)) return -EFAULT;
  switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
      return 0;
    default:
      return -EOPNOTSUPP;
  }
}

}  // namespace

i64 sys_seccomp(Call& call) {
  const auto flags = static_cast<u32>(call.args[1]);
  switch (static_cast<u32>(call.args[0])) {
    case SECCOMP_SET_MODE_STRICT:
      return flags != 0 || call.args[2] != 0 ? -EINVAL : set_strict(call);
    case SECCOMP_SET_MODE_FILTER:
      return set_filter(call, flags, call.args[2]);
    case SECCOMP_GET_ACTION_AVAIL:
      return flags != 0 ? -EINVAL : is_action_available(call);
    case SECCOMP_GET_NOTIF_SIZES: {
      const seccomp_notif_sizes sizes{sizeof(seccomp_notif), sizeof(seccomp_notif_resp),
                                      sizeof(seccomp_data)};
      if (flags != 0) return -EINVAL;
      return call.space().write_value(call.args[2], sizes) ? 0 : -EFAULT;
    }
    default:
      return -EINVAL;
  }
}

i64 set_seccomp_by_prctl(Call& call) {
  switch (call.args[1]) {
    case SECCOMP_MODE_STRICT:
      return set_strict(call);
    case SECCOMP_MODE_FILTER:
      return set_filter(call, 0, call.args[2]);
    default:
      return -EINVAL;
  }
}

}  // namespace orrery::kernel
