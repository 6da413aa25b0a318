// Numbers as addresses are written.
#pragma once

#include <cstdio>
#include <string>

#include "base/types.h"

namespace orrery {

/// "0x1f".
inline std::string hexadecimal(u64 value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%lx", value);
  return text;
}

}  // namespace orrery
