#include "host/memory_calls.h"

#include <asm/unistd.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

/// mmap and mremap answer with an address; a Backend answers 0.
i64 address_to_status(i64 result) { return result < 0 && result > -4096 ? result : 0; }

}  // namespace

i64 map_memory(const memory::MapRequest& request, int fd, u64 offset) {
  // MAP_GROWSDOWN is left out: a host that grew the region by itself would leave the guest's own map
  // behind. The guest map grows such regions when a fault asks for it.
  constexpr int kPassed = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const int flags = (request.flags & kPassed) | MAP_FIXED;
  return address_to_status(
      raw_syscall(__NR_mmap, request.address, request.size_bytes, request.protection, flags, fd, offset));
}

i64 unmap_memory(u64 address, u64 size_bytes) { return raw_syscall(__NR_munmap, address, size_bytes); }

i64 protect_memory(u64 address, u64 size_bytes, int protection) {
  return raw_syscall(__NR_mprotect, address, size_bytes, protection);
}

i64 move_memory(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  const int flags = from == to ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
  return address_to_status(raw_syscall(__NR_mremap, from, from_bytes, to_bytes, flags, to));
}

i64 discard_memory(u64 address, u64 size_bytes) {
  return raw_syscall(__NR_madvise, address, size_bytes, MADV_DONTNEED);
}

}  // namespace orrery::host
