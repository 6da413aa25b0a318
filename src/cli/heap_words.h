// How reports of the heap name the calls that asked for blocks.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/hexadecimal_hosted.h"
#include "cli/heap_report.h"
#include "cli/heap_stacks.h"

namespace orrery::cli {

/// "1 block", "2 blocks"
std::string counted(u64 count, const char* one, const char* many);
std::string blocks(u64 count);

/// Innermost first, with inlined functions.
std::vector<const lens::heap::PlaceRow*> frames_of(const HeapReport& report, u32 node);
/// The innermost one, fit to be printed; "?" if it is not known.
std::string site_words(const HeapReport& report, u32 node);
nlohmann::ordered_json stack_json(const HeapReport& report, u32 node);
nlohmann::ordered_json samples_json(const HeapReport& report);

}  // namespace orrery::cli
