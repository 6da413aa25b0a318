// The tables of an ELF file, complete: for `orrery show file --all` and `--part`. Each part is a row in
// kFileParts with its text and its JSON (file_parts_json.cc), both streamed.
#pragma once

#include <span>
#include <string_view>

#include "cli/file_output.h"
#include "elf/elf_file_hosted.h"

namespace orrery::cli {

struct PartOptions {
  bool mangled = false;  ///< names as the linker sees them
};

struct FilePart {
  const char* name;
  const char* title;
  void (*text)(elf::ElfFile& file, const PartOptions& options, Output& out);
  /// One JSON array.
  void (*json)(elf::ElfFile& file, const PartOptions& options, Output& out);
};

std::span<const FilePart> file_parts();

/// Names of the sections by index, looked up once.
class SectionNames {
 public:
  explicit SectionNames(elf::ElfFile& file);
  /// As readelf names an index: "UND", "ABS", "COM", else the number.
  static std::string index_text(u32 index, bool reserved);
  std::string_view name(u64 index) const {
    return index < names_.size() ? names_[index] : std::string_view();
  }

 private:
  std::vector<std::string_view> names_;
};

/// The section to segment map is left out where it would take millions of comparisons: no linker makes such
/// files.
bool can_map_sections(const elf::ElfFile& file);

void print_segments(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_sections(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_dynamic(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_versions(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_symbols(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_relocations(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_notes(elf::ElfFile& file, const PartOptions& options, Output& out);
void print_units(elf::ElfFile& file, const PartOptions& options, Output& out);

void json_segments(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_sections(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_dynamic(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_versions(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_symbols(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_relocations(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_notes(elf::ElfFile& file, const PartOptions& options, Output& out);
void json_units(elf::ElfFile& file, const PartOptions& options, Output& out);

}  // namespace orrery::cli
