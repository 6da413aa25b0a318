// What mmap and its kin take beyond the constants of Debian 12's <sys/mman.h> and <linux/mman.h>, and the
// kernel's own masks.
#pragma once

#include <linux/mman.h>
#include <sys/mman.h>

#include "base/types.h"

namespace orrery::memory {

inline constexpr u64 kTaskSize = 0x7fff'ffff'f000;  ///< end of user addresses with four-level paging
inline constexpr u64 kLowestAddress = 0x1'0000;     ///< /proc/sys/vm/mmap_min_addr

inline constexpr int kMapTypeMask = 0x0f;
/// Flags that MAP_SHARED_VALIDATE knows (kernel: LEGACY_MAP_MASK).
inline constexpr int kMapFlagsKnown =
    MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN |
    MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT |
    0x80 /* ABOVE4G */ | 0x4000000 /* UNINITIALIZED */ | MAP_HUGE_2MB | MAP_HUGE_1GB;
inline constexpr int kProtectionSemaphore = 0x8;  ///< PROT_SEM: accepted, without effect

inline constexpr int kMadvFree = 8;
inline constexpr int kMadvCold = 20;
inline constexpr int kMadvPageout = 21;
inline constexpr int kMadvPopulateRead = 22;
inline constexpr int kMadvPopulateWrite = 23;
inline constexpr int kMadvDontneedLocked = 24;
inline constexpr int kMadvCollapse = 25;
inline constexpr int kMadvHwpoison = 100;
inline constexpr int kMadvSoftOffline = 101;

}  // namespace orrery::memory
