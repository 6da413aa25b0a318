#include "elf/dynamic_hosted.h"

#include <elf.h>

#include <algorithm>

namespace orrery::elf {

Dynamic::Dynamic(ElfFile& file) {
  u64 offset = 0, size = 0;
  const auto section = file.find_section_of_type(SHT_DYNAMIC);
  if (const auto segment = file.find_segment(PT_DYNAMIC); segment && !file.is_debug_file()) {
    offset = segment->offset;
    size = segment->file_bytes;
  } else if (section) {
    offset = section->offset;
    size = section->size;
  }
  const u64 row_bytes = file.bytes().wide() ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
  const u64 rows = file.bytes().part(offset, size).size() / row_bytes;
  bool ended = false;
  for (u64 i = 0; i < rows && !ended; ++i) {
    Fields fields(file.bytes(), offset + i * row_bytes);
    const u64 at = fields.offset(), tag = fields.address();
    entries_.push_back({at, tag, fields.address()});
    ended = tag == DT_NULL;
  }
  if (rows != 0 && !ended) file.damaged(offset, "the dynamic section has no end (DT_NULL)");
  if (const auto at = find(DT_STRTAB)) {
    const std::span<const u8> bytes = file.loaded_at(*at);
    strings_ = Strings(bytes.first(std::min<u64>(find(DT_STRSZ).value_or(bytes.size()), bytes.size())));
    if (bytes.empty() && section && section->link < file.section_count())
      strings_ = Strings(file.contents(file.section(section->link)));
  }
}

std::optional<u64> Dynamic::find(u64 tag) const {
  for (const DynamicEntry& entry : entries_) {
    if (entry.tag == tag) return entry.value;
  }
  return std::nullopt;
}

std::string_view Dynamic::text(ElfFile& file, const DynamicEntry& entry) {
  const Strings::Name name = strings_.at(entry.value);
  if (name.fault != Strings::Fault::none)
    file.damaged(entry.offset, "the text of the dynamic entry " + std::string(dynamic_tag_name(entry.tag)) +
                                   " " + describe(name.fault));
  return name.text;
}

std::vector<std::string_view> Dynamic::texts(ElfFile& file, u64 tag) {
  std::vector<std::string_view> found;
  for (const DynamicEntry& entry : entries_) {
    if (entry.tag == tag) found.push_back(text(file, entry));
  }
  return found;
}

u64 Dynamic::symbol_count(const ElfFile& file) const {
  if (const auto hash = find(DT_HASH)) {
    if (const auto offset = file.offset_of(*hash)) return file.bytes().number(*offset + 4, 4);  // nchain
  }
  if (const auto hash = find(DT_GNU_HASH)) return gnu_hash_count(file, *hash);
  return 0;
}

// The last chain's last symbol is the last of all: an odd hash ends a chain.
u64 Dynamic::gnu_hash_count(const ElfFile& file, u64 address) const {
  const auto at = file.offset_of(address);
  if (!at) return 0;
  const FileBytes& bytes = file.bytes();
  Fields fields(bytes, *at);
  const u64 bucket_count = fields.word(), first = fields.word(), words = fields.word();
  fields.word();
  const u64 buckets = fields.offset() + words * (bytes.wide() ? 8 : 4), chains = buckets + 4 * bucket_count;
  u64 last = 0;
  for (u64 i = 0; i < bucket_count && bytes.holds(buckets + 4 * i, 4); ++i)
    last = std::max(last, bytes.number(buckets + 4 * i, 4));
  if (last < first) return first;
  for (u64 chain = chains + 4 * (last - first); bytes.holds(chain, 4); chain += 4, ++last) {
    if ((bytes.number(chain, 4) & 1) != 0) return last + 1;
  }
  return last;
}

namespace {

struct TagName {
  u64 tag;
  std::string_view name;
};
#define ORRERY_TAG(name) \
  { DT_##name, #name }
constexpr TagName kTags[] = {
    ORRERY_TAG(NULL),          ORRERY_TAG(NEEDED),        ORRERY_TAG(PLTRELSZ),
    ORRERY_TAG(PLTGOT),        ORRERY_TAG(HASH),          ORRERY_TAG(STRTAB),
    ORRERY_TAG(SYMTAB),        ORRERY_TAG(RELA),          ORRERY_TAG(RELASZ),
    ORRERY_TAG(RELAENT),       ORRERY_TAG(STRSZ),         ORRERY_TAG(SYMENT),
    ORRERY_TAG(INIT),          ORRERY_TAG(FINI),          ORRERY_TAG(SONAME),
    ORRERY_TAG(RPATH),         ORRERY_TAG(SYMBOLIC),      ORRERY_TAG(REL),
    ORRERY_TAG(RELSZ),         ORRERY_TAG(RELENT),        ORRERY_TAG(PLTREL),
    ORRERY_TAG(DEBUG),         ORRERY_TAG(TEXTREL),       ORRERY_TAG(JMPREL),
    ORRERY_TAG(BIND_NOW),      ORRERY_TAG(INIT_ARRAY),    ORRERY_TAG(FINI_ARRAY),
    ORRERY_TAG(INIT_ARRAYSZ),  ORRERY_TAG(FINI_ARRAYSZ),  ORRERY_TAG(RUNPATH),
    ORRERY_TAG(FLAGS),         ORRERY_TAG(PREINIT_ARRAY), ORRERY_TAG(PREINIT_ARRAYSZ),
    ORRERY_TAG(SYMTAB_SHNDX),  ORRERY_TAG(RELRSZ),        ORRERY_TAG(RELR),
    ORRERY_TAG(RELRENT),       ORRERY_TAG(GNU_HASH),      ORRERY_TAG(TLSDESC_PLT),
    ORRERY_TAG(TLSDESC_GOT),   ORRERY_TAG(CONFIG),        ORRERY_TAG(DEPAUDIT),
    ORRERY_TAG(AUDIT),         ORRERY_TAG(VERSYM),        ORRERY_TAG(RELACOUNT),
    ORRERY_TAG(RELCOUNT),      ORRERY_TAG(FLAGS_1),       ORRERY_TAG(VERDEF),
    ORRERY_TAG(VERDEFNUM),     ORRERY_TAG(VERNEED),       ORRERY_TAG(VERNEEDNUM),
    ORRERY_TAG(AUXILIARY),     ORRERY_TAG(FILTER),        ORRERY_TAG(CHECKSUM),
    ORRERY_TAG(GNU_PRELINKED), ORRERY_TAG(GNU_LIBLIST),   ORRERY_TAG(GNU_CONFLICT),
};
#undef ORRERY_TAG

}  // namespace

std::string_view dynamic_tag_name(u64 tag) {
  for (const TagName& each : kTags) {
    if (each.tag == tag) return each.name;
  }
  return "";
}

bool is_dynamic_text(u64 tag) {
  switch (tag) {
    case DT_NEEDED:
    case DT_SONAME:
    case DT_RPATH:
    case DT_RUNPATH:
    case DT_CONFIG:
    case DT_DEPAUDIT:
    case DT_AUDIT:
    case DT_AUXILIARY:
    case DT_FILTER:
      return true;
    default:
      return false;
  }
}

}  // namespace orrery::elf
