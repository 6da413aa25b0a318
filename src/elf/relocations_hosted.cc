#include "elf/relocations_hosted.h"

#include <elf.h>

namespace orrery::elf {

bool is_relocation_table(const Section& section) {
  return section.type == SHT_REL || section.type == SHT_RELA;
}

RelocationTable::RelocationTable(const ElfFile& file, const Section& section)
    : bytes_(file.bytes()), offset_(section.offset), addends_(section.type == SHT_RELA) {
  row_bytes_ = (addends_ ? 3 : 2) * (bytes_.wide() ? 8 : 4);
  count_ = file.contents(section).size() / row_bytes_;
  mips64_ = file.header().machine == EM_MIPS && bytes_.wide() && !bytes_.big_endian();
}

Relocation RelocationTable::at(u64 index) const {
  Relocation relocation;
  relocation.row = offset_ + index * row_bytes_;
  Fields fields(bytes_, relocation.row);
  relocation.offset = fields.address();
  relocation.info = fields.address();
  if (mips64_) {  // symbol first, then three types and a special symbol
    relocation.symbol = static_cast<u32>(relocation.info);
    relocation.type = static_cast<u32>(relocation.info >> 56);
  } else if (bytes_.wide()) {
    relocation.symbol = static_cast<u32>(relocation.info >> 32);
    relocation.type = static_cast<u32>(relocation.info);
  } else {
    relocation.symbol = static_cast<u32>(relocation.info >> 8);
    relocation.type = static_cast<u32>(relocation.info & 0xff);
  }
  if (addends_) {
    const u64 addend = fields.address();
    relocation.addend = bytes_.wide() ? static_cast<i64>(addend) : static_cast<i64>(static_cast<i32>(addend));
  }
  return relocation;
}

}  // namespace orrery::elf
