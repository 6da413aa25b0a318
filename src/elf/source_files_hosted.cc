#include "elf/source_files_hosted.h"

#include <dwarf.h>
#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace orrery::elf {
namespace {

constexpr u64 kFilesMost = 1'000'000;
constexpr u64 kPathMost = 4096;
/// A hostile file's million rows may all name one long text.
constexpr u64 kTextMost = u64{64} << 20;

/// libdw has expanded what was compressed.
LineSections line_sections(Dwarf* dwarf) {
  LineSections found;
  Elf* const elf = dwarf_getelf(dwarf);
  GElf_Ehdr head;
  size_t names = 0;
  if (!elf || !gelf_getehdr(elf, &head) || elf_getshdrstrndx(elf, &names) != 0) return found;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS) continue;
    const char* const text = elf_strptr(elf, names, header.sh_name);
    if (!text) continue;
    std::string_view name(text);
    if (name.starts_with(".z")) name.remove_prefix(1);
    FileBytes* const wanted = name.ends_with("debug_line")       ? &found.lines
                              : name.ends_with("debug_line_str") ? &found.line_strings
                              : name.ends_with("debug_str")      ? &found.strings
                                                                 : nullptr;
    const Elf_Data* const data = wanted ? elf_getdata(section, nullptr) : nullptr;
    if (data && data->d_buf)
      *wanted = FileBytes({static_cast<const u8*>(data->d_buf), data->d_size},
                          head.e_ident[EI_CLASS] == ELFCLASS64, head.e_ident[EI_DATA] == ELFDATA2MSB);
  }
  return found;
}

std::string text_at(const FileBytes& bytes, u64 offset) {
  const std::span<const u8> part = bytes.part(offset, kPathMost);
  const auto end = std::find(part.begin(), part.end(), u8{0});
  return end == part.end() ? "" : std::string(part.begin(), end);
}

std::string join(const std::string& directory, const std::string& name) {
  return name.starts_with('/') || directory.empty() ? name : directory + "/" + name;
}

/// Reads the header of one line table (DWARF 5, 6.2.4; DWARF 4, 6.2.4).
class LineHeader {
 public:
  LineHeader(const LineSections& sections, u64 offset, std::string directory)
      : sections_(sections), bytes_(sections.lines), at_(offset), unit_directory_(std::move(directory)) {}

  std::vector<SourceFile> read() {
    u64 length = number(4);
    if (length == 0xffff'ffff) {
      length = number(8);
      offset_bytes_ = 8;
    }
    end_ = at_ + std::min(length, bytes_.size() - std::min(at_, bytes_.size()));
    const u64 version = number(2);
    if (version < 2 || version > 5) return {};
    if (version >= 5) number(1), number(1);  // sizes of addresses and segment selectors
    number(offset_bytes_);                   // the header's length
    number(1);                               // the least instruction
    if (version >= 4) number(1);
    number(1), number(1), number(1);  // what a line is by default, and how lines are counted
    const u64 opcodes = number(1);
    at_ += opcodes > 0 ? opcodes - 1 : 0;
    version >= 5 ? read_tables() : read_lists();
    return std::move(files_);
  }

