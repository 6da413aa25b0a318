// The symbols of an ELF file: those of its section headers (.symtab, .dynsym), or, when there are none, those
// that the dynamic section leads to. Decoded one by one, since a table may have millions.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "elf/elf_file_hosted.h"

namespace orrery::elf {

struct Symbol {
  u64 index = 0;
  u64 row = 0;  ///< offset of its row in the file
  u32 name = 0;
  u8 info = 0;
  u8 other = 0;
  u32 section = 0;  ///< SHN_XINDEX resolved
  u64 value = 0;
  u64 size = 0;

  u8 type() const { return info & 15; }
  u8 binding() const { return info >> 4; }
  u8 visibility() const { return other & 3; }
  bool is_undefined() const { return section == 0; }
  /// SHN_ABS, SHN_COMMON and their like are no index of a section.
  bool is_reserved() const { return section >= 0xff00 && section <= 0xffff && !extended; }
  bool extended = false;  ///< the section's index came from SHT_SYMTAB_SHNDX
};

/// Which version a symbol's .gnu.version entry means.
struct SymbolVersion {
  std::string_view name;     ///< "" if it has none
  std::string_view library;  ///< of a needed one
  bool is_default = false;   ///< written @@
};

/// .gnu.version_r and .gnu.version_d, by the number that .gnu.version uses.
class Versions {
 public:
  explicit Versions(ElfFile& file);

  struct Needed {
    u16 number = 0;
    std::string_view name, library;
    bool weak = false;
  };
  struct Defined {
    u16 number = 0;
    std::string_view name;
    bool base = false;  ///< the library's own name
  };
  const std::vector<Needed>& needed() const { return needed_; }
  const std::vector<Defined>& defined() const { return defined_; }
  SymbolVersion of(u16 entry, bool undefined) const;

 private:
  void read_needed(ElfFile& file, const Section& section);
  void read_defined(ElfFile& file, const Section& section);

  std::vector<Needed> needed_;  // both sorted by number
  std::vector<Defined> defined_;
};

class SymbolTable {
 public:
  /// Of a SHT_SYMTAB or SHT_DYNSYM section.
  SymbolTable(ElfFile& file, const Section& section);
  /// Of the dynamic section, for files without section headers.
  static SymbolTable from_dynamic(ElfFile& file);

  u64 count() const { return count_; }
  Symbol at(u64 index) const;
  /// As the file has it, "" if it has none; damage is noted.
  std::string_view name(ElfFile& file, const Symbol& symbol);
  /// The entry of .gnu.version; 0 if there is none.
  u16 version(const Symbol& symbol) const;
  bool is_dynamic() const { return dynamic_; }

 private:
  SymbolTable() = default;
  Symbol resolve(Symbol symbol) const;

  FileBytes bytes_;
  u64 offset_ = 0;
  u64 row_bytes_ = 0;
  u64 count_ = 0;
  u64 versions_offset_ = 0;  // 0: none
  u64 indexes_offset_ = 0;   // SHT_SYMTAB_SHNDX; 0: none
  bool dynamic_ = false;
  Strings names_;
};

}  // namespace orrery::elf
