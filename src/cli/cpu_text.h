// A task's processor at an instant, for people and as JSON (docs/cpu.schema.json).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/style.h"
#include "lens/cpu/cpu_context.h"

namespace orrery::cli {

/// `all`: x87 and vector registers too.
std::string cpu_text(const lens::CpuContext& context, const Style& style, bool all);
nlohmann::ordered_json cpu_json(const lens::CpuContext& context);

}  // namespace orrery::cli
