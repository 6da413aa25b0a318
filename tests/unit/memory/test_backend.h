// A Backend that maps real memory of the test process, as the live host does.
#pragma once

#include <sys/mman.h>

#include <cerrno>

#include "memory/backend.h"

namespace orrery::memory {

class TestBackend final : public Backend {
 public:
  i64 map(const MapRequest& request) override {
    ++calls;
    constexpr int kPassed = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* const at =
        ::mmap(reinterpret_cast<void*>(request.address), request.size_bytes, request.protection,
               (request.flags & kPassed) | MAP_FIXED, request.fd, static_cast<off_t>(request.offset));
    return at == MAP_FAILED ? -errno : 0;
  }
  i64 unmap(u64 address, u64 size_bytes) override {
    ++calls;
    return result(::munmap(reinterpret_cast<void*>(address), size_bytes));
  }
  i64 protect(u64 address, u64 size_bytes, int protection) override {
    ++calls;
    return result(::mprotect(reinterpret_cast<void*>(address), size_bytes, protection));
  }
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override {
    ++calls;
    const int flags = from == to ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
    void* const at =
        ::mremap(reinterpret_cast<void*>(from), from_bytes, to_bytes, flags, reinterpret_cast<void*>(to));
    return at == MAP_FAILED ? -errno : 0;
  }
  i64 discard(u64 address, u64 size_bytes) override {
    ++calls;
    return result(::madvise(reinterpret_cast<void*>(address), size_bytes, MADV_DONTNEED));
  }

  u64 calls = 0;

 private:
  static i64 result(int status) { return status == 0 ? 0 : -errno; }
};

}  // namespace orrery::memory
