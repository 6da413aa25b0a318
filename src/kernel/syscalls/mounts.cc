// statmount and listmount: the request says by its first word how long it is.
#include <algorithm>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

/// struct mnt_id_req, of which later kernels may know more.
i64 forward_request(Call& call, u64 output_bytes, host::Extent extent) {
  constexpr u64 kRequestBytesMost = 4096;
  u32 size_bytes = 0;
  if (!call.space().read_value(call.args[0], size_bytes)) size_bytes = sizeof size_bytes;
  CallBuilder builder(call, call.row.number);
  builder.in(0, call.args[0], std::clamp<u64>(size_bytes, sizeof size_bytes, kRequestBytesMost));
  builder.out(1, call.args[1], output_bytes, extent, sizeof(u64));
  builder.value(2, call.args[2]);
  builder.value(3, call.args[3]);
  return builder.perform();
}

}  // namespace

i64 sys_statmount(Call& call) { return forward_request(call, call.args[2], host::Extent::whole_on_success); }

i64 sys_listmount(Call& call) {
  constexpr u64 kIdsMost = 1 << 20;
  return forward_request(call, std::min(call.args[2], kIdsMost) * sizeof(u64), host::Extent::result_items);
}

}  // namespace orrery::kernel
