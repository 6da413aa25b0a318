// Memory policies on a machine of one node: every policy over node 0 means the same, so they are checked as
// mm/mempolicy.c does and have no effect.
#include <linux/mempolicy.h>

#include <algorithm>
#include <cerrno>

#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kOnlyNode = 1;  // the mask of nodes
constexpr u64 kNodesMost = 1 << 15;

/// The mask at `address`: 0 or -errno. Nodes other than the first do not exist.
i64 read_nodes(Call& call, u64 address, u64 node_bits, u64& nodes) {
  nodes = 0;
  if (address == 0 || node_bits == 0) return 0;
  if (node_bits > kNodesMost) return -EINVAL;
  for (u64 word_at = 0; word_at < node_bits; word_at += 64) {
    u64 word = 0;
    if (!call.space().read_value(address + word_at / 8, word)) return -EFAULT;
    const u64 bits = node_bits - word_at;
    if (bits < 64) word &= (u64{1} << bits) - 1;
    if (word_at == 0) nodes = word;
    if ((word_at == 0 ? word & ~kOnlyNode : word) != 0) return -EINVAL;
  }
  return 0;
}

i64 check_policy(Call& call, u64 mode_argument, u64 address, u64 node_bits) {
  const u32 mode = static_cast<u32>(mode_argument) & ~static_cast<u32>(MPOL_MODE_FLAGS);
  u64 nodes = 0;
  if (mode >= MPOL_MAX) return -EINVAL;
  if (const i64 error = read_nodes(call, address, node_bits == 0 ? 0 : node_bits - 1, nodes); error != 0)
    return error;
  const bool needs_nodes = mode == MPOL_BIND || mode == MPOL_INTERLEAVE || mode == MPOL_PREFERRED_MANY;
  if (needs_nodes && nodes == 0) return -EINVAL;
  return (mode == MPOL_DEFAULT || mode == MPOL_LOCAL) && nodes != 0 ? -EINVAL : 0;
}

i64 write_nodes(Call& call, u64 address, u64 node_bits, u64 nodes) {
  for (u64 word_at = 0; word_at < node_bits; word_at += 64)
    if (!call.space().write_value(address + word_at / 8, word_at == 0 ? nodes : 0)) return -EFAULT;
  return 0;
}

}  // namespace

i64 sys_set_mempolicy(Call& call) { return check_policy(call, call.args[0], call.args[1], call.args[2]); }

i64 sys_mbind(Call& call) {
  const u64 start = call.args[0], size_bytes = page_ceil(call.args[1]);
  if (start != page_floor(start)) return -EINVAL;
  if (const i64 error = check_policy(call, call.args[2], call.args[3], call.args[4]); error != 0)
    return error;
  for (u64 page = start; page < start + size_bytes;) {
    const memory::Region* region = call.space().find(page);
    if (region == nullptr) return -EFAULT;
    page = region->end;
  }
  return 0;
}

i64 sys_get_mempolicy(Call& call) {
  const u64 flags = call.args[4];
  const u64 mode_address = call.args[0], nodes_address = call.args[1];
  if ((flags & ~u64{MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED}) != 0) return -EINVAL;
  if ((flags & MPOL_F_MEMS_ALLOWED) != 0 && flags != MPOL_F_MEMS_ALLOWED) return -EINVAL;
  if ((flags & MPOL_F_ADDR) == 0 && call.args[3] != 0) return -EINVAL;
  if ((flags & MPOL_F_NODE) != 0 && (flags & MPOL_F_ADDR) == 0) return -EINVAL;
  if ((flags & MPOL_F_ADDR) != 0 && call.space().find(call.args[3]) == nullptr) return -EFAULT;
  // MPOL_DEFAULT and node 0 are both 0.
  if (mode_address != 0 && !call.space().write_value(mode_address, i32{0})) return -EFAULT;
  if (nodes_address == 0) return 0;
  if (call.args[2] == 0 || call.args[2] > kNodesMost) return -EINVAL;
  return write_nodes(call, nodes_address, call.args[2], (flags & MPOL_F_MEMS_ALLOWED) != 0 ? kOnlyNode : 0);
}

}  // namespace orrery::kernel
