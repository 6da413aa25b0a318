// prctl and arch_prctl. What concerns the machine's own task is kept there; what the host keeps for the
// process (death signal, timer slack, capabilities) is asked of it; what the machine cannot give is EINVAL,
// as in a kernel built without it.
#include <asm/unistd.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kTaskSizeMax = 0x7fff'ffff'f000;  // TASK_SIZE_MAX

// <asm/prctl.h> of newer kernels.
enum ArchCode : u64 {
  kSetGs = 0x1001,
  kSetFs = 0x1002,
  kGetFs = 0x1003,
  kGetGs = 0x1004,
  kGetCpuid = 0x1011,
  kSetCpuid = 0x1012,
  kGetSupportedState = 0x1021,
  kGetPermittedState = 0x1022,
};

i64 set_name(Call& call) {
  // strncpy_from_user of 15 characters: a longer name is cut.
  std::array<char, 16> comm{};
  for (std::size_t i = 0; i + 1 < comm.size(); ++i) {
    if (!call.space().read_value(call.args[1] + i, comm[i])) return -EFAULT;
    if (comm[i] == '\0') break;
  }
  set_command_name(call.task, comm);
  return 0;
}

template <class T>
i64 give(Call& call, const T& value) {
  return call.space().write_value(call.args[1], value) ? 0 : -EFAULT;
}

bool rest_is_zero(const Call& call, std::size_t from) {
  for (std::size_t i = from; i < 5; ++i)
    if (call.args[i] != 0) return false;
  return true;
}

i64 ask_scalar(Call& call) {
  CallBuilder builder(call, __NR_prctl);
  for (int i = 0; i < 5; ++i) builder.value(i, call.args[static_cast<std::size_t>(i)]);
  return builder.perform();
}

i64 ask_int(Call& call) {
  CallBuilder builder(call, __NR_prctl);
  builder.value(0, call.args[0]);
  builder.out(1, call.args[1], sizeof(i32), host::Extent::whole_on_success);
  return builder.perform();
}

i64 set_companions_death_signal(Call& call) {
  if (call.args[1] > kSignalCount) return -EINVAL;
  call.process.death_signal = static_cast<int>(call.args[1]);
  return 0;
}

i64 set_dumpable(Call& call) {
  if (call.args[1] > 1) return -EINVAL;
  call.process.dumpable = call.args[1] == 1;
  return 0;
}

i64 set_no_new_privileges(Call& call) {
  if (call.args[1] != 1 || !rest_is_zero(call, 2)) return -EINVAL;
  call.process.no_new_privileges = true;
  return 0;
}

}  // namespace

i64 sys_prctl(Call& call) {
  switch (static_cast<int>(call.args[0])) {
    case PR_SET_NAME:
      return set_name(call);
    case PR_GET_NAME:
      return give(call, call.task.comm);
    case PR_GET_DUMPABLE:
      return call.process.dumpable ? 1 : 0;
    case PR_SET_DUMPABLE:
      return set_dumpable(call);
    case PR_SET_NO_NEW_PRIVS:
      return set_no_new_privileges(call);
    case PR_GET_NO_NEW_PRIVS:
      return !rest_is_zero(call, 1) ? -EINVAL : call.process.no_new_privileges ? 1 : 0;
    case PR_GET_TID_ADDRESS:
      return give(call, call.task.clear_child_tid);
    case PR_GET_TIMING:
      return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
      return call.args[1] == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_GET_TSC:
      return give(call, i32{PR_TSC_ENABLE});
    case PR_SET_TSC:
      return call.args[1] == PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_GET_SECCOMP:
      return static_cast<i64>(call.process.seccomp.mode);
    case PR_SET_SECCOMP:
      return set_seccomp_by_prctl(call);
    case PR_SET_MM:
      return -EPERM;
    case PR_GET_PDEATHSIG:
      return call.process.lender != nullptr ? give(call, i32{call.process.death_signal}) : ask_int(call);
    case PR_GET_CHILD_SUBREAPER:
      return ask_int(call);
    case PR_SET_PDEATHSIG:
      return call.process.lender != nullptr ? set_companions_death_signal(call) : ask_scalar(call);
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_CAP_AMBIENT:
    case PR_GET_TIMERSLACK:
    case PR_SET_TIMERSLACK:
    case PR_MCE_KILL:
    case PR_MCE_KILL_GET:
    case PR_GET_THP_DISABLE:
    case PR_SET_THP_DISABLE:
    case PR_GET_IO_FLUSHER:
    case PR_SET_IO_FLUSHER:
      return ask_scalar(call);
    default:
      return -EINVAL;
  }
}

i64 sys_arch_prctl(Call& call) {
  cpu::Registers& regs = call.task.cpu.regs;
  switch (call.args[0]) {
    case kSetFs:
    case kSetGs:
      if (call.args[1] >= kTaskSizeMax) return -EPERM;
      (call.args[0] == kSetFs ? regs.fs_base : regs.gs_base) = call.args[1];
      return 0;
    case kGetFs:
      return give(call, regs.fs_base);
    case kGetGs:
      return give(call, regs.gs_base);
    case kGetCpuid:
      return 1;
    case kSetCpuid:
      return call.args[1] != 0 ? 0 : -ENODEV;
    case kGetSupportedState:
    case kGetPermittedState:
      return give(call, call.process.configuration.xcr0);
    default:
      return -EINVAL;
  }
}

}  // namespace orrery::kernel
