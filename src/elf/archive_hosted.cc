#include "elf/archive_hosted.h"

#include <ar.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace orrery::elf {
namespace {

constexpr std::string_view kThin = "!<thin>\n";

std::string_view text_of(std::span<const u8> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view trimmed(std::string_view field) {
  const std::size_t end = field.find_last_not_of(' ');
  return end == std::string_view::npos ? std::string_view() : field.substr(0, end + 1);
}

/// A field of decimal digits; false if it holds anything else.
bool read_decimal(std::string_view field, u64& value) {
  value = 0;
  field = trimmed(field);
  for (const char c : field) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<u64>(c - '0');
  }
  return !field.empty() && field.size() < 19;
}

/// "name/", or "/123" for a name in the table of long names.
std::string member_name(std::string_view field, std::string_view long_names) {
  field = trimmed(field);
  u64 offset = 0;
  if (field.size() > 1 && field[0] == '/' && read_decimal(field.substr(1), offset)) {
    if (offset >= long_names.size()) return "";
    const std::string_view rest = long_names.substr(offset);
    field = rest.substr(0, std::min<std::size_t>(rest.find('\n'), 4096));
  }
  if (field.size() > 1 && field.back() == '/') field.remove_suffix(1);
  return std::string(field);
}

}  // namespace

bool is_archive(std::span<const u8> bytes) {
  return bytes.size() >= SARMAG &&
         (text_of(bytes.first(SARMAG)) == ARMAG || text_of(bytes.first(SARMAG)) == kThin);
}

Archive read_archive(std::span<const u8> bytes) {
  Archive archive;
  const FileBytes file(bytes, true, true);  // the index is big-endian everywhere
  archive.thin = text_of(bytes.first(SARMAG)) == kThin;
  std::string_view long_names;
  for (u64 at = SARMAG; at < bytes.size();) {
    ar_hdr header;
    if (!file.holds(at, sizeof header)) {
      archive.damages.add(at, "the archive ends within the header of a member");
      return archive;
    }
    std::memcpy(&header, bytes.data() + at, sizeof header);
    ArchiveMember member{.name = "", .header = at, .offset = at + sizeof header, .size = 0};
    const std::string_view name(header.ar_name, sizeof header.ar_name);
    if (std::memcmp(header.ar_fmag, ARFMAG, sizeof header.ar_fmag) != 0 ||
        !read_decimal({header.ar_size, sizeof header.ar_size}, member.size)) {
      archive.damages.add(at, "no header of an archive's member where one should be");
      return archive;
    }
    const std::string_view kind = trimmed(name);
    const bool index = kind == "/" || kind == "/SYM64/", names = kind == "//";
    const bool inside = index || names || !archive.thin;
    if (inside && !file.holds(member.offset, member.size))
      archive.damages.add(
          at, "a member of " + std::to_string(member.size) + " bytes reaches beyond the end of the file");
    if (index) {
      archive.has_index = true;
      archive.index_symbols = file.number(member.offset, kind == "/" ? 4 : 8);
    } else if (names) {
      long_names = text_of(file.part(member.offset, member.size));
    } else {
      member.name = member_name(name, long_names);
      archive.members.push_back(member);
    }
    at = member.offset + (inside ? member.size + member.size % 2 : 0);
  }
  return archive;
}

}  // namespace orrery::elf
