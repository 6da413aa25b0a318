// The kernel's encoding of dev_t in struct stat (include/linux/kdev_t.h new_encode_dev, huge as in libc).
#pragma once

#include "base/types.h"

namespace orrery::kernel {

constexpr u32 device_major(u64 device) {
  return static_cast<u32>((device >> 8 & 0xfff) | (device >> 32 & ~u64{0xfff}));
}
constexpr u32 device_minor(u64 device) {
  return static_cast<u32>((device & 0xff) | (device >> 12 & ~u64{0xff}));
}

}  // namespace orrery::kernel
