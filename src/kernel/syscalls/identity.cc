// Who the process is. Process and task ids are the machine's; user and group ids are the host's, kept in
// Credentials too because signals and /proc tell them.
#include <asm/unistd.h>

#include "kernel/companion.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

bool ask_three(Process& process, u32 number, u32 (&ids)[3]) {
  host::HostCall call;
  call.number = number;
  call.checked_args = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    call.args[i] = reinterpret_cast<u64>(&ids[i]);
    call.out.add({call.args[i], sizeof ids[i], host::Extent::whole_on_success, 1, 0});
  }
  return process.host.call(call) == 0;
}

void refresh_credentials(Process& process) {
  u32 users[3] = {}, groups[3] = {};
  if (!ask_three(process, __NR_getresuid, users) || !ask_three(process, __NR_getresgid, groups)) return;
  process.credentials = {users[0], users[1], users[2], groups[0], groups[1], groups[2]};
}

i64 change_credentials(Call& call) {
  const i64 result = forward(call);
  if (result == 0) refresh_credentials(call.process);
  return result;
}

/// A companion lives no longer than its lender, but another companion may have made it.
i64 parent_of_companion(Process& process) {
  const Process* const parent = find_process_here(process, process.parent.value);
  return parent != nullptr && !parent->exit ? parent->id.value : process.owner().parent.value;
}

}  // namespace

/// The host's value holds ADDR_NO_RANDOMIZE besides what the program set, which the engine needs.
i64 sys_personality(Call& call) {
  constexpr u32 kAsk = ~u32{0}, kNoRandomize = 0x0004'0000;
  const auto wanted = static_cast<u32>(call.args[0]);
  const u32 before = call.process.personality;
  if (wanted == kAsk) return before;
  CallBuilder builder(call, __NR_personality);
  builder.value(0, wanted | kNoRandomize);
  if (const i64 result = builder.perform(); result < 0) return result;
  call.process.personality = wanted;
  return before;
}

i64 sys_getpid(Call& call) { return call.process.id.value; }

/// Who was orphaned has a new parent, which is the host's to say. Where the recorder takes init's place, the
/// program sees init.
i64 sys_getppid(Call& call) {
  constexpr i64 kInit = 1;
  const Configuration& machine = call.process.configuration;
  if (call.process.lender != nullptr) return parent_of_companion(call.process);
  if (call.process.id.value == machine.pid) return call.process.parent.value;
  CallBuilder builder(call, __NR_getppid);
  const i64 parent = builder.perform();
  return parent == machine.parent_pid ? kInit : parent;
}

i64 sys_setuid(Call& call) { return change_credentials(call); }
i64 sys_setgid(Call& call) { return change_credentials(call); }
i64 sys_setreuid(Call& call) { return change_credentials(call); }
i64 sys_setregid(Call& call) { return change_credentials(call); }
i64 sys_setresuid(Call& call) { return change_credentials(call); }
i64 sys_setresgid(Call& call) { return change_credentials(call); }

i64 sys_setpgid(Call& call) {
  const i64 result = forward(call);
  const auto pid = static_cast<i32>(call.args[0]), group = static_cast<i32>(call.args[1]);
  const bool own = pid == 0 || pid == call.process.id.value;
  if (result == 0 && own) call.process.group = group == 0 ? call.process.id : ProcessId(group);
  return result;
}

i64 sys_setsid(Call& call) {
  const i64 result = forward(call);
  if (result >= 0) call.process.session = call.process.group = call.process.id;
  return result;
}

}  // namespace orrery::kernel
