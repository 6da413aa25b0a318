// read, write and their kin. For nearly all descriptors the host's answer is right; those of the process's
// own files in /proc that the machine answers for are served here (kernel/proc_file.h).
#include <asm/unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kTransferBytesMost = 0x7fff'f000;  // MAX_RW_COUNT
constexpr u64 kVectorsMost = 1024;               // UIO_MAXIOV
constexpr u64 kAtPosition = ~u64{0};             // preadv2: the file's own position

struct Vector {
  u64 base;
  u64 size_bytes;
};

ProcFile* answered_file(Call& call) {
  ProcFile* const file = call.process.fds->proc_file(call.fd(0));
  return file != nullptr && file->is_answered() ? file : nullptr;
}

bool is_opened_for(const ProcFile& file, bool writes) {
  if ((file.flags & O_PATH) != 0) return false;
  return (file.flags & O_ACCMODE) == O_RDWR || (file.flags & O_ACCMODE) == (writes ? O_WRONLY : O_RDONLY);
}

/// Moves bytes at `offset` through one vector after the other, until one is not filled.
i64 transfer(Call& call, ProcFile& file, std::span<const Vector> vectors, u64 offset, bool writes) {
  if (!is_opened_for(file, writes)) return -EBADF;
  const bool at_position = offset == kAtPosition;
  if (at_position) offset = file.position;
  i64 done = 0;
  u64 room = kTransferBytesMost;
  for (const Vector& vector : vectors) {
    const u64 wanted = std::min(vector.size_bytes, room);
    const u64 from = offset + static_cast<u64>(done);
    const i64 moved = writes ? write_proc_file(call.task, file, from, vector.base, wanted)
                             : read_proc_file(call.task, call.fd(0), file, from, vector.base, wanted);
    if (moved < 0) {
      if (done == 0) return moved;
      break;
    }
    done += moved;
    room -= static_cast<u64>(moved);
    if (static_cast<u64>(moved) < wanted) break;
  }
  if (at_position) file.position += static_cast<u64>(done);
  return done;
}

i64 transfer_one(Call& call, u64 offset, bool writes) {
  ProcFile* const file = answered_file(call);
  if (file == nullptr) return forward(call);
  if (offset != kAtPosition && static_cast<i64>(offset) < 0) return -EINVAL;
  const Vector vector{call.args[1], call.args[2]};
  return transfer(call, *file, {&vector, 1}, offset, writes);
}

i64 transfer_vectors(Call& call, u64 offset, bool writes) {
  ProcFile* const file = answered_file(call);
  if (file == nullptr) return forward(call);
  if (offset != kAtPosition && static_cast<i64>(offset) < 0) return -EINVAL;
  const u64 count = call.args[2];
  if (count > kVectorsMost) return -EINVAL;
  std::vector<Vector> vectors(count);
  if (!call.space().read(call.args[1], {reinterpret_cast<u8*>(vectors.data()), count * sizeof(Vector)}))
    return -EFAULT;
  for (const Vector& vector : vectors)
    if (static_cast<i64>(vector.size_bytes) < 0) return -EINVAL;
  return transfer(call, *file, vectors, offset, writes);
}

}  // namespace

i64 sys_read(Call& call) { return transfer_one(call, kAtPosition, false); }
i64 sys_write(Call& call) { return transfer_one(call, kAtPosition, true); }
i64 sys_readv(Call& call) { return transfer_vectors(call, kAtPosition, false); }
i64 sys_writev(Call& call) { return transfer_vectors(call, kAtPosition, true); }

/// An offset of -1 is refused by all but the calls of the second version.
i64 sys_pread64(Call& call) {
  return transfer_one(call, call.args[3] == kAtPosition ? kAtPosition - 1 : call.args[3], false);
}
i64 sys_pwrite64(Call& call) {
  return transfer_one(call, call.args[3] == kAtPosition ? kAtPosition - 1 : call.args[3], true);
}
i64 sys_preadv(Call& call) {
  return transfer_vectors(call, call.args[3] == kAtPosition ? kAtPosition - 1 : call.args[3], false);
}
i64 sys_pwritev(Call& call) {
  return transfer_vectors(call, call.args[3] == kAtPosition ? kAtPosition - 1 : call.args[3], true);
}
i64 sys_preadv2(Call& call) { return transfer_vectors(call, call.args[3], false); }
i64 sys_pwritev2(Call& call) { return transfer_vectors(call, call.args[3], true); }

i64 sys_lseek(Call& call) {
  ProcFile* const file = answered_file(call);
  if (file == nullptr) return forward(call);
  if ((file->flags & O_PATH) != 0) return -EBADF;
  return seek_proc_file(*file, static_cast<i64>(call.args[1]), call.fd(2));
}

}  // namespace orrery::kernel
