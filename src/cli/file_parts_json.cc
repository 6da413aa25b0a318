// The tables as JSON arrays, a row at a time, so that a table of millions needs no memory of its size.
#include <elf.h>

#include <nlohmann/json.hpp>

#include "cli/file_parts.h"
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

using Json = nlohmann::ordered_json;

/// An array that is written as it grows.
class Rows {
 public:
  explicit Rows(Output& out) : out_(out) { out_.text("["); }
  ~Rows() { out_.text("]"); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  void add(const Json& row) {
    out_.text(first_ ? "\n" : ",\n").text(row.dump(-1, ' ', false, Json::error_handler_t::replace));
    first_ = false;
  }

 private:
  Output& out_;
  bool first_ = true;
};

}  // namespace

void json_segments(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  const bool map = can_map_sections(file);
  for (u64 i = 0; i < file.segment_count(); ++i) {
    const elf::Segment each = file.segment(i);
    Json sections = Json::array();
    for (u64 s = 1; map && s < file.section_count(); ++s) {
      if (is_inside(file.section(s), each)) sections.push_back(s);
    }
    rows.add({{"type", elf::segment_type_name(each.type)},
              {"type_number", each.type},
              {"offset", each.offset},
              {"address", each.address},
              {"physical", each.physical},
              {"file_bytes", each.file_bytes},
              {"memory_bytes", each.memory_bytes},
              {"flags", each.flags},
              {"alignment", each.alignment},
              {"sections", sections}});
  }
}

void json_sections(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  for (u64 i = 0; i < file.section_count(); ++i) {
    const elf::Section each = file.section(i);
    const std::string_view name = i == 0 ? "" : file.section_name(each);
    rows.add({{"index", i},
              {"name", name},
              {"type", elf::section_type_name(file.header().machine, each.type)},
              {"type_number", each.type},
              {"flags", elf::section_flags_name(each.flags)},
              {"flag_bits", each.flags},
              {"address", each.address},
              {"offset", each.offset},
              {"size", each.size},
              {"file_bytes", each.file_bytes()},
              {"link", each.link},
              {"info", each.info},
              {"alignment", each.alignment},
              {"entry_size", each.entry_size},
              {"meaning", lens::file::section_meaning(name, each)}});
  }
}

void json_dynamic(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  elf::Dynamic dynamic(file);
  for (const elf::DynamicEntry& each : dynamic.entries()) {
    Json row = {{"tag", each.tag}, {"name", elf::dynamic_tag_name(each.tag)}, {"value", each.value}};
    if (elf::is_dynamic_text(each.tag)) row["text"] = dynamic.text(file, each);
    if (each.tag == DT_FLAGS) row["text"] = elf::dynamic_flags_name(each.value);
    if (each.tag == DT_FLAGS_1) row["text"] = elf::dynamic_flags_1_name(each.value);
    rows.add(row);
  }
}

void json_versions(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  const elf::Versions versions(file);
  for (const auto& each : versions.defined())
    rows.add({{"number", each.number}, {"name", each.name}, {"defined", true}, {"base", each.base}});
  for (const auto& each : versions.needed())
    rows.add({{"number", each.number},
              {"name", each.name},
              {"defined", false},
              {"library", each.library},
              {"weak", each.weak}});
}

void json_symbols(elf::ElfFile& file, const PartOptions& options, Output& out) {
  Rows rows(out);
  const elf::Versions versions(file);
  for (NamedTable& each : symbol_tables(file)) {
    for (u64 i = 0; i < each.table.count(); ++i) {
      const elf::Symbol symbol = each.table.at(i);
      const std::string name(each.table.name(file, symbol));
      Json row = {{"table", each.name},
                  {"index", i},
                  {"name", name},
                  {"value", symbol.value},
                  {"size", symbol.size},
                  {"type", elf::symbol_type_name(symbol.type())},
                  {"binding", elf::symbol_binding_name(symbol.binding())},
                  {"visibility", elf::symbol_visibility_name(symbol.visibility())},
                  {"section", SectionNames::index_text(symbol.section, symbol.is_reserved())}};
      if (!options.mangled) {
        if (const std::string demangled = elf::demangle(name.c_str()); demangled != name)
          row["demangled"] = demangled;
      }
      const auto version = versions.of(each.table.version(symbol), symbol.is_undefined());
      if (!version.name.empty()) {
        row["version"] = version.name;
        row["default_version"] = version.is_default;
        if (!version.library.empty()) row["library"] = version.library;
      }
      rows.add(row);
    }
  }
}

namespace {

void add_relocations(elf::ElfFile& file, const elf::Section& section, Rows& rows) {
  const elf::RelocationTable table(file, section);
  RelocationSymbols symbols(file, section);
  const std::string name(file.section_name(section));
  for (u64 i = 0; i < table.count(); ++i) {
    const elf::Relocation each = table.at(i);
    Json row = {{"table", name},
                {"offset", each.offset},
                {"info", each.info},
                {"type", elf::relocation_type_name(file.header().machine, each.type)},
                {"symbol_index", each.symbol}};
    if (const auto found = symbols.find(file, each.symbol); found.exists) {
      row["symbol"] = found.name + symbols.version(found.symbol);
      row["symbol_value"] = found.symbol.value;
    }
    if (each.addend) row["addend"] = *each.addend;
    rows.add(row);
  }
}

}  // namespace

void json_relocations(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  for (u64 i = 1; i < file.section_count(); ++i) {
    const elf::Section section = file.section(i);
    if (is_relocation_table(section)) add_relocations(file, section, rows);
    if (section.type != SHT_RELR) continue;
    const std::string name(file.section_name(section));
    each_relative(file, section, [&](u64 address) {
      rows.add({{"table", name}, {"offset", address}, {"type", "RELR"}});
    });
  }
}

void json_notes(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  for (const elf::Note& each : read_notes(file)) {
    rows.add({{"offset", each.offset},
              {"section", each.section},
              {"owner", each.owner},
              {"type", note_type_name(each)},
              {"type_number", each.type},
              {"description_bytes", each.description.size()},
              {"text", note_text(file, each)}});
  }
}

void json_units(elf::ElfFile& file, const PartOptions&, Output& out) {
  Rows rows(out);
  elf::DwarfUnits units(file);
  elf::DwarfUnit unit;
  while (units.next(unit)) {
    rows.add({{"offset", unit.offset},
              {"length", unit.length},
              {"dwarf_version", unit.version},
              {"type", elf::unit_type_name(unit.type)},
              {"address_size", unit.address_size},
              {"language", unit.language != 0 ? Json(elf::language_name(unit.language)) : Json(nullptr)},
              {"name", unit.name},
              {"directory", unit.directory},
              {"producer", unit.producer},
              {"split_file", unit.split_file}});
  }
}

}  // namespace orrery::cli
