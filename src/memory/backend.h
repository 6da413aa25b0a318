// The few things the address space asks of the world: real pages at fixed addresses. host::Host is
// one; tests have their own. All results are 0 or -errno.
#pragma once

#include "base/types.h"

namespace orrery::memory {

/// Where a mapping's bytes come from. `fd` is the guest's descriptor while recording; a replay maps
/// the kept copy of the file the event names.
struct MapRequest {
  u64 address = 0;  ///< page aligned; always placed by us, so mapped MAP_FIXED
  u64 size_bytes = 0;
  int protection = 0;  ///< PROT_* for the host (see AddressSpace::host_protection)
  int flags = 0;       ///< MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_GROWSDOWN as asked
  int fd = -1;         ///< -1 for anonymous
  u64 offset = 0;      ///< bytes into the file
};

class Backend {
 public:
  virtual i64 map(const MapRequest& request) = 0;
  virtual i64 unmap(u64 address, u64 size_bytes) = 0;
  virtual i64 protect(u64 address, u64 size_bytes, int protection) = 0;
  /// mremap(MAYMOVE|FIXED); where from == to, mremap without flags: grown in place or not at all.
  /// from_bytes may be 0: a second view of a shared mapping.
  virtual i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) = 0;
  virtual i64 discard(u64 address, u64 size_bytes) = 0;  ///< madvise(MADV_DONTNEED)

 protected:
  ~Backend() = default;
};

}  // namespace orrery::memory
