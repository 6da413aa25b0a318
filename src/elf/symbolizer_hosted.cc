#include "elf/symbolizer_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include "elf/demangle_hosted.h"
#include "elf/dwarf_scope_hosted.h"
#include "elf/function_die_name_hosted.h"
#include "elf/source_files_hosted.h"

namespace orrery::elf {
namespace {

SourceLine line_at(Dwarf_Die* unit, u64 address) {
  Dwarf_Line* line = dwarf_getsrc_die(unit, address);
  if (!line) return {};
  SourceLine source;
  source.file = absolute_path(unit, dwarf_linesrc(line, nullptr, nullptr));
  dwarf_lineno(line, &source.line);
  dwarf_linecol(line, &source.column);
  return source;
}

int number_of(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0) return 0;
  return static_cast<int>(value);
}

/// Where an inlined function was called.
SourceLine call_line(Dwarf_Die* unit, Dwarf_Die* inlined) {
  SourceLine source{.file = "",
                    .line = number_of(inlined, DW_AT_call_line),
                    .column = number_of(inlined, DW_AT_call_column)};
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  const size_t index = static_cast<size_t>(number_of(inlined, DW_AT_call_file));
  if (dwarf_getsrcfiles(unit, &files, &count) == 0 && index < count) {
    source.file = absolute_path(unit, dwarf_filesrc(files, index, nullptr, nullptr));
  }
  return source;
}

/// The checksums of the files of a unit's frames.
void add_md5(Dwarf_Die* unit, std::vector<SourceFrame>& frames) {
  for (const SourceFile& file : unit_source_files(unit))
    for (SourceFrame& frame : frames)
      if (file.md5 && frame.source.file == file.path) frame.source.md5 = file.md5;
}

void add_source_frames(const Image& image, u64 address, Location& location) {
  DwarfScope scope = find_scope(image, address);
  if (!scope.valid) return;
  SourceLine source = line_at(&scope.unit, address - scope.bias);
  for (Dwarf_Die& function : scope.functions) {
    const bool inlined = dwarf_tag(&function) == DW_TAG_inlined_subroutine;
    location.frames.push_back({.function = function_name(&function), .source = source, .inlined = inlined});
    if (inlined) source = call_line(&scope.unit, &function);
  }
  if (location.frames.empty() && source.line != 0)
    location.frames.push_back({.function = "", .source = source});
  add_md5(&scope.unit, location.frames);
}

}  // namespace

Location locate(const Images& images, u64 address) {
  Location location;
  location.image = images.find(address);
  if (!location.image) return location;
  location.image_offset = address - location.image->bias;
  if (const PltEntry* const entry = location.image->plt->find(*location.image, address)) {
    location.symbol = entry->name;
    location.symbol_offset = location.image_offset - entry->address;
    return location;
  }
  GElf_Off offset = 0;
  GElf_Sym symbol;
  if (const char* name = dwfl_module_addrinfo(location.image->module, address, &offset, &symbol, nullptr,
                                              nullptr, nullptr)) {
    location.symbol = demangle(name);
    location.symbol_offset = offset;
  }
  add_source_frames(*location.image, address, location);
  if (!location.frames.empty() && location.symbol.empty()) location.symbol = location.frames.back().function;
  return location;
}

}  // namespace orrery::elf
