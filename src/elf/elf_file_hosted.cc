#include "elf/elf_file_hosted.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace orrery::elf {
namespace {

// Offsets of fields in the header, 64-bit and 32-bit, for messages.
struct HeaderFields {
  u64 segments_offset, sections_offset, header_size, segment_size, segment_count, section_size, section_count,
      names;
};
constexpr HeaderFields kWide = {0x20, 0x28, 0x34, 0x36, 0x38, 0x3a, 0x3c, 0x3e};
constexpr HeaderFields kNarrow = {0x1c, 0x20, 0x28, 0x2a, 0x2c, 0x2e, 0x30, 0x32};
const HeaderFields& fields_of(const FileBytes& bytes) { return bytes.wide() ? kWide : kNarrow; }

u64 segment_row_bytes(const FileBytes& bytes) {
  return bytes.wide() ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}
u64 section_row_bytes(const FileBytes& bytes) {
  return bytes.wide() ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
}

std::string bytes_text(u64 count) { return std::to_string(count) + (count == 1 ? " byte" : " bytes"); }

/// How many rows of a table lie in the file.
u64 rows_inside(const FileBytes& bytes, u64 offset, u64 row_bytes, u64 count) {
  return offset >= bytes.size() ? 0 : std::min(count, (bytes.size() - offset) / row_bytes);
}

Failure at(u64 offset, const std::string& sentence) { return Failure("at " + hex(offset) + ": " + sentence); }

}  // namespace

bool Section::has_file_bytes() const { return type != SHT_NOBITS && type != SHT_NULL; }

bool ElfFile::is_object() const { return header_.type == ET_REL; }
bool ElfFile::is_core() const { return header_.type == ET_CORE; }

Fallible<ElfFile> ElfFile::open(std::span<const u8> bytes) {
  ElfFile file;
  TRY(file.read_header(bytes));
  file.read_extended_counts();
  file.check_tables();
  file.check_sections();
  file.check_segments();
  return file;
}

Fallible<Nothing> ElfFile::read_header(std::span<const u8> bytes) {
  if (bytes.empty()) return at(0, "the file is empty");
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0)
    return at(0, "not an ELF file: it does not begin with 7f 45 4c 46");
  if (bytes.size() < EI_NIDENT)
    return at(bytes.size(), "the file ends within the ELF header's identification");
  const u8 file_class = bytes[EI_CLASS], order = bytes[EI_DATA];
  if (file_class != ELFCLASS32 && file_class != ELFCLASS64)
    return at(EI_CLASS, "the class is " + std::to_string(file_class) + ": neither 1 (32-bit) nor 2 (64-bit)");
  if (order != ELFDATA2LSB && order != ELFDATA2MSB)
    return at(EI_DATA,
              "the byte order is " + std::to_string(order) + ": neither 1 (little) nor 2 (big endian)");
  const bool wide = file_class == ELFCLASS64;
  bytes_ = FileBytes(bytes, wide, order == ELFDATA2MSB);
  const u64 size = wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  if (bytes.size() < size)
    return at(bytes.size(), "the file ends within the ELF header of " + bytes_text(size));
  if (bytes[EI_VERSION] != EV_CURRENT)
    damaged(EI_VERSION, "the identification's version is " + std::to_string(bytes[EI_VERSION]) + ", not 1");
  Fields fields(bytes_, EI_NIDENT);
  header_.os_abi = bytes[EI_OSABI];
  header_.abi_version = bytes[EI_ABIVERSION];
  header_.type = fields.half();
  header_.machine = fields.half();
  header_.version = fields.word();
  header_.entry = fields.address();
  header_.segments_offset = fields.address();
  header_.sections_offset = fields.address();
  header_.flags = fields.word();
  header_.header_size = fields.half();
  header_.segment_size = fields.half();
  header_.segment_count = fields.half();
  header_.section_size = fields.half();
  header_.section_count = fields.half();
  header_.section_names = fields.half();
  if (header_.version != EV_CURRENT)
    damaged(0x14, "the header's version is " + std::to_string(header_.version) + ", not 1");
  if (header_.header_size != size)
    damaged(fields_of(bytes_).header_size, "the header says that it has " + bytes_text(header_.header_size) +
                                               ", and it has " + std::to_string(size));
  return Nothing{};
}

