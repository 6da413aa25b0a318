// System V message queues, whose message is a type word followed by its bytes, and the commands of msgctl
// and keyctl, whose arguments depend on the command.
#include <asm/unistd.h>
#include <linux/ipc.h>
#include <linux/keyctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kTypeBytes = 8;           // struct msgbuf's mtype
constexpr u64 kQueueStateBytes = 120;   // struct msqid64_ds
constexpr u64 kSetStateBytes = 104;     // struct semid64_ds
constexpr std::size_t kSetSizeAt = 80;  // its sem_nsems
constexpr u64 kMessageBytesMost = 1 << 24;

// linux/sem.h, which cannot be included beside linux/ipc.h's users.
enum SemaphoreCommand : u32 {
  kGetPid = 11,
  kGetValue = 12,
  kGetAll = 13,
  kGetWaiting = 14,
  kGetZero = 15,
  kSetValue = 16,
  kSetAll = 17
};
constexpr u32 kNewStructures = 0x100;  // IPC_64, which x86-64 ignores

/// How many semaphores a set has; 0 if it cannot be asked.
u64 semaphore_count(Call& call) {
  std::array<u8, kSetStateBytes> state{};
  CallBuilder builder(call, __NR_semctl);
  builder.value(0, call.args[0]);
  builder.value(1, 0);
  builder.value(2, IPC_STAT);
  builder.engine_out(3, state.data(), state.size());
  if (builder.perform() < 0) return 0;
  u64 count = 0;
  std::memcpy(&count, state.data() + kSetSizeAt, sizeof count);
  return count;
}

}  // namespace

i64 sys_semctl(Call& call) {
  const u32 command = static_cast<u32>(call.args[2]) & ~kNewStructures;
  const u64 values_bytes = command == kGetAll || command == kSetAll ? semaphore_count(call) * sizeof(u16) : 0;
  CallBuilder builder(call, __NR_semctl);
  for (int i = 0; i < 3; ++i) builder.value(i, call.args[static_cast<std::size_t>(i)]);
  const u64 argument = call.args[3];
  switch (command) {
    case IPC_STAT:
      builder.out(3, argument, kSetStateBytes, host::Extent::whole_on_success);
      break;
    case IPC_SET:
      builder.in(3, argument, kSetStateBytes);
      break;
    case kGetAll:
      builder.out(3, argument, values_bytes, host::Extent::whole_on_success);
      break;
    case kSetAll:
      builder.in(3, argument, values_bytes);
      break;
    case kSetValue:
    case IPC_RMID:
    case kGetPid:
    case kGetValue:
    case kGetWaiting:
    case kGetZero:
      builder.value(3, argument);
      break;
    default:
      return -EINVAL;
  }
  return builder.perform();
}

i64 sys_msgsnd(Call& call) {
  CallBuilder builder(call, __NR_msgsnd);
  builder.value(0, call.args[0]);
  builder.in(1, call.args[1], kTypeBytes + std::min(call.args[2], kMessageBytesMost));
  builder.value(2, call.args[2]);
  builder.value(3, call.args[3]);
  return builder.perform();
}

i64 sys_msgrcv(Call& call) {
  CallBuilder builder(call, __NR_msgrcv);
  builder.value(0, call.args[0]);
  // The result counts the bytes after the type; written in full either way.
  builder.out(1, call.args[1], kTypeBytes + std::min(call.args[2], kMessageBytesMost), host::Extent::always);
  for (int i = 2; i < 5; ++i) builder.value(i, call.args[static_cast<std::size_t>(i)]);
  return builder.perform();
}

i64 sys_msgctl(Call& call) {
  CallBuilder builder(call, __NR_msgctl);
  builder.value(0, call.args[0]);
  builder.value(1, call.args[1]);
  const auto command = static_cast<i32>(call.args[1]);
  if (command == IPC_STAT)
    builder.out(2, call.args[2], kQueueStateBytes, host::Extent::whole_on_success);
  else if (command == IPC_SET)
    builder.in(2, call.args[2], kQueueStateBytes);
  else if (command != IPC_RMID)
    return -EINVAL;
  return builder.perform();
}

i64 sys_keyctl(Call& call) {
  switch (static_cast<u32>(call.args[0])) {
    case KEYCTL_GET_KEYRING_ID:
    case KEYCTL_REVOKE:
    case KEYCTL_CHOWN:
    case KEYCTL_SETPERM:
    case KEYCTL_CLEAR:
    case KEYCTL_LINK:
    case KEYCTL_UNLINK:
    case KEYCTL_SET_REQKEY_KEYRING:
    case KEYCTL_SET_TIMEOUT:
    case KEYCTL_INVALIDATE:
      break;
    default:
      return -EOPNOTSUPP;
  }
  CallBuilder builder(call, __NR_keyctl);
  for (int i = 0; i < 5; ++i) builder.value(i, call.args[static_cast<std::size_t>(i)]);
  return builder.perform();
}

}  // namespace orrery::kernel
