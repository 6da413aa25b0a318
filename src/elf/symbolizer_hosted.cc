#include "elf/symbolizer_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include "elf/demangle_hosted.h"
#include "elf/dwarf_scope_hosted.h"
#include "elf/scope_names_hosted.h"
#include "elf/source_files_hosted.h"

namespace orrery::elf {
namespace {

/// The entry that names what a concrete or inlined function is an instance of.
Dwarf_Die declaration_of(Dwarf_Die function) {
  Dwarf_Attribute attribute;
  Dwarf_Die next;
  for (const unsigned link : {unsigned{DW_AT_abstract_origin}, unsigned{DW_AT_specification}}) {
    if (dwarf_attr(&function, link, &attribute) && dwarf_formref_die(&attribute, &next)) function = next;
  }
  return function;
}

/// For functions whose linkage name was left out, since no other unit can know them: the name in its scopes.
std::string qualified_name(Dwarf_Die* function) {
  const char* const own = dwarf_diename(function);
  std::string text = own ? own : "";
  if (text.empty()) return text;
  Dwarf_Die declaration = declaration_of(*function);
  return in_its_scopes(&declaration, text);
}

std::string function_name(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
    if (!dwarf_attr_integrate(function, name, &attribute)) continue;
    if (const char* text = dwarf_formstring(&attribute)) return demangle(text);
  }
  return qualified_name(function);
}

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
