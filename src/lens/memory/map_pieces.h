// An address space over time: pieces that come, change and go. What changed is found by comparing the map
// before a system call with the map after it, so that no call's own rules are repeated here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::memory {

/// Of a range of addresses; nothing if it is not mapped.
using Attributes = std::optional<elf::MappedRegion>;

struct Difference {
  u64 start = 0, end = 0;
  Attributes before{}, after{};  ///< of which `start`, `end` and `offset` are the region's own
};

/// What of the maps differs, in order of addresses; neighbours that changed alike are one. `fresh`: a range
/// that was mapped anew, even if what is there now looks the same.
std::vector<Difference> find_differences(const std::vector<elf::MappedRegion>& before,
                                         const std::vector<elf::MappedRegion>& after, u64 fresh_start,
                                         u64 fresh_end);

/// "rw-p"
std::string permissions_of(const elf::MappedRegion& region);

}  // namespace orrery::lens::memory
