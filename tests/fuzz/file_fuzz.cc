// Hostile ELF files and archives, as `orrery show file --all` reads them: every table to its end.
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "elf/archive_hosted.h"
#include "elf/demangle_hosted.h"
#include "elf/dwarf_units_hosted.h"
#include "elf/names_hosted.h"
#include "elf/relocations_hosted.h"
#include "elf/symbols_hosted.h"
#include "lens/file/parts.h"

namespace {

using namespace orrery;

void read_symbols(elf::ElfFile& file, elf::SymbolTable table) {
  const elf::Versions versions(file);
  for (u64 i = 0; i < table.count(); ++i) {
    const elf::Symbol symbol = table.at(i);
    (void)elf::demangle(std::string(table.name(file, symbol)).c_str());
    (void)versions.of(table.version(symbol), symbol.is_undefined());
  }
}

void read_tables(elf::ElfFile& file) {
  for (u64 i = 0; i < file.section_count(); ++i) {
    const elf::Section section = file.section(i);
    if (section.type == SHT_SYMTAB || section.type == SHT_DYNSYM)
      read_symbols(file, elf::SymbolTable(file, section));
    if (is_relocation_table(section)) {
      const elf::RelocationTable table(file, section);
      for (u64 row = 0; row < table.count(); ++row)
        (void)elf::relocation_type_name(file.header().machine, table.at(row).type);
    }
    if (section.type == SHT_RELR) each_relative(file, section, [](u64) {});
    for (u64 s = 0; s < file.segment_count(); ++s) (void)is_inside(section, file.segment(s));
  }
  read_symbols(file, elf::SymbolTable::from_dynamic(file));
  for (const elf::Note& note : read_notes(file)) (void)note_text(file, note);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const u8> bytes(data, size);
  if (elf::is_archive(bytes)) (void)elf::read_archive(bytes);
  auto opened = elf::ElfFile::open(bytes);
  if (!opened) return 0;
  (void)lens::file::gather(opened.value(), 0, {.all = true});
  read_tables(opened.value());
  return 0;
}
