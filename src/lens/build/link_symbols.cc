#include "lens/build/link_symbols.h"

#include <ar.h>
#include <elf.h>

#include <algorithm>
#include <cstring>

#include "elf/archive_hosted.h"
#include "lens/build/phase.h"

namespace orrery::lens::build {
namespace {

std::string text_of(std::span<const u8> bytes, u64 offset, u64 size) {
  if (offset > bytes.size() || size > bytes.size() - offset) return "";
  return {reinterpret_cast<const char*>(bytes.data() + offset), size};
}

/// A member, found by its header. Of an archive that was read in parts the other headers are zeros.
struct Member {
  std::string name{};
  std::span<const u8> bytes{};
};

u64 decimal(const std::string& text) {
  u64 value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<u64>(c - '0');
  }
  return value;
}

std::optional<Member> member_at(std::span<const u8> bytes, u64 header, const std::string& long_names) {
  const std::string text = text_of(bytes, header, sizeof(ar_hdr));
  if (text.empty() || !text.ends_with(ARFMAG)) return std::nullopt;
  const u64 size = decimal(text.substr(offsetof(ar_hdr, ar_size), sizeof(ar_hdr::ar_size)));
  const u64 at = header + sizeof(ar_hdr);
  if (size > bytes.size() - at) return std::nullopt;
  std::string name = text.substr(0, sizeof(ar_hdr::ar_name));
  const bool is_long = name[0] == '/' && name[1] >= '0' && name[1] <= '9';
  if (is_long) name = long_names.substr(std::min<u64>(decimal(name.substr(1)), long_names.size()));
  name = name.substr(0, name.find_first_of(is_long ? "/\n" : "/", 0));
  return Member{name, bytes.subspan(at, size)};
}

u64 big_endian(std::span<const u8> bytes, u64 offset) {
  u64 value = 0;
  for (u64 i = 0; i < 4; ++i) value = value << 8 | bytes[offset + i];
  return value;
}

/// The index "/" that ranlib(1) makes: a count, that many offsets of headers, that many names.
std::vector<std::pair<std::string, u64>> read_index(std::span<const u8> bytes) {
  std::vector<std::pair<std::string, u64>> index;
  const auto first = member_at(bytes, SARMAG, "");
  if (!first || !first->name.empty() || first->bytes.size() < 4) return index;
  const u64 count = big_endian(first->bytes, 0);
  u64 name = 4 + 4 * count;
  for (u64 i = 0; i < count && name < first->bytes.size(); ++i) {
    const auto* begin = reinterpret_cast<const char*>(first->bytes.data() + name);
    const u64 length = strnlen(begin, first->bytes.size() - name);
    index.emplace_back(std::string(begin, length), big_endian(first->bytes, 4 + 4 * i));
    name += length + 1;
  }
  return index;
}

/// The member "//" behind the index, which holds the names that are too long for a header.
std::string read_long_names(std::span<const u8> bytes) {
  const auto first = member_at(bytes, SARMAG, "");
  if (!first) return "";
  u64 at = SARMAG + sizeof(ar_hdr) + first->bytes.size();
  at += at & 1;
  if (!text_of(bytes, at, 2).starts_with("//")) return "";
  const std::string header = text_of(bytes, at, sizeof(ar_hdr));
  return text_of(bytes, at + sizeof(ar_hdr),
                 decimal(header.substr(offsetof(ar_hdr, ar_size), sizeof(ar_hdr::ar_size))));
}

/// "puts@@GLIBC_2.2.5" and "puts@GLIBC_2.2.5" are puts.
std::string plain(std::string_view name) { return std::string(name.substr(0, name.find('@'))); }

}  // namespace

void LinkResolver::add(const LinkInput& input) {
  if (elf::is_archive(input.bytes)) return add_archive(input);
  auto file = elf::ElfFile::open(input.bytes);
  if (!file) return;
  if (file.value().is_object()) return add_unit({.file = input.path}, input.bytes);
  if (file.value().header().type == ET_DYN) add_library(input, file.value());
}

void LinkResolver::define(const std::string& name, const Definition& definition) {
  auto [known, fresh] = defined_.emplace(name, definition);
  if (fresh) return;
  const bool over_library = known->second.by == ResolvedBy::library && definition.by != ResolvedBy::library;
  const bool over_weak = known->second.weak && !definition.weak && definition.by != ResolvedBy::library;
  if (over_library || over_weak) known->second = definition;
}

void LinkResolver::drop_repeated_groups(OpenedUnit& unit) {
  for (u64 i = 1; i < unit.file.section_count(); ++i) {
    const elf::Section section = unit.file.section(i);
    if (section.type != SHT_GROUP) continue;
    const auto words = unit.file.contents(section);
    u32 flags = 0;
    if (words.size() < sizeof flags) continue;
    std::memcpy(&flags, words.data(), sizeof flags);
    if ((flags & GRP_COMDAT) == 0 || section.info >= unit.names.size()) continue;
    if (groups_.insert(unit.names[section.info]).second) continue;
    for (u64 at = sizeof(u32); at + sizeof(u32) <= words.size(); at += sizeof(u32)) {
      u32 index = 0;
      std::memcpy(&index, words.data() + at, sizeof index);
      unit.discarded.insert(index);
    }
  }
}

