// The symbol tables of a file as its parts go through them: .dynsym and .symtab, with versions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/symbols_hosted.h"

namespace orrery::cli {

struct NamedTable {
  std::string name;  ///< of its section; "dynamic" where there are no sections
  u64 section = 0;
  elf::SymbolTable table;
};

/// .dynsym first. The gABI allows one of each kind.
std::vector<NamedTable> symbol_tables(elf::ElfFile& file);

/// "@VERSION" or "@@VERSION"; "" if it has none.
std::string version_suffix(const elf::SymbolVersion& version);

/// What relocations say about symbols: the symbols of the table that a relocation section links to.
class RelocationSymbols {
 public:
  RelocationSymbols(elf::ElfFile& file, const elf::Section& relocations);
  struct Found {
    bool exists = false;
    elf::Symbol symbol;
    std::string name;  ///< of the symbol, or of the section that it stands for
  };
  Found find(elf::ElfFile& file, u32 index);
  std::string version(const elf::Symbol& symbol) const;

 private:
  std::optional<elf::SymbolTable> table_;
  elf::Versions versions_;
};

}  // namespace orrery::cli
