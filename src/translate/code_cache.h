// The memory that holds translations. It is mapped by whoever owns the process (machine/engine_memory,
// tests) at the place memory/layout.h names.
#pragma once

#include "base/types.h"
#include "memory/layout.h"

namespace orrery::translate {

inline u8* cache_base() { return reinterpret_cast<u8*>(memory::layout::kCodeCache.start); }
inline u8* cache_at(u32 offset) { return cache_base() + offset; }
inline constexpr u32 kCacheBytes = static_cast<u32>(memory::layout::kCodeCache.size_bytes());

}  // namespace orrery::translate