/// Counts too large for the header's 16 bits stand in the first section's row (gABI, "Section Header").
void ElfFile::read_extended_counts() {
  if (header_.sections_offset == 0 || header_.section_size != section_row_bytes(bytes_)) return;
  if (!bytes_.holds(header_.sections_offset, section_row_bytes(bytes_))) return;
  section_count_ = 1;
  const Section first = section(0);
  section_count_ = 0;
  if (header_.section_count == 0) header_.section_count = first.size;
  if (header_.section_names == SHN_XINDEX) header_.section_names = first.link;
  if (header_.segment_count == PN_XNUM) header_.segment_count = first.info;
}

void ElfFile::check_tables() {
  const HeaderFields& fields = fields_of(bytes_);
  struct Table {
    const char* what;
    u64 offset_field, offset, size_field, row_bytes, right_bytes, count;
    u64* inside;
  };
  const Table tables[] = {
      {"program header", fields.segments_offset, header_.segments_offset, fields.segment_size,
       header_.segment_size, segment_row_bytes(bytes_), header_.segment_count, &segment_count_},
      {"section header", fields.sections_offset, header_.sections_offset, fields.section_size,
       header_.section_size, section_row_bytes(bytes_), header_.section_count, &section_count_},
  };
  for (const Table& table : tables) {
    if (table.count == 0) {
      if (table.offset != 0 && table.offset >= bytes_.size())
        damaged(table.offset_field, std::string("the ") + table.what + "s lie at " + hex(table.offset) +
                                        ", beyond the end of the file (" + bytes_text(bytes_.size()) + ")");
      continue;
    }
    const std::string what =
        std::string("the ") + std::to_string(table.count) + " " + table.what + (table.count == 1 ? "" : "s");
    if (table.row_bytes != table.right_bytes) {
      damaged(table.size_field, what + " have " + bytes_text(table.row_bytes) +
                                    " each by the ELF header, and should have " +
                                    std::to_string(table.right_bytes) + ": not read");
      continue;
    }
    *table.inside = rows_inside(bytes_, table.offset, table.right_bytes, table.count);
    if (*table.inside == table.count) continue;
    damaged(table.offset_field, what + " at " + hex(table.offset) + " reach beyond the end of the file (" +
                                    bytes_text(bytes_.size()) + "): " + std::to_string(*table.inside) +
                                    " are there");
  }
}

Segment ElfFile::segment(u64 index) const {
  Segment segment{.index = index, .row = header_.segments_offset + index * segment_row_bytes(bytes_)};
  if (index >= segment_count_) return segment;
  if (bytes_.wide() && !bytes_.big_endian()) {  // the same at once, as a section below
    Elf64_Phdr row;
    std::memcpy(&row, bytes_.all().data() + segment.row, sizeof row);
    return {index,       segment.row, row.p_type,   row.p_flags, row.p_offset,
            row.p_vaddr, row.p_paddr, row.p_filesz, row.p_memsz, row.p_align};
  }
  Fields fields(bytes_, segment.row);
  segment.type = fields.word();
  if (bytes_.wide()) segment.flags = fields.word();
  segment.offset = fields.address();
  segment.address = fields.address();
  segment.physical = fields.address();
  segment.file_bytes = fields.address();
  segment.memory_bytes = fields.address();
  if (!bytes_.wide()) segment.flags = fields.word();
  segment.alignment = fields.address();
  return segment;
}

Section ElfFile::section(u64 index) const {
  Section section{.index = index, .row = header_.sections_offset + index * section_row_bytes(bytes_)};
  if (index >= section_count_) return section;
  if (bytes_.wide() &&
      !bytes_.big_endian()) {  // the same at once: every summary goes through them several times
    Elf64_Shdr row;
    std::memcpy(&row, bytes_.all().data() + section.row, sizeof row);
    return {index,         section.row, row.sh_name, row.sh_type, row.sh_flags,     row.sh_addr,
            row.sh_offset, row.sh_size, row.sh_link, row.sh_info, row.sh_addralign, row.sh_entsize};
  }
  Fields fields(bytes_, section.row);
  section.name = fields.word();
  section.type = fields.word();
  section.flags = fields.address();
  section.address = fields.address();
  section.offset = fields.address();
  section.size = fields.address();
  section.link = fields.word();
  section.info = fields.word();
  section.alignment = fields.address();
  section.entry_size = fields.address();
  return section;
}

std::optional<Segment> ElfFile::find_segment(u32 type) const {
  for (u64 i = 0; i < segment_count_; ++i) {
    if (const Segment each = segment(i); each.type == type) return each;
  }
  return std::nullopt;
}

