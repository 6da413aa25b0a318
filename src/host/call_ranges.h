// Memory that a host call names, for hosts that look into it: only what the guest kernel has listed may be
// touched, since a pointer may lead nowhere, or its range end in the midst of what it points at.
#pragma once

#include <cstring>

#include "host/host.h"

namespace orrery::host {

/// Whether the call may read all of [address, address + size).
inline bool is_in(const HostCall& call, u64 address, u64 size_bytes) {
  for (const InRange& range : call.in.items())
    if (address >= range.address && address + size_bytes <= range.address + range.size_bytes) return true;
  return false;
}

/// Whether it may write it.
inline bool is_out(const HostCall& call, u64 address, u64 size_bytes) {
  for (const OutRange& range : call.out.items())
    if (address >= range.address && address + size_bytes <= range.address + range.capacity_bytes) return true;
  return false;
}

template <class T>
T load(u64 address) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

template <class T>
void store(u64 address, const T& value) {
  std::memcpy(reinterpret_cast<void*>(address), &value, sizeof value);
}

}  // namespace orrery::host
