// Guest memory for real: the Backend operations as system calls. Every Host performs them, replaying
// ones included, so they are written once here.
#pragma once

#include "base/types.h"
#include "memory/backend.h"

namespace orrery::host {

/// Maps at request.address (MAP_FIXED). `fd` and `offset` say where the bytes come from, which is not
/// request.fd when a kept copy of the file stands in for it. 0 or -errno.
i64 map_memory(const memory::MapRequest& request, int fd, u64 offset);
i64 unmap_memory(u64 address, u64 size_bytes);
i64 protect_memory(u64 address, u64 size_bytes, int protection);
i64 move_memory(u64 from, u64 from_bytes, u64 to, u64 to_bytes);
i64 discard_memory(u64 address, u64 size_bytes);

}  // namespace orrery::host