std::optional<Section> ElfFile::find_section(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return section(found->second);
}

std::optional<Section> ElfFile::find_section_of_type(u32 type) const {
  const auto found = by_type_.find(type);
  if (found == by_type_.end()) return std::nullopt;
  return section(found->second);
}

std::string_view ElfFile::section_name(const Section& section) {
  if (names_.size() == 0) return "";
  const Strings::Name name = names_.at(section.name);
  if (name.fault != Strings::Fault::none)
    damaged(section.row, "the name of section " + std::to_string(section.index) + " " + describe(name.fault));
  return name.text;
}

std::span<const u8> ElfFile::contents(const Section& section) const {
  if (!section.has_file_bytes()) return {};
  return bytes_.part(section.offset, section.size);
}

std::span<const u8> ElfFile::loaded_at(u64 address) const {
  for (u64 i = 0; i < segment_count_; ++i) {
    const Segment each = segment(i);
    if (each.type != PT_LOAD || address < each.address || address - each.address >= each.file_bytes) continue;
    const u64 behind = address - each.address;
    return bytes_.part(each.offset + behind, each.file_bytes - behind);
  }
  return {};
}

std::optional<u64> ElfFile::offset_of(u64 address) const {
  const std::span<const u8> bytes = loaded_at(address);
  if (bytes.empty()) return std::nullopt;
  return static_cast<u64>(bytes.data() - bytes_.all().data());
}

void ElfFile::check_sections() {
  if (section_count_ == 0) return;
  const u64 names_at = fields_of(bytes_).names;
  if (header_.section_names >= section_count_) {
    if (header_.section_count == section_count_)
      damaged(names_at, "the sections' names are in section " + std::to_string(header_.section_names) +
                            ", and there are " + std::to_string(section_count_));
  } else if (header_.section_names != SHN_UNDEF) {
    const Section names = section(header_.section_names);
    if (names.type == SHT_STRTAB)
      names_ = Strings(contents(names));
    else
      damaged(names_at, "the sections' names are in section " + std::to_string(names.index) +
                            ", which is no string table");
  }
  constexpr std::size_t kNamesKept = 4096;  // more than any linker's well-known ones
  bool allocated = false, kept = false;
  for (u64 i = 1; i < section_count_; ++i) {
    const Section each = section(i);
    by_type_.try_emplace(each.type, i);
    const std::string_view name = section_name(each);
    if (by_name_.size() < kNamesKept && !name.empty()) by_name_.try_emplace(name, i);
    if ((each.flags & SHF_ALLOC) != 0 && each.size != 0 && each.type != SHT_NOTE) {
      allocated = true;
      kept = kept || each.type != SHT_NOBITS;
    }
  }
  debug_file_ = allocated && !kept && (header_.type == ET_EXEC || header_.type == ET_DYN);
  constexpr u64 kEnough = 1000;  // nobody reads on, and a hostile file may have millions
  for (u64 i = 1; i < section_count_ && damages_.count() < kEnough; ++i) check_section(section(i));
}

void ElfFile::check_section(const Section& section) {
  const u64 width = bytes_.wide() ? 8 : 4;
  const u64 offset_field = section.row + 8 + 2 * width, size_field = offset_field + width,
            link_field = size_field + width;
  const auto called = [&] {
    const std::string_view name = section_name(section);
    return "section " + std::to_string(section.index) + (name.empty() ? "" : " (" + std::string(name) + ")");
  };
  if (section.has_file_bytes() && !bytes_.holds(section.offset, section.size))
    damaged(offset_field, called() + " has " + bytes_text(section.size) + " at " + hex(section.offset) +
                              ", beyond the end of the file (" + bytes_text(bytes_.size()) + ")");
  if (section.alignment > 1 && !std::has_single_bit(section.alignment))
    damaged(link_field + 8, called() + " has the alignment " + hex(section.alignment) + ", no power of two");
  switch (section.type) {
    case SHT_SYMTAB:
    case SHT_DYNSYM:
    case SHT_RELA:
    case SHT_REL:
    case SHT_DYNAMIC:
      if (section.link >= header_.section_count)
        damaged(link_field, called() + " refers to section " + std::to_string(section.link) +
                                ", and there are " + std::to_string(header_.section_count));
      if (section.entry_size == 0 && section.size != 0 &&
          section.type != SHT_DYNAMIC)  // Guile's linker writes 0 there
        damaged(link_field + 8 + width, called() + " has entries of 0 bytes");
      else if (section.entry_size != 0 && section.size % section.entry_size != 0)
        damaged(size_field, called() + " has " + bytes_text(section.size) + ", no multiple of its entries' " +
                                std::to_string(section.entry_size));
      break;
    default:
      break;
  }
}

