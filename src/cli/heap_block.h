// In which block of an allocator an address is, or was last.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/failure_hosted.h"
#include "lens/instants.h"

namespace orrery::cli {

/// At the instant, or else at the end of the process. Null if no block ever held it until then.
Fallible<nlohmann::ordered_json> find_heap_block(const std::string& directory, u32 process,
                                                 const std::optional<lens::ExactInstant>& instant,
                                                 u64 address);
/// "24 bytes from 0x1410000002a0, +8, by main (main.c:12), given out at 1.234 ms, event 17; live"
std::string heap_block_words(const nlohmann::ordered_json& block, u64 address);

}  // namespace orrery::cli
