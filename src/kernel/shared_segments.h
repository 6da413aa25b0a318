// SysV shared memory segments of the machine (shmget and kin). They are the machine's own: processes outside
// do not see them, since what they wrote could not be recorded. The bytes lie in the engine's part of the
// address space (memory/layout.h kSegments) as long as the segment lives; attaching shows them at another
// address as well. One table per process, which is alone in its machine.
#pragma once

#include <vector>

#include "base/types.h"

namespace orrery::kernel {

struct SharedSegment {
  i32 id = 0;
  i32 key = 0;
  u64 size_bytes = 0;
  u64 bytes_at = 0;  ///< where the engine keeps it
  u64 object = 0;    ///< Region::object of its attachments
  u32 uid = 0, gid = 0, creator_uid = 0, creator_gid = 0;
  u32 mode = 0;  ///< permissions, and SHM_DEST, SHM_LOCKED
  i32 creator_pid = 0, last_pid = 0;
  u64 attached_time = 0, detached_time = 0, changed_time = 0;
};

struct SharedSegments {
  std::vector<SharedSegment> all;  ///< by age
  i32 made = 0;                    ///< how many there have been
  u64 next_address = 0;            ///< in kSegments; 0 while there is none

  SharedSegment* find(i32 id) {
    for (SharedSegment& segment : all)
      if (segment.id == id) return &segment;
    return nullptr;
  }
};

}  // namespace orrery::kernel
