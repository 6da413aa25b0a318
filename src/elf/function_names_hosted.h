// The functions and data of an image by name: from its symbol tables and those of its separate debug file.
#pragma once

#include <functional>
#include <string>

#include "elf/images_hosted.h"

namespace orrery::elf {

struct NamedFunction {
  const char* name = "";  ///< as the table has it, mangled
  u64 address = 0;        ///< at run time
  u64 size_bytes = 0;
  bool is_local = false;  ///< STB_LOCAL
  bool chooses = false;   ///< STT_GNU_IFUNC: it returns the address of the function that is meant
};

/// Every function that is defined there, in the order of the tables.
void each_function(const Image& image, const std::function<void(const NamedFunction&)>& visit);

struct NamedData {
  const char* name = "";  ///< as the table has it, mangled
  u64 address = 0;        ///< at run time
  u64 size_bytes = 0;
};

/// Every object that is defined there and has a size; thread-local ones are not among them.
void each_object(const Image& image, const std::function<void(const NamedData&)>& visit);

}  // namespace orrery::elf
