// Numbers of ELF and their names, as tables.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::elf {

struct Named {
  u64 number;
  const char* name;
};

/// Null if the table does not have it.
inline const char* find(std::span<const Named> table, u64 number) {
  for (const Named& each : table) {
    if (each.number == number) return each.name;
  }
  return nullptr;
}

}  // namespace orrery::elf
