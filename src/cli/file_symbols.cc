#include "cli/file_symbols.h"

#include <elf.h>

namespace orrery::cli {

std::vector<NamedTable> symbol_tables(elf::ElfFile& file) {
  std::vector<NamedTable> tables;
  for (const u32 type : {u32{SHT_DYNSYM}, u32{SHT_SYMTAB}}) {
    if (const auto section = file.find_section_of_type(type))
      tables.push_back(
          {std::string(file.section_name(*section)), section->index, elf::SymbolTable(file, *section)});
  }
  if (file.section_count() == 0) {
    elf::SymbolTable table = elf::SymbolTable::from_dynamic(file);
    if (table.count() != 0) tables.push_back({"dynamic", 0, std::move(table)});
  }
  return tables;
}

std::string version_suffix(const elf::SymbolVersion& version) {
  if (version.name.empty()) return "";
  return (version.is_default ? "@@" : "@") + std::string(version.name);
}

RelocationSymbols::RelocationSymbols(elf::ElfFile& file, const elf::Section& relocations) : versions_(file) {
  if (relocations.link == 0 || relocations.link >= file.section_count()) return;
  const elf::Section section = file.section(relocations.link);
  if (section.type == SHT_SYMTAB || section.type == SHT_DYNSYM) table_.emplace(file, section);
}

RelocationSymbols::Found RelocationSymbols::find(elf::ElfFile& file, u32 index) {
  Found found;
  if (index == 0 || !table_ || index >= table_->count()) return found;
  found.exists = true;
  found.symbol = table_->at(index);
  found.name = table_->name(file, found.symbol);
  if (found.name.empty() && found.symbol.type() == STT_SECTION)
    found.name = file.section_name(file.section(found.symbol.section));
  return found;
}

std::string RelocationSymbols::version(const elf::Symbol& symbol) const {
  return version_suffix(versions_.of(table_->version(symbol), symbol.is_undefined()));
}

}  // namespace orrery::cli
