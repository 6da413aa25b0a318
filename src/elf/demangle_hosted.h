// Names as they stand in the source: C++ (Itanium ABI) and Rust (both manglings), by GNU libiberty.
#pragma once

#include <string>

namespace orrery::elf {

/// The name as written in source, or the name itself if it is not mangled.
std::string demangle(const char* name);

}  // namespace orrery::elf
