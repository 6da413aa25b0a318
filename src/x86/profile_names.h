// Names of CPU profiles (cpu_profile.h), and what they promise.
#pragma once

#include <string_view>

namespace orrery::x86 {

/// A processor by itself, whatever the host's: a level of the psABI, or the one that Valgrind models. The
/// others are one vendor's.
constexpr bool is_same_everywhere(std::string_view profile) {
  return profile.starts_with("x86-64-") || profile == "valgrind";
}

}  // namespace orrery::x86
