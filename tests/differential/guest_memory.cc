#include "guest_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/check.h"

namespace orrery::differential {
namespace {

void* pointer(u64 address) { return reinterpret_cast<void*>(address); }
i64 result(void* mapped) { return mapped == MAP_FAILED ? -errno : 0; }
i64 result(int status) { return status != 0 ? -errno : 0; }

}  // namespace

i64 HostPages::map(const memory::MapRequest& r) {
  return result(mmap(pointer(r.address), r.size_bytes, r.protection, r.flags | MAP_FIXED, r.fd,
                     static_cast<off_t>(r.offset)));
}
i64 HostPages::unmap(u64 address, u64 size_bytes) { return result(munmap(pointer(address), size_bytes)); }
i64 HostPages::protect(u64 address, u64 size_bytes, int protection) {
  return result(mprotect(pointer(address), size_bytes, protection));
}
i64 HostPages::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  return result(mremap(pointer(from), from_bytes, to_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, pointer(to)));
}
i64 HostPages::discard(u64 address, u64 size_bytes) {
  return result(madvise(pointer(address), size_bytes, MADV_DONTNEED));
}

GuestMemory::GuestMemory() : space_(pages_) {
  for (u64 base : kCodeBases) {
    map(base, kCodeBytes, PROT_READ | PROT_EXEC);
    map(near_data(base), kNearBytes, PROT_READ | PROT_WRITE);
  }
  map(kData, kDataBytes, PROT_READ | PROT_WRITE);
  map(kReadOnly, kPageBytes, PROT_READ);
  map(kFuel, kPageBytes, PROT_READ | PROT_WRITE);
  map(kStack, kStackBytes, PROT_READ | PROT_WRITE);
  for (u64 base : kCodeBases) {
    code_ = base;
    wipe_code();
  }
}

void GuestMemory::map(u64 address, u64 size_bytes, int protection) {
  memory::AddressSpace::MmapArguments arguments;
  arguments.address = address;
  arguments.size_bytes = size_bytes;
  arguments.protection = protection;
  arguments.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  CHECK(space_.mmap(arguments) == static_cast<i64>(address), "the guest's memory can be mapped");
}

std::array<GuestMemory::Area, 2 + std::size(kCodeBases)> GuestMemory::areas() {
  std::array<Area, 2 + std::size(kCodeBases)> areas = {{{kData, kDataBytes}, {kStack, kStackBytes}}};
  for (u64 i = 0; i < std::size(kCodeBases); ++i) areas[2 + i] = {near_data(kCodeBases[i]), kNearBytes};
  return areas;
}

void GuestMemory::wipe_code() {
  protect_code(PROT_READ | PROT_WRITE);
  std::memset(pointer(code_), 0xcc, kCodeBytes);
  protect_code(PROT_READ | PROT_EXEC);
  space_.code().announce(code_, code_ + kCodeBytes, memory::CodeChange::Cause::bytes);
}

void GuestMemory::set_code(std::span<const u8> bytes, u64 base, u64 offset) {
  wipe_code();
  code_ = base;
  protect_code(PROT_READ | PROT_WRITE);
  std::memcpy(pointer(code_ + offset), bytes.data(), bytes.size());
  // The machine never lets guest code run in place; the native run must.
  protect_code(PROT_READ | PROT_EXEC);
  // A page that is not resident gives another page fault error code.
  for (u64 page : {code_, code_ + kPageBytes, kReadOnly})
    (void)*static_cast<const volatile u8*>(pointer(page));
  space_.code().announce(code_, code_ + kCodeBytes, memory::CodeChange::Cause::bytes);
}

void GuestMemory::protect_code(int protection) {
  CHECK(mprotect(pointer(code_), kCodeBytes, protection) == 0, "the code's protection can be changed");
}

void GuestMemory::fill(u64 seed) {
  std::mt19937_64 random(seed);
  for (u64 at = 0; at < initial_.size(); at += 8) {
    // Small numbers, floats near one and anything at all.
    const u64 any = random();
    const u64 value = any % 4 == 0   ? any >> 60
                      : any % 4 == 1 ? 0x3f80'0000'3f80'0000 ^ (any & 0x807f'0000'807f'0000)
                                     : any;
    std::memcpy(initial_.data() + at, &value, 8);
  }
  reset();
}

void GuestMemory::reset() {
  u64 at = 0;
  for (const Area& area : areas()) {
    std::memcpy(pointer(area.address), initial_.data() + at, area.size_bytes);
    at += area.size_bytes;
  }
  std::memset(pointer(kFuel), 0, kPageBytes);
  std::memcpy(pointer(kFuel), &fuel_, sizeof fuel_);
}

GuestMemory::Contents GuestMemory::contents() const {
  Contents contents;
  u64 at = 0;
  for (const Area& area : areas()) {
    std::memcpy(contents.data() + at, pointer(area.address), area.size_bytes);
    at += area.size_bytes;
  }
  return contents;
}

std::string memory_difference(const GuestMemory::Contents& expected, const GuestMemory::Contents& got) {
  std::string out;
  if (expected == got) return out;
  for (u64 at = 0; at < got.size() && out.size() < 1000; ++at) {
    if (got[at] == expected[at]) continue;
    const bool data = at < kDataBytes, stack = !data && at < kDataBytes + kStackBytes;
    const u64 offset = data ? at : stack ? at - kDataBytes : at - kDataBytes - kStackBytes;
    char line[80];
    std::snprintf(line, sizeof line, "  byte %lx of the %s: expected %02x got %02x\n", offset,
                  data    ? "data"
                  : stack ? "stack"
                          : "near data",
                  expected[at], got[at]);
    out += line;
  }
  return out;
}

}  // namespace orrery::differential