void ElfFile::check_segments() {
  const u64 width = bytes_.wide() ? 8 : 4;
  u64 last_load = 0;
  bool loads = false;
  for (u64 i = 0; i < segment_count_; ++i) {
    const Segment each = segment(i);
    const u64 offset_field = each.row + (bytes_.wide() ? 8 : 4), address_field = offset_field + width;
    const u64 file_field = offset_field + 3 * width;
    const auto called = [&] { return "segment " + std::to_string(i); };
    if (!debug_file_ && each.file_bytes != 0 && !bytes_.holds(each.offset, each.file_bytes))
      damaged(offset_field, called() + " has " + bytes_text(each.file_bytes) + " at " + hex(each.offset) +
                                ", beyond the end of the file (" + bytes_text(bytes_.size()) + ")");
    if (each.type != PT_LOAD) continue;
    if (each.file_bytes > each.memory_bytes && !is_core())
      damaged(file_field, called() + " has more bytes in the file (" + hex(each.file_bytes) +
                              ") than in memory (" + hex(each.memory_bytes) + ")");
    if (each.address > ~u64{0} - each.memory_bytes)
      damaged(address_field, called() + " reaches beyond the last address");
    if (each.alignment > 1 && !std::has_single_bit(each.alignment))
      damaged(offset_field + 5 * width,
              called() + " has the alignment " + hex(each.alignment) + ", no power of two");
    else if (each.alignment > 1 && !debug_file_ && each.file_bytes != 0 &&
             (each.address - each.offset) % each.alignment != 0)
      damaged(address_field, called() + " cannot be mapped: address " + hex(each.address) + " and offset " +
                                 hex(each.offset) + " differ modulo the alignment " + hex(each.alignment));
    if (loads && each.address < last_load)
      damaged(address_field, called() + " lies below the PT_LOAD before it; they must ascend");
    last_load = each.address;
    loads = true;
  }
}

namespace {

bool is_tbss(const Section& section) { return (section.flags & SHF_TLS) != 0 && section.type == SHT_NOBITS; }

/// Types of segments that hold only what is loaded.
bool holds_loaded(u32 type) {
  return type == PT_LOAD || type == PT_DYNAMIC || type == PT_GNU_EH_FRAME || type == PT_GNU_STACK ||
         type == PT_GNU_RELRO;
}

/// [start, start + size) in [outer, outer + outer_size), and the start not at its very end.
bool lies_in(u64 start, u64 size, u64 outer, u64 outer_size) {
  return start >= outer && start - outer <= outer_size - 1 && size <= outer_size &&
         start - outer <= outer_size - size;
}

}  // namespace

// binutils include/elf/internal.h, ELF_SECTION_IN_SEGMENT_STRICT, without the .tbss that readelf leaves out.
bool is_inside(const Section& section, const Segment& segment) {
  const bool thread_local_data = (section.flags & SHF_TLS) != 0, allocated = (section.flags & SHF_ALLOC) != 0;
  if (is_tbss(section) && segment.type != PT_TLS) return false;
  if (thread_local_data) {
    if (segment.type != PT_TLS && segment.type != PT_GNU_RELRO && segment.type != PT_LOAD) return false;
  } else if (segment.type == PT_TLS || segment.type == PT_PHDR) {
    return false;
  }
  if (!allocated && holds_loaded(segment.type)) return false;
  const bool no_bits = section.type == SHT_NOBITS;
  if (!no_bits && !lies_in(section.offset, section.size, segment.offset, segment.file_bytes)) return false;
  if (allocated && !lies_in(section.address, section.size, segment.address, segment.memory_bytes))
    return false;
  if ((segment.type != PT_DYNAMIC && segment.type != PT_NOTE) || section.size != 0 ||
      segment.memory_bytes == 0)
    return true;
  const auto strictly = [](u64 start, u64 outer, u64 size) { return start > outer && start - outer < size; };
  return (no_bits || strictly(section.offset, segment.offset, segment.file_bytes)) &&
         (!allocated || strictly(section.address, segment.address, segment.memory_bytes));
}

}  // namespace orrery::elf
