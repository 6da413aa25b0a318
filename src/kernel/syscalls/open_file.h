// What the kernel's own calls ask the host about an open file of the guest's.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "kernel/syscalls/call.h"
#include "memory/region.h"

namespace orrery::kernel {

/// struct statx.
struct OpenFileStatus {
  u32 mask;
  u32 block_bytes;
  u64 attributes;
  u32 links, uid, gid;
  u16 mode, spare;
  u64 inode, size_bytes, blocks, attributes_mask;
  u64 times[8];
  u32 special_major, special_minor, device_major, device_minor;
  u64 rest[14];

  bool is_device() const { return S_ISCHR(mode) || S_ISBLK(mode); }
  memory::MappedFile mapped_file(std::vector<char> path) const {
    return {
        .path = std::move(path), .device_major = device_major, .device_minor = device_minor, .inode = inode};
  }
};
static_assert(sizeof(OpenFileStatus) == 256);

/// F_GETFL; -EBADF also for an O_PATH descriptor and for the engine's own.
i64 open_file_flags(Call& call, int fd);
i64 open_file_status(Call& call, int fd, OpenFileStatus& status);
/// Empty if it has none.
std::vector<char> open_file_path(Call& call, int fd);
bool on_noexec_mount(Call& call, int fd);

}  // namespace orrery::kernel
