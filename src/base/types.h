// Short names for the fixed-width integers, and strong types for the numbers that must not be
// mixed up. No room below base exists; every room may include this.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace orrery {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

/// A number with a name: two ids of different `Tag` do not compare, convert or mix.
template <class Tag, class Number>
struct StrongId {
  Number value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Number number) : value(number) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

using TaskId = StrongId<struct TaskTag, i32>;        ///< a guest tid
using ProcessId = StrongId<struct ProcessTag, i32>;  ///< a guest tgid
using EventNumber = StrongId<struct EventTag, u64>;  ///< position in the machine's total order

/// Guest memory is granted in pages of this many bytes (x86-64 base page).
inline constexpr u64 kPageBytes = 4096;

constexpr u64 page_floor(u64 address) { return address & ~(kPageBytes - 1); }
constexpr u64 page_ceil(u64 address) { return (address + kPageBytes - 1) & ~(kPageBytes - 1); }

}  // namespace orrery
