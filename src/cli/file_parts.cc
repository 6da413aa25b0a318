// The tables as text, a line a row, in readelf's order of columns where it has them.
#include "cli/file_parts.h"

#include <elf.h>

#include <iterator>

#include "cli/file_symbols.h"
#include "elf/demangle_hosted.h"
#include "elf/dwarf_units_hosted.h"
#include "elf/dynamic_hosted.h"
#include "elf/names_hosted.h"
#include "elf/notes_hosted.h"
#include "elf/relocations_hosted.h"
#include "lens/file/parts.h"

namespace orrery::cli {
namespace {

constexpr FilePart kFileParts[] = {
    {"segments", "Segments", print_segments, json_segments},
    {"sections", "Sections", print_sections, json_sections},
    {"dynamic", "Dynamic section", print_dynamic, json_dynamic},
    {"versions", "Versions", print_versions, json_versions},
    {"symbols", "Symbols", print_symbols, json_symbols},
    {"relocations", "Relocations", print_relocations, json_relocations},
    {"notes", "Notes", print_notes, json_notes},
    {"units", "DWARF units", print_units, json_units},
};

constexpr u64 kComparisonsMost = 20'000'000;

}  // namespace

std::span<const FilePart> file_parts() { return kFileParts; }

bool can_map_sections(const elf::ElfFile& file) {
  return file.segment_count() * file.section_count() <= kComparisonsMost;
}

SectionNames::SectionNames(elf::ElfFile& file) {
  names_.reserve(file.section_count());
  for (u64 i = 0; i < file.section_count(); ++i)
    names_.push_back(i == 0 ? "" : file.section_name(file.section(i)));
}

std::string SectionNames::index_text(u32 index, bool reserved) {
  if (index == SHN_UNDEF) return "UND";
  if (!reserved) return std::to_string(index);
  if (index == SHN_ABS) return "ABS";
  if (index == SHN_COMMON) return "COM";
  return fmt::format("{:#06x}", index);
}

void print_segments(elf::ElfFile& file, const PartOptions&, Output& out) {
  out.print("  {:>2} {:<14} {:>12} {:>18} {:>18} {:>12} {:>12} {:<4} {:>8}\n", "nr", "type", "offset",
            "address", "physical", "in file", "in memory", "flags", "align");
  const bool map = can_map_sections(file);
  if (!map) out.print("  (too many for a map of sections to segments)\n");
  for (u64 i = 0; i < file.segment_count(); ++i) {
    const elf::Segment each = file.segment(i);
    out.print("  {:>2} {:<14} {:#12x} {:#18x} {:#18x} {:#12x} {:#12x} {:<4} {:#8x}\n", i,
              elf::segment_type_name(each.type), each.offset, each.address, each.physical, each.file_bytes,
              each.memory_bytes, elf::segment_flags_name(each.flags), each.alignment);
    std::string_view between = "     ";
    for (u64 s = 1; map && s < file.section_count(); ++s) {
      const elf::Section section = file.section(s);
      if (!is_inside(section, each)) continue;
      out.text(between).name(file.section_name(section));
      between = " ";
    }
    if (between.size() == 1) out.text("\n");
  }
}

void print_sections(elf::ElfFile& file, const PartOptions&, Output& out) {
  out.print("  {:>2} {:<20} {:<12} {:>18} {:>12} {:>12} {:>5} {:<4} {:>4} {:>6} {:>5}  {}\n", "nr", "name",
            "type", "address", "offset", "size", "entry", "flags", "link", "info", "align", "meaning");
  for (u64 i = 1; i < file.section_count(); ++i) {
    const elf::Section each = file.section(i);
    const std::string_view name = file.section_name(each);
    out.print("  {:>2} {:<20} {:<12} {:#18x} {:#12x} {:#12x} {:>5} {:<4} {:>4} {:>6} {:>5}  {}\n", i,
              printable(name), elf::section_type_name(file.header().machine, each.type), each.address,
              each.offset, each.size, each.entry_size, elf::section_flags_name(each.flags), each.link,
              each.info, each.alignment, lens::file::section_meaning(name, each));
  }
}

void print_dynamic(elf::ElfFile& file, const PartOptions&, Output& out) {
  elf::Dynamic dynamic(file);
  for (const elf::DynamicEntry& each : dynamic.entries()) {
    const std::string_view name = elf::dynamic_tag_name(each.tag);
    out.print("  {:<18} ", name.empty() ? elf::hex(each.tag) : std::string(name));
    if (elf::is_dynamic_text(each.tag))
      out.name(dynamic.text(file, each));
    else if (each.tag == DT_FLAGS)
      out.text(elf::dynamic_flags_name(each.value));
    else if (each.tag == DT_FLAGS_1)
      out.text(elf::dynamic_flags_1_name(each.value));
    else
      out.print("{:#x}", each.value);
    out.text("\n");
  }
}

void print_versions(elf::ElfFile& file, const PartOptions&, Output& out) {
  const elf::Versions versions(file);
  for (const auto& each : versions.defined())
    out.print("  {:>5} defined  ", each.number)
        .name(each.name)
        .text(each.base ? " (the library's own name)\n" : "\n");
  for (const auto& each : versions.needed())
    out.print("  {:>5} needed   ", each.number)
        .name(each.name)
        .text(" of ")
        .name(each.library)
        .text(each.weak ? " (weak)\n" : "\n");
}

void print_symbols(elf::ElfFile& file, const PartOptions& options, Output& out) {
  const elf::Versions versions(file);
  const SectionNames sections(file);
  for (NamedTable& each : symbol_tables(file)) {
    out.text("  ").name(each.name).print(": {} entries\n", each.table.count());
    out.print("  {:>7} {:>16} {:>8} {:<7} {:<6} {:<9} {:<16} {}\n", "nr", "value", "size", "type", "bind",
              "visible", "section", "name");
    for (u64 i = 0; i < each.table.count(); ++i) {
      const elf::Symbol symbol = each.table.at(i);
      std::string_view place = sections.name(symbol.section);
      std::string index;
      if (place.empty() || symbol.is_reserved())
        place = index = SectionNames::index_text(symbol.section, symbol.is_reserved());
      out.text("  ").right(i, 7).text(" ").address(symbol.value).text(" ").right(symbol.size, 8).text(" ");
      out.left(elf::symbol_type_name(symbol.type()), 8).left(elf::symbol_binding_name(symbol.binding()), 7);
      out.left(elf::symbol_visibility_name(symbol.visibility()), 10).left(place, 16).text(" ");
      const std::string_view name =
          symbol.type() == STT_SECTION && symbol.name == 0 ? place : each.table.name(file, symbol);
      if (options.mangled || !name.starts_with('_'))
        out.name(name);
      else
        out.name(elf::demangle(std::string(name).c_str()));
      if (const u16 version = each.table.version(symbol); version != 0)
        out.name(version_suffix(versions.of(version, symbol.is_undefined())));
      out.text("\n");
    }
  }
}

namespace {

void print_relocation_table(elf::ElfFile& file, const elf::Section& section, const PartOptions& options,
                            Output& out) {
  const elf::RelocationTable table(file, section);
  RelocationSymbols symbols(file, section);
  out.text("  ").name(file.section_name(section)).print(": {} entries\n", table.count());
  for (u64 i = 0; i < table.count(); ++i) {
    const elf::Relocation each = table.at(i);
    out.print("  {:016x} {:<26} ", each.offset, elf::relocation_type_name(file.header().machine, each.type));
    const auto found = symbols.find(file, each.symbol);
    if (found.exists) {
      out.name(options.mangled ? found.name : elf::demangle(found.name.c_str()))
          .name(symbols.version(found.symbol));
    } else if (each.symbol != 0) {
      out.print("symbol {}", each.symbol);
    }
    if (each.addend) {
      const auto size =
          *each.addend < 0 ? ~static_cast<u64>(*each.addend) + 1 : static_cast<u64>(*each.addend);
      if (found.exists || each.symbol != 0)
        out.print(" {} {:#x}", *each.addend < 0 ? '-' : '+', size);
      else
        out.print("{}{:#x}", *each.addend < 0 ? "-" : "", size);
    }
    out.text("\n");
  }
}

}  // namespace

void print_relocations(elf::ElfFile& file, const PartOptions& options, Output& out) {
  for (u64 i = 1; i < file.section_count(); ++i) {
    const elf::Section section = file.section(i);
    if (is_relocation_table(section)) print_relocation_table(file, section, options, out);
    if (section.type != SHT_RELR) continue;
    out.text("  ").name(file.section_name(section)).text(": packed relative relocations\n");
    each_relative(file, section, [&out](u64 address) { out.print("  {:016x}\n", address); });
  }
}

void print_notes(elf::ElfFile& file, const PartOptions&, Output& out) {
  for (const elf::Note& each : read_notes(file)) {
    out.print("  {:#10x} {:<20} {:<10} {:<26} {:>7}  ", each.offset, printable(each.section),
              printable(each.owner), note_type_name(each), each.description.size());
    out.name(note_text(file, each)).text("\n");
  }
}

void print_units(elf::ElfFile& file, const PartOptions&, Output& out) {
  elf::DwarfUnits units(file);
  elf::DwarfUnit unit;
  while (units.next(unit)) {
    out.print("  {:#10x} {:>9} DWARF {} {:<8} {:<12} ", unit.offset, unit.length, unit.version,
              elf::unit_type_name(unit.type), unit.language != 0 ? elf::language_name(unit.language) : "");
    out.name(unit.name);
    if (!unit.directory.empty()) out.text(" in ").name(unit.directory);
    if (!unit.split_file.empty()) out.text(", the rest in ").name(unit.split_file);
    if (!unit.producer.empty()) out.text(" by ").name(unit.producer);
    out.text("\n");
  }
}

}  // namespace orrery::cli
