// Where a C library's inner structures have their members, and where its objects lie: from its debug
// information, for lenses that read them in a process's memory.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "elf/images_hosted.h"

namespace orrery::elf {

struct StructMember {
  u64 offset = 0, size_bytes = 0;
  u64 elements = 0;  ///< of an array; 0 if it is none
};

struct StructLayout {
  u64 size_bytes = 0;
  std::map<std::string, StructMember> members{};
};

/// Of the struct that the unit compiled from `source` (a file's name without directory) has under `name`.
/// Nothing without debug information, or if there is no such struct.
std::optional<StructLayout> struct_layout(const Image& image, const std::string& source,
                                          const std::string& name);

/// The run-time address of a variable in the image's symbol tables, those of its debug file among them.
std::optional<u64> object_address(const Image& image, const std::string& name);

}  // namespace orrery::elf
