// struct msghdr as the guest passes it, and the descriptors in its control data (SCM_RIGHTS).
#pragma once

#include <sys/socket.h>

#include <algorithm>

#include "base/types.h"
#include "memory/address_space.h"

namespace orrery::kernel {

/// struct user_msghdr of include/linux/socket.h.
struct MessageHeader {
  u64 name;
  u32 name_bytes;
  u32 padding;
  u64 vectors;
  u64 vector_count;
  u64 control;
  u64 control_bytes;
  u32 flags;
  u32 padding2;
};
static_assert(sizeof(MessageHeader) == sizeof(msghdr));
inline constexpr u64 kMessageItemBytes = 64;  // struct mmsghdr: the header, msg_len, padding

/// Calls `visit(fd)` for every descriptor in the control data, until it answers false.
template <class Visit>
void visit_rights(memory::AddressSpace& space, u64 control, u64 size_bytes, const Visit& visit) {
  u64 at = 0;
  while (at + sizeof(cmsghdr) <= size_bytes) {
    cmsghdr header;
    if (!space.read_value(control + at, header) || header.cmsg_len < sizeof header) return;
    const bool rights = header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS;
    const u64 end = std::min(size_bytes, at + header.cmsg_len);
    for (u64 fd_at = at + sizeof header; rights && fd_at + 4 <= end; fd_at += 4) {
      i32 fd = -1;
      if (!space.read_value(control + fd_at, fd) || !visit(fd)) return;
    }
    const u64 step = (header.cmsg_len + 7) & ~u64{7};
    if (step < header.cmsg_len) return;
    at += step;
  }
}

}  // namespace orrery::kernel