void LinkResolver::add_unit(LinkUnit linked, std::span<const u8> bytes) {
  auto file = elf::ElfFile::open(bytes);
  if (!file || !file.value().is_object()) return;
  OpenedUnit& unit = units_.emplace_back(OpenedUnit{.unit = std::move(linked), .file = file.take()});
  const auto section = unit.file.find_section_of_type(SHT_SYMTAB);
  if (!section) return;
  elf::SymbolTable table(unit.file, *section);
  for (u64 i = 0; i < table.count(); ++i) {
    unit.symbols.push_back(table.at(i));
    unit.names.push_back(plain(table.name(unit.file, unit.symbols.back())));
  }
  drop_repeated_groups(unit);
  const ResolvedBy by = unit.unit.member.empty() ? ResolvedBy::object : ResolvedBy::member;
  for (u64 i = 1; i < unit.symbols.size(); ++i) {
    const elf::Symbol& symbol = unit.symbols[i];
    if (symbol.binding() == STB_LOCAL) continue;
    const bool weak = symbol.binding() == STB_WEAK;
    const bool common = symbol.is_reserved() && symbol.section == SHN_COMMON;
    if (!symbol.is_undefined()) {
      if (!unit.discarded.contains(symbol.section))
        define(unit.names[i], {by, weak || common, unit.unit.file, unit.unit.member});
    } else if (!weak) {
      wanted_.emplace(unit.names[i], units_.size() - 1);
    }
  }
}

void LinkResolver::add_library(const LinkInput& input, elf::ElfFile& file) {
  const auto section = file.find_section_of_type(SHT_DYNSYM);
  if (!section) return;
  elf::SymbolTable table(file, *section);
  for (u64 i = 1; i < table.count(); ++i) {
    const elf::Symbol symbol = table.at(i);
    if (symbol.is_undefined() || symbol.binding() == STB_LOCAL) continue;
    const bool hidden_version =
        (table.version(symbol) & 0x8000) != 0;  // foo@OLD is for programs linked before
    if (!hidden_version)
      define(plain(table.name(file, symbol)), {ResolvedBy::library, false, input.path, ""});
  }
}

void LinkResolver::add_archive(const LinkInput& input) {
  Archive& archive = archives_.emplace_back(
      Archive{.path = input.path, .bytes = input.bytes, .index = read_index(input.bytes)});
  while (take_wanted(archive)) {
  }
}

/// Takes in what the archive has of what is wanted; whether it was anything.
bool LinkResolver::take_wanted(Archive& archive) {
  const std::string long_names = read_long_names(archive.bytes);
  bool taken = false;
  for (const auto& [symbol, header] : archive.index) {
    const auto wanted = wanted_.find(symbol);
    if (wanted == wanted_.end() || defined_.contains(symbol) || archive.taken.contains(header)) continue;
    const auto member = member_at(archive.bytes, header, long_names);
    if (!member) continue;
    archive.taken.insert(header);
    taken = true;
    add_unit({.file = archive.path,
              .member = member->name,
              .wanted_by = units_[wanted->second].unit.name(),
              .wanted_symbol = symbol},
             member->bytes);
  }
  return taken;
}

void LinkResolver::finish() {
  for (bool taken = true; taken;) {
    taken = false;
    for (Archive& archive : archives_) taken |= take_wanted(archive);
  }
}

bool LinkResolver::is_definer(u64 unit, const std::string& name) const {
  const auto known = defined_.find(name);
  return known != defined_.end() && known->second.file == units_[unit].unit.file &&
         known->second.member == units_[unit].unit.member;
}

std::vector<LinkSymbol> LinkResolver::symbols() const {
  std::vector<LinkSymbol> all;
  for (u64 number = 0; number < units_.size(); ++number) {
    const OpenedUnit& unit = units_[number];
    for (u64 i = 1; i < unit.symbols.size(); ++i) {
      const elf::Symbol& symbol = unit.symbols[i];
      if (!symbol.is_undefined() || symbol.binding() == STB_LOCAL) continue;
      LinkSymbol row{.name = unit.names[i], .unit = number, .weak = symbol.binding() == STB_WEAK};
      if (const auto known = defined_.find(row.name); known != defined_.end()) {
        row.by = known->second.by;
        row.file = known->second.file;
        row.member = known->second.member;
      } else if (!row.weak) {
        row.by = ResolvedBy::linker;
      }
      all.push_back(std::move(row));
    }
  }
  return all;
}

}  // namespace orrery::lens::build
