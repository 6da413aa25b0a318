// Call stacks as JSON (docs/stack.schema.json).
#pragma once

#include <nlohmann/json.hpp>

#include "lens/stack/task_stack.h"

namespace orrery::cli {

nlohmann::ordered_json stack_json(const lens::TaskStack& stack);

}  // namespace orrery::cli
