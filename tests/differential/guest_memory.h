// The little address space the random programs live in: code, data, a read-only page, a stack. It is
// real memory at the same addresses for all machines; between runs it is put back as it was.
#pragma once

#include <array>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "memory/address_space.h"

namespace orrery::differential {

/// Where code may lie: below 2 GiB, within reach of the code cache, and out of its reach; the translator
/// treats rip-relative operands differently in each.
inline constexpr u64 kCodeBases[] = {0x2c00'0000, 0x146f'b000'0000, 0x1430'0000'0000};
inline constexpr u64 kCode = kCodeBases[0], kCodeBytes = 2 * kPageBytes;
/// The data that rip-relative operands reach, a little above the code that holds `pc`.
inline constexpr u64 kNearBytes = 2 * kPageBytes;
constexpr u64 near_data(u64 pc) { return (pc & ~u64{0xf'ffff}) + 0x10'0000; }
inline constexpr u64 kData = 0x1000'0000, kDataBytes = 4 * kPageBytes;
inline constexpr u64 kReadOnly = kData + kDataBytes;  ///< one page, then nothing
inline constexpr u64 kFuel = 0x1800'0000;  ///< a page with the count of blocks a program may still run
inline constexpr u64 kStack = 0x3000'0000, kStackBytes = 2 * kPageBytes;

/// Maps for real whatever the guest's address space asks for.
class HostPages final : public memory::Backend {
 public:
  i64 map(const memory::MapRequest& request) override;
  i64 unmap(u64 address, u64 size_bytes) override;
  i64 protect(u64 address, u64 size_bytes, int protection) override;
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override;
  i64 discard(u64 address, u64 size_bytes) override;
};

class GuestMemory {
 public:
  GuestMemory();
  memory::AddressSpace& space() { return space_; }

  /// Writes the program at base + offset; base is one of kCodeBases. Announced, as a guest's own write would
  /// be.
  void set_code(std::span<const u8> bytes, u64 base, u64 offset);
  /// Fills data and stack with bytes of the seed's, which reset() brings back.
  void fill(u64 seed);
  void reset();
  /// How many blocks a program may run before it jumps to its end.
  void set_fuel(u32 blocks) { fuel_ = blocks; }

  /// The writable memory as it is now, and as it was when remember() was called.
  using Contents = std::array<u8, kDataBytes + kStackBytes + std::size(kCodeBases) * kNearBytes>;
  Contents contents() const;
  void remember() { remembered_ = contents(); }
  const Contents& remembered() const { return remembered_; }

 private:
  struct Area {
    u64 address, size_bytes;
  };
  /// The writable memory, in the order of Contents. The data near all bases: a program may make itself an
  /// address near a base that is not its own (bswap of a stack pointer does).
  static std::array<Area, 2 + std::size(kCodeBases)> areas();
  void map(u64 address, u64 size_bytes, int protection);
  /// Nothing but int3 is left where the last program was.
  void wipe_code();
  void protect_code(int protection);

  HostPages pages_;
  memory::AddressSpace space_;
  u64 code_ = kCode;
  u32 fuel_ = 0;
  Contents initial_ = {}, remembered_ = {};
};

/// Empty if equal.
std::string memory_difference(const GuestMemory::Contents& expected, const GuestMemory::Contents& got);

}  // namespace orrery::differential
