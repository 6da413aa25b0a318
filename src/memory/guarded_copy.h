// The one copy that may fault. The guest's own map says whether an address is accessible, but a page of
// a file mapping can still be gone (the file was truncated): such an access is a SIGBUS inside the
// engine. All copies between guest and engine memory therefore run through this function, and the
// host signal handler of SIGSEGV and SIGBUS goes on at guarded_copy_resume() when it was interrupted here.
#pragma once

#include "base/types.h"

extern "C" {
orrery::u64 orrery_guarded_copy(void* to, const void* from, orrery::u64 bytes);
extern const orrery::u8 orrery_guarded_copy_begin[];
extern const orrery::u8 orrery_guarded_copy_resume[];
}

namespace orrery::memory {

/// Copies upwards, byte for byte; returns how many bytes were copied before the first that faulted.
inline u64 guarded_copy(void* to, const void* from, u64 bytes) {
  return orrery_guarded_copy(to, from, bytes);
}

/// For the host's fault handler: where to go on after a fault at `rip`, with all other registers as
/// they are; 0 if the fault was not in a guarded copy.
inline u64 guarded_copy_resume(u64 rip) {
  const u64 begin = reinterpret_cast<u64>(orrery_guarded_copy_begin);
  const u64 resume = reinterpret_cast<u64>(orrery_guarded_copy_resume);
  return rip >= begin && rip < resume ? resume : 0;
}

}  // namespace orrery::memory