 private:
  u64 number(u64 width) {
    const u64 value = bytes_.number(at_, width);
    at_ += width;
    return value;
  }
  u64 leb() {
    u64 value = 0;
    for (unsigned shift = 0; at_ < end_; shift += 7) {
      const u64 byte = number(1);
      if (shift < 64) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  std::string text() {
    std::string found = text_at(bytes_, at_);
    at_ += found.size() + 1;
    return found;
  }

  /// DWARF 2 to 4: lists that an empty name ends. Directory 0 is the unit's, file 0 is none.
  void read_lists() {
    directories_.push_back(unit_directory_);
    while (at_ < end_ && directories_.size() < kFilesMost) {
      const std::string name = text();
      if (name.empty()) break;
      add_directory(join(unit_directory_, name));
    }
    while (at_ < end_ && files_.size() < kFilesMost) {
      const std::string name = text();
      if (name.empty()) break;
      const u64 directory = leb();
      leb(), leb();  // its time and size, which no compiler writes
      add(name, directory, std::nullopt);
    }
  }

  /// DWARF 5: each table says first what its rows have.
  void read_tables() {
    each_row([this](const Row& row) {
      add_directory(join(directories_.empty() ? unit_directory_ : directories_[0], row.path));
    });
    each_row([this](const Row& row) { add(row.path, row.directory, row.md5); });
  }

  struct Row {
    std::string path;
    u64 directory = 0;
    std::optional<Md5> md5;
  };

  template <class Take>
  void each_row(const Take& take) {
    std::vector<std::pair<u64, u64>> columns(number(1));
    for (auto& [content, form] : columns) content = leb(), form = leb();
    const u64 count = std::min(leb(), kFilesMost);
    for (u64 i = 0; i < count && at_ < end_ && !columns.empty(); ++i) {
      Row row;
      for (const auto& [content, form] : columns)
        if (!read_value(content, form, row)) return;
      take(row);
    }
  }

  /// False for a form whose length nobody knows.
  bool read_value(u64 content, u64 form, Row& row) {
    u64 value = 0;
    std::string found;
    switch (form) {
      case DW_FORM_string:
        found = text();
        break;
      case DW_FORM_line_strp:
        found = text_at(sections_.line_strings, number(offset_bytes_));
        break;
      case DW_FORM_strp:
        found = text_at(sections_.strings, number(offset_bytes_));
        break;
      case DW_FORM_data1:
        value = number(1);
        break;
      case DW_FORM_data2:
        value = number(2);
        break;
      case DW_FORM_data4:
        value = number(4);
        break;
      case DW_FORM_data8:
        value = number(8);
        break;
      case DW_FORM_udata:
        value = leb();
        break;
      case DW_FORM_data16:
        if (content == DW_LNCT_MD5 && bytes_.holds(at_, 16))
          std::ranges::copy(bytes_.part(at_, 16), row.md5.emplace().begin());
        at_ += 16;
        break;
      case DW_FORM_block:
        value = leb();
        at_ += std::min(value, bytes_.size());
        break;
      default:
        return false;
    }
    if (content == DW_LNCT_path) row.path = std::move(found);
    if (content == DW_LNCT_directory_index) row.directory = value;
    return true;
  }

  void add_directory(std::string path) {
    if (text_ > kTextMost) return;
    text_ += path.size();
    directories_.push_back(std::move(path));
  }

  void add(const std::string& name, u64 directory, const std::optional<Md5>& md5) {
    if (text_ > kTextMost) return;
    const std::string& where = directory < directories_.size() ? directories_[directory] : unit_directory_;
    files_.push_back({join(where, name), md5});
    text_ += files_.back().path.size();
  }

  const LineSections& sections_;
  const FileBytes& bytes_;
  u64 at_;
  u64 end_ = 0;
  u64 offset_bytes_ = 4;
  u64 text_ = 0;  ///< bytes of all paths
  std::string unit_directory_;
  std::vector<std::string> directories_;
  std::vector<SourceFile> files_;
};

}  // namespace

std::vector<SourceFile> read_source_files(const LineSections& sections, u64 offset,
                                          const std::string& directory) {
  if (!sections.lines.holds(offset, 4)) return {};
  return LineHeader(sections, offset, directory).read();
}

std::vector<SourceFile> unit_source_files(Dwarf_Die* unit) {
  Dwarf_Attribute attribute;
  Dwarf_Word offset = 0;
  if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attribute), &offset) != 0) return {};
  const char* const directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
  return read_source_files(line_sections(dwarf_cu_getdwarf(unit->cu)), offset, directory ? directory : "");
}

std::string absolute_path(Dwarf_Die* unit, const char* path) {
  if (!path) return "";
  if (path[0] == '/') return path;
  Dwarf_Attribute attribute;
  const char* const directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
  return directory ? join(directory, path) : path;
}

}  // namespace orrery::elf
