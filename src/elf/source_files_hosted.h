// The source files that DWARF line tables name, each with its MD5 where the compiler wrote one (DWARF
// 5, 6.2.4.1; clang does, gcc does not). libdw reads the names but not the checksums, so the tables' headers
// are read here. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <string>
#include <vector>

#include "elf/file_bytes_hosted.h"
#include "elf/object_debug_hosted.h"

namespace orrery::elf {

/// The sections that line tables lie in.
struct LineSections {
  FileBytes lines{}, line_strings{}, strings{};
};

/// Of the line table at this offset, whose unit was compiled in `directory`.
std::vector<SourceFile> read_source_files(const LineSections& sections, u64 offset,
                                          const std::string& directory);

/// Of the unit with this first entry; empty if it has no line table, or a damaged one.
std::vector<SourceFile> unit_source_files(Dwarf_Die* unit);

/// `path` made absolute by the unit's directory.
std::string absolute_path(Dwarf_Die* unit, const char* path);

}  // namespace orrery::elf
