// A process prepared as the engine prepares its own: the ranges of memory/layout.h are mapped, and guest
// code can be put where guest code lies. One per test program; tests run in one process each.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "memory/address_space.h"
#include "memory/layout.h"
#include "x86/isa_table.h"

namespace orrery::translate {

/// Real pages through libc.
class LibcBackend final : public memory::Backend {
 public:
  i64 map(const memory::MapRequest& request) override {
    void* const at = mmap(reinterpret_cast<void*>(request.address), request.size_bytes, request.protection,
                          request.flags | MAP_FIXED, request.fd, static_cast<off_t>(request.offset));
    return at == MAP_FAILED ? -errno : 0;
  }
  i64 unmap(u64 address, u64 size_bytes) override {
    return munmap(reinterpret_cast<void*>(address), size_bytes);
  }
  i64 protect(u64 address, u64 size_bytes, int protection) override {
    return mprotect(reinterpret_cast<void*>(address), size_bytes, protection);
  }
  i64 move(u64, u64, u64, u64) override { return -ENOSYS; }
  i64 discard(u64 address, u64 size_bytes) override {
    return madvise(reinterpret_cast<void*>(address), size_bytes, MADV_DONTNEED);
  }
};

class GuestMemory {
 public:
  static constexpr u64 kCode = memory::layout::kNear.start + 0x10'0000;
  static constexpr u64 kCodeBytes = 0x1'0000;
  static constexpr u64 kStack = 0x147f'0000'0000;
  static constexpr u64 kStackBytes = 0x1'0000;

  /// Building blocks needs no shadow code tables, and a sanitizer's own shadow lies where one would be.
  enum class For : u8 { running, building };

  explicit GuestMemory(For use = For::running) {
    namespace layout = memory::layout;
    map_engine(layout::kEngineState, PROT_READ | PROT_WRITE);
    map_engine(layout::kCells, PROT_READ | PROT_WRITE);
    if (use == For::running) {
      map_engine(layout::kLowShadow, PROT_READ | PROT_WRITE);
      map_engine(layout::kHighShadow, PROT_READ | PROT_WRITE);
    }
    map_engine(layout::kCodeCache, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_guest(kCode, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_guest(kStack, kStackBytes, PROT_READ | PROT_WRITE);
  }

  memory::AddressSpace& space() { return space_; }
  u64 stack_top() const { return kStack + kStackBytes - 256; }

  /// Puts code at kCode + offset, as a loader would: the pages are announced as changed.
  u64 put(std::span<const u8> code, u64 offset = 0) {
    space_.prepare_write(kCode + offset, code.size());
    std::memcpy(reinterpret_cast<void*>(kCode + offset), code.data(), code.size());
    return kCode + offset;
  }

  void map_guest(u64 address, u64 size_bytes, int protection) {
    memory::AddressSpace::MmapArguments arguments;
    arguments.address = address;
    arguments.size_bytes = size_bytes;
    arguments.protection = protection;
    arguments.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    require(space_.mmap(arguments) == static_cast<i64>(address), "map guest memory");
  }

 private:
  static void require(bool good, const char* what) {
    if (good) return;
    std::perror(what);
    std::abort();
  }
  static void map_engine(const memory::layout::Range& range, int protection) {
    void* const at = ::mmap(reinterpret_cast<void*>(range.start), range.size_bytes(), protection,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
    require(at == reinterpret_cast<void*>(range.start), "map the engine's ranges");
  }

  LibcBackend backend_;
  memory::AddressSpace space_{backend_};
};

/// The process's one guest memory: the ranges can be mapped once.
inline GuestMemory& guest_memory() {
  static GuestMemory memory;
  return memory;
}

inline x86::FeatureSet all_features() {
  x86::FeatureSet features;
  for (int i = 0; i < x86::kFeatureCount; ++i) features.add(static_cast<x86::Feature>(i));
  return features;
}

}  // namespace orrery::translate
