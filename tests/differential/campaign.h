// What the tests of this directory share: how large a run is, and how code is printed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string>

#include "base/types.h"
#include "generator.h"

namespace orrery::differential {

inline u64 number_from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// ORRERY_SEED repeats a run; without it every run is another.
inline u64 first_seed() { return number_from_environment("ORRERY_SEED", std::random_device()()); }
/// ORRERY_CASES widens it.
inline u64 case_count(u64 otherwise) { return number_from_environment("ORRERY_CASES", otherwise); }

/// The code, a line a block; of the nops that fill blocks up only a few.
inline std::string hex(std::span<const u8> bytes) {
  std::string out;
  char text[32];
  u64 nops = 0;
  for (u64 i = 0; i < bytes.size(); ++i) {
    nops = bytes[i] == 0x90 ? nops + 1 : 0;
    if (i % kBlockBytes == 0) std::snprintf(text, sizeof text, "\n%4lx: ", i), out += text;
    std::snprintf(text, sizeof text, "%02x ", bytes[i]);
    if (nops < 4) out += text;
  }
  return out + "\n";
}

}  // namespace orrery::differential
