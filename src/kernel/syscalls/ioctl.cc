// ioctl, by the table of requests (linux/ioctl_table.cc). A request in no table whose number does not tell
// what it takes is ENOTTY and one loud line: its effects on memory would be missing from the recording.
#include <asm/unistd.h>

#include <cerrno>

#include "base/text.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"
#include "linux/ioctl_table.h"

namespace orrery::kernel {
namespace {

constexpr u32 kCloneFile = 0x4004'9409;  // FICLONE, whose value is a descriptor

/// EBADF comes first, as natively; the host is asked with a request that changes nothing.
i64 unknown(Call& call, u32 request) {
  CallBuilder builder(call, __NR_fcntl);
  builder.fd(0, call.args[0]);
  builder.value(1, 3);  // F_GETFL
  if (const i64 flags = builder.perform(); flags < 0) return flags;
  Text text;
  text.add("ioctl request 0x").hex(request).add(" is unknown: the program gets ENOTTY");
  call.process.say(text.view());
  return -ENOTTY;
}

i64 perform(Call& call, const abi::IoctlRow& row) {
  CallBuilder builder(call, __NR_ioctl);
  builder.fd(0, call.args[0]);
  builder.value(1, call.args[1]);
  const u64 argument = call.args[2];
  switch (row.direction) {
    case abi::Direction::in:
      builder.in(2, argument, row.size_bytes);
      break;
    case abi::Direction::out:
      builder.out(2, argument, row.size_bytes, host::Extent::whole_on_success);
      break;
    case abi::Direction::in_out:
      builder.in_out(2, argument, row.size_bytes);
      break;
    case abi::Direction::none:
      if (row.request == kCloneFile)
        builder.fd(2, argument);
      else
        builder.value(2, argument);
  }
  const i64 result = builder.perform();
  return row.returns_fd && result >= 0 ? admit_descriptor(call, result) : result;
}

}  // namespace

i64 sys_ioctl(Call& call) {
  const auto request = static_cast<u32>(call.args[1]);
  if (const abi::IoctlRow* row = abi::find_ioctl(request)) return perform(call, *row);
  if (const auto row = abi::decode_ioctl(request)) return perform(call, *row);
  return unknown(call, request);
}

}  // namespace orrery::kernel
