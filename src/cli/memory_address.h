// `orrery show memory --address`: what an address means at an instant.
#pragma once

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "cli/memory_map.h"

namespace orrery::cli {

/// As people write it: hexadecimal with or without 0x.
Fallible<u64> parse_address(const std::string& text);

/// Brings a replay to the instant, or to the process's end, and says what is there.
Fallible<nlohmann::ordered_json> name_address(const LayerOptions& options, const ProcessMap& map,
                                              u64 address);
void print_address(const nlohmann::ordered_json& found);

}  // namespace orrery::cli
