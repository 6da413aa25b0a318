// The relocations of an ELF file: what the linker, or the dynamic linker, has yet to fill in.
#pragma once

#include <optional>

#include "elf/elf_file_hosted.h"

namespace orrery::elf {

struct Relocation {
  u64 row = 0;     ///< offset of its row in the file
  u64 offset = 0;  ///< where it is applied: an address, or in an object an offset in the section
  u64 info = 0;
  u32 type = 0;
  u32 symbol = 0;             ///< index in the linked symbol table; 0: none
  std::optional<i64> addend;  ///< only SHT_RELA has them
};

/// SHT_REL and SHT_RELA, decoded one by one. SHT_RELR is packed: see relative_count.
class RelocationTable {
 public:
  RelocationTable(const ElfFile& file, const Section& section);
  u64 count() const { return count_; }
  Relocation at(u64 index) const;

 private:
  FileBytes bytes_;
  u64 offset_ = 0;
  u64 row_bytes_ = 0;
  u64 count_ = 0;
  bool addends_ = false;
  bool mips64_ = false;  ///< r_info has a layout of its own there
};

bool is_relocation_table(const Section& section);

/// The addresses that a SHT_RELR section packs: each takes a relative relocation.
template <class Visit>
void each_relative(const ElfFile& file, const Section& section, const Visit& visit) {
  const FileBytes& bytes = file.bytes();
  const u64 width = bytes.wide() ? 8 : 4;
  const u64 words = file.contents(section).size() / width;
  u64 next = 0;
  for (u64 i = 0; i < words; ++i) {
    u64 word = bytes.number(section.offset + i * width, width);
    if ((word & 1) == 0) {  // an address
      visit(word);
      next = word + width;
      continue;
    }
    for (u64 at = next; (word >>= 1) != 0; at += width) {
      if ((word & 1) != 0) visit(at);
    }
    next += (8 * width - 1) * width;
  }
}

}  // namespace orrery::elf
