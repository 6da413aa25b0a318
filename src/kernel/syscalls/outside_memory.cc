// The calls that bring descriptors of others, or make memory of the machine's own; see outside_memory.h.
#include "kernel/syscalls/outside_memory.h"

#include <asm/unistd.h>

#include <algorithm>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/message_header.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

u64 object_of(const OpenFileStatus& status) { return memory::file_object(status.mapped_file({})); }

void note_received(Call& call, u64 header_address) {
  MessageHeader header;
  if (!call.space().read_value(header_address, header)) return;
  visit_rights(call.space(), header.control, header.control_bytes, [&](int fd) {
    call.process.fds->set_origin(fd, Origin::others);
    return true;
  });
}

/// Before anybody can have them.
void note_sent(Call& call, u64 header_address) {
  MessageHeader header;
  if (!call.space().read_value(header_address, header)) return;
  visit_rights(call.space(), header.control, header.control_bytes, [&](int fd) {
    if (call.process.fds->origin(fd) == Origin::machine) call.host().vouch_for(fd);
    return true;
  });
}

}  // namespace

bool is_sealed(Call& call, int fd) {
  constexpr u64 kGetSeals = 1034, kSealWrite = 8;
  host::HostCall ask;
  ask.number = __NR_fcntl;
  ask.args = {static_cast<u64>(fd), kGetSeals};
  const i64 seals = call_uninterrupted(call.process, ask);
  return seals > 0 && (static_cast<u64>(seals) & kSealWrite) != 0;
}

bool is_written_outside(Call& call, int fd, const OpenFileStatus& status, bool writable) {
  const Origin origin = call.process.fds->origin(fd);
  if (origin == Origin::machine) return false;
  if (origin == Origin::inherited && (!writable || status.links != 0)) return false;
  const auto& own = call.process.own_memory_files;
  if (std::find(own.begin(), own.end(), object_of(status)) != own.end()) return false;
  return !is_sealed(call, fd) && !call.host().is_machines_file(fd);
}

i64 sys_recvmsg(Call& call) {
  const i64 result = forward(call);
  if (result >= 0) note_received(call, call.args[1]);
  return result;
}

i64 sys_recvmmsg(Call& call) {
  const i64 result = forward(call);
  for (i64 i = 0; i < result; ++i)
    note_received(call, call.args[1] + static_cast<u64>(i) * kMessageItemBytes);
  return result;
}

i64 sys_sendmsg(Call& call) {
  note_sent(call, call.args[1]);
  return forward(call);
}

i64 sys_sendmmsg(Call& call) {
  constexpr u64 kItemsMost = 1024;  // UIO_MAXIOV
  for (u64 i = 0; i < std::min(call.args[2] & ~u32{0}, kItemsMost); ++i)
    note_sent(call, call.args[1] + i * kMessageItemBytes);
  return forward(call);
}

i64 sys_memfd_create(Call& call) {
  const i64 fd = forward(call);
  OpenFileStatus status{};
  if (fd >= 0 && open_file_status(call, static_cast<int>(fd), status) == 0) {
    call.process.own_memory_files.push_back(object_of(status));
    call.host().vouch_for(static_cast<int>(fd));
  }
  return fd;
}

}  // namespace orrery::kernel
