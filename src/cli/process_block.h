// The control block of a process at an instant, as JSON; the report for people is written from that.
#pragma once

#include <nlohmann/json.hpp>

#include "base/failure_hosted.h"
#include "cli/stopped_process.h"
#include "cli/style.h"

namespace orrery::cli {

/// By docs/process.schema.json, without descriptors and tree.
Fallible<nlohmann::ordered_json> process_block_json(lens::ReplaySession& session);
void print_process_block(const nlohmann::ordered_json& block, bool all, const Style& style);

}  // namespace orrery::cli
