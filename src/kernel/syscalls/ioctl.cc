// ioctl, by the table of requests (linux/ioctl_table.cc). A request in no table whose number does not tell
// what it takes is ENOTTY and one loud line: its effects on memory would be missing from the recording.
#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/text.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"
#include "linux/ioctl_table.h"

namespace orrery::kernel {
namespace {

constexpr u32 kCloneFile = 0x4004'9409;                          // FICLONE, whose value is a descriptor
constexpr u32 kLoopSetFile = 0x4c00;                             // LOOP_SET_FD, also
constexpr u32 kMapExtents = 0xc020'660b, kDedupe = 0xc018'9436;  // FS_IOC_FIEMAP, FIDEDUPERANGE
constexpr u32 kListInterfaces = 0x8912;                          // SIOCGIFCONF
constexpr u64 kVariableBytesMost = u64{1} << 24;

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
      if (row.request == kCloneFile || row.request == kLoopSetFile)
        builder.fd(2, argument);
      else
        builder.value(2, argument);
  }
  const i64 result = builder.perform();
  return row.returns_fd && result >= 0 ? admit_descriptor(call, result) : result;
}

/// A structure with an array behind it, whose length stands in it.
i64 perform_counted(Call& call, u64 head_bytes, u64 count_at, u64 item_bytes) {
  u32 count = 0;
  if (!call.space().read_value(call.args[2] + count_at, count)) count = 0;
  if (call.args[1] == kDedupe) count &= 0xffff;  // a u16 with a reserved one behind it
  CallBuilder builder(call, __NR_ioctl);
  builder.fd(0, call.args[0]);
  builder.value(1, call.args[1]);
  builder.in_out(2, call.args[2], std::min(head_bytes + count * item_bytes, kVariableBytesMost));
  return builder.perform();
}

/// struct ifconf: a length, and where the list goes.
i64 list_interfaces(Call& call) {
  struct List {
    i32 size_bytes;
    i32 padding;
    u64 address;
  };
  List list;
  const u64 address = call.args[2];
  if (!call.space().read_value(address, list)) list = {};
  if (list.address != 0 && list.size_bytes > 0 &&
      !call.space().accessible(list.address, static_cast<u64>(list.size_bytes), memory::Access::write))
    return -EFAULT;
  CallBuilder builder(call, __NR_ioctl);
  builder.fd(0, call.args[0]);
  builder.value(1, call.args[1]);
  if (list.address != 0 && list.size_bytes > 0)
    builder.out(3, list.address, static_cast<u64>(list.size_bytes), host::Extent::whole_on_success);
  builder.in_out(2, address, sizeof list);
  return builder.perform();
}

/// Requests that a row cannot describe. Nothing if this is none of them.
std::optional<i64> perform_special(Call& call, u32 request) {
  switch (request) {
    case kMapExtents:
      return perform_counted(call, 32, 24, 56);
    case kDedupe:
      return perform_counted(call, 24, 16, 32);
    case kListInterfaces:
      return list_interfaces(call);
    case kLoopSetFile:
      return perform(call, {request, "LOOP_SET_FD", abi::Direction::none, 0, false});
    default:
      return std::nullopt;
  }
}

}  // namespace

i64 sys_ioctl(Call& call) {
  const auto request = static_cast<u32>(call.args[1]);
  if (const auto result = perform_special(call, request)) return *result;
  if (const abi::IoctlRow* row = abi::find_ioctl(request)) return perform(call, *row);
  if (const auto row = abi::decode_ioctl(request)) return perform(call, *row);
  return unknown(call, request);
}

}  // namespace orrery::kernel
