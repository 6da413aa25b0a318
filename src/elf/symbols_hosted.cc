#include "elf/symbols_hosted.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "elf/dynamic_hosted.h"

namespace orrery::elf {
namespace {

u64 symbol_row_bytes(const FileBytes& bytes) { return bytes.wide() ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym); }

Strings linked_strings(ElfFile& file, const Section& section) {
  if (section.link == 0 || section.link >= file.section_count()) return {};
  const Section names = file.section(section.link);
  if (names.type == SHT_STRTAB) return Strings(file.contents(names));
  file.damaged(section.row, "the names of section " + std::to_string(section.index) + " are in section " +
                                std::to_string(section.link) + ", which is no string table");
  return {};
}

/// The section of `type` that belongs to `section` by its link.
std::optional<Section> companion(const ElfFile& file, const Section& section, u32 type) {
  const auto found = file.find_section_of_type(type);
  if (!found || found->link == section.index) return found;
  for (u64 i = found->index + 1; i < file.section_count(); ++i) {
    if (const Section each = file.section(i); each.type == type && each.link == section.index) return each;
  }
  return std::nullopt;
}

}  // namespace

SymbolTable::SymbolTable(ElfFile& file, const Section& section)
    : bytes_(file.bytes()), offset_(section.offset), row_bytes_(symbol_row_bytes(bytes_)) {
  dynamic_ = section.type == SHT_DYNSYM;
  count_ = file.contents(section).size() / row_bytes_;
  names_ = linked_strings(file, section);
  if (section.entry_size != row_bytes_ && section.entry_size != 0)
    file.damaged(section.row, "section " + std::to_string(section.index) + " has symbols of " +
                                  std::to_string(section.entry_size) + " bytes, and they have " +
                                  std::to_string(row_bytes_));
  if (dynamic_) {
    if (const auto versions = companion(file, section, SHT_GNU_versym)) versions_offset_ = versions->offset;
  }
  if (const auto indexes = companion(file, section, SHT_SYMTAB_SHNDX)) indexes_offset_ = indexes->offset;
}

SymbolTable SymbolTable::from_dynamic(ElfFile& file) {
  SymbolTable table;
  table.bytes_ = file.bytes();
  table.row_bytes_ = symbol_row_bytes(table.bytes_);
  table.dynamic_ = true;
  const Dynamic dynamic(file);
  const auto at = dynamic.find(DT_SYMTAB);
  const auto offset = at ? file.offset_of(*at) : std::nullopt;
  if (!offset) return table;
  table.offset_ = *offset;
  const u64 inside = (table.bytes_.size() - *offset) / table.row_bytes_;
  table.count_ = std::min(dynamic.symbol_count(file), inside);
  table.names_ = dynamic.strings();
  if (const auto versions = dynamic.find(DT_VERSYM))
    table.versions_offset_ = file.offset_of(*versions).value_or(0);
  return table;
}

Symbol SymbolTable::at(u64 index) const {
  Symbol symbol{.index = index, .row = offset_ + index * row_bytes_};
  if (bytes_.wide() && !bytes_.big_endian() && index < count_) {  // the same at once: tables have millions
    Elf64_Sym row;
    std::memcpy(&row, bytes_.all().data() + symbol.row, sizeof row);
    symbol.name = row.st_name;
    symbol.info = row.st_info;
    symbol.other = row.st_other;
    symbol.section = row.st_shndx;
    symbol.value = row.st_value;
    symbol.size = row.st_size;
    return resolve(symbol);
  }
  Fields fields(bytes_, symbol.row);
  symbol.name = fields.word();
  if (bytes_.wide()) {
    symbol.info = fields.byte();
    symbol.other = fields.byte();
    symbol.section = fields.half();
  }
  symbol.value = fields.address();
  symbol.size = fields.address();
  if (!bytes_.wide()) {
    symbol.info = fields.byte();
    symbol.other = fields.byte();
    symbol.section = fields.half();
  }
  return resolve(symbol);
}

Symbol SymbolTable::resolve(Symbol symbol) const {
  if (symbol.section == SHN_XINDEX && indexes_offset_ != 0) {
    symbol.section = static_cast<u32>(bytes_.number(indexes_offset_ + 4 * symbol.index, 4));
    symbol.extended = true;
  }
  return symbol;
}

