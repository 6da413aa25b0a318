#pragma once
#include <functional>

namespace canvas {

/// Calls `paint` for each number below `count`.
void each(int count, const std::function<void(int)>& paint);

}  // namespace canvas
