// Columns that are null where nothing is known.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"

namespace orrery::lens {

inline std::optional<std::string> known(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}
inline std::optional<u32> known(u32 number) { return number == 0 ? std::nullopt : std::optional(number); }

}  // namespace orrery::lens