std::string_view SymbolTable::name(ElfFile& file, const Symbol& symbol) {
  if (symbol.name == 0) return "";
  const Strings::Name name = names_.at(symbol.name);
  if (name.fault != Strings::Fault::none)
    file.damaged(symbol.row,
                 "the name of symbol " + std::to_string(symbol.index) + " " + describe(name.fault));
  return name.text;
}

u16 SymbolTable::version(const Symbol& symbol) const {
  return versions_offset_ == 0 ? u16{0}
                               : static_cast<u16>(bytes_.number(versions_offset_ + 2 * symbol.index, 2));
}

Versions::Versions(ElfFile& file) {
  if (const auto section = file.find_section_of_type(SHT_GNU_verneed)) read_needed(file, *section);
  if (const auto section = file.find_section_of_type(SHT_GNU_verdef)) read_defined(file, *section);
  const auto by_number = [](const auto& one, const auto& other) { return one.number < other.number; };
  std::stable_sort(needed_.begin(), needed_.end(), by_number);
  std::stable_sort(defined_.begin(), defined_.end(), by_number);
}

// The entries are chains of offsets. A hostile chain may visit the same bytes again and again, so no more
// entries are read than would fit into the section side by side.
void Versions::read_needed(ElfFile& file, const Section& section) {
  Strings strings = linked_strings(file, section);
  u64 budget = file.contents(section).size() / sizeof(Elf64_Vernaux);
  const FileBytes& bytes = file.bytes();
  for (u64 at = section.offset, left = section.info; left > 0; --left) {
    if (budget-- == 0)
      return file.damaged(section.row, "the needed versions form a chain longer than their section");
    Fields fields(bytes, at);
    fields.half();
    const u16 count = fields.half();
    const std::string_view library = strings.at(fields.word()).text;
    const u32 first = fields.word(), next = fields.word();
    u64 entry = at + first;
    for (u16 i = 0; i < count; ++i) {
      if (budget-- == 0)
        return file.damaged(section.row, "the needed versions form a chain longer than their section");
      Fields aux(bytes, entry);
      aux.word();
      const u16 flags = aux.half(), number = aux.half();
      needed_.push_back({number, strings.at(aux.word()).text, library, (flags & VER_FLG_WEAK) != 0});
      const u32 next_entry = aux.word();
      if (next_entry == 0) break;
      entry += next_entry;
    }
    if (next == 0) break;
    at += next;
  }
}

void Versions::read_defined(ElfFile& file, const Section& section) {
  Strings strings = linked_strings(file, section);
  u64 budget = file.contents(section).size() / sizeof(Elf64_Verdaux);
  for (u64 at = section.offset, left = section.info; left > 0; --left) {
    if (budget-- == 0)
      return file.damaged(section.row, "the defined versions form a chain longer than their section");
    Fields fields(file.bytes(), at);
    fields.half();
    const u16 flags = fields.half(), number = fields.half();
    fields.half();
    fields.word();
    const u32 first = fields.word(), next = fields.word();
    const u64 name = file.bytes().number(at + first, 4);
    defined_.push_back({number, strings.at(name).text, (flags & VER_FLG_BASE) != 0});
    if (next == 0) break;
    at += next;
  }
}

// As readelf(1): a defined symbol's number is looked for among the definitions first; a variable that was
// copied from a library is defined and has a needed version.
SymbolVersion Versions::of(u16 entry, bool undefined) const {
  constexpr u16 kHidden = 0x8000;
  const u16 number = entry & 0x7fff;
  if (number == VER_NDX_LOCAL) return {};
  const auto below = [](const auto& each, u16 wanted) { return each.number < wanted; };
  if (!undefined) {
    const auto found = std::lower_bound(defined_.begin(), defined_.end(), number, below);
    if (found != defined_.end() && found->number == number) {
      if (found->base && number == VER_NDX_GLOBAL) return {};
      return {found->name, "", (entry & kHidden) == 0};
    }
  }
  const auto found = std::lower_bound(needed_.begin(), needed_.end(), number, below);
  if (found != needed_.end() && found->number == number) return {found->name, found->library, false};
  return {};
}

}  // namespace orrery::elf
