// The dynamic section: what a file tells the dynamic linker.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/elf_file_hosted.h"

namespace orrery::elf {

struct DynamicEntry {
  u64 offset = 0;  ///< in the file
  u64 tag = 0;
  u64 value = 0;
};

class Dynamic {
 public:
  /// From PT_DYNAMIC, as the loader does, else from the section of that type. Empty if the file has neither.
  explicit Dynamic(ElfFile& file);

  /// Up to and with DT_NULL.
  const std::vector<DynamicEntry>& entries() const { return entries_; }
  std::optional<u64> find(u64 tag) const;  ///< the first
  Strings strings() const { return strings_; }
  /// The text of an entry whose value is an offset into the strings.
  std::string_view text(ElfFile& file, const DynamicEntry& entry);
  std::vector<std::string_view> texts(ElfFile& file, u64 tag);
  /// As many as the hash tables know: the dynamic section itself does not say.
  u64 symbol_count(const ElfFile& file) const;

 private:
  u64 gnu_hash_count(const ElfFile& file, u64 address) const;

  std::vector<DynamicEntry> entries_;
  Strings strings_;
};

/// "NEEDED", or "" for one that has no name.
std::string_view dynamic_tag_name(u64 tag);
/// Whether its value is an offset into the strings.
bool is_dynamic_text(u64 tag);

}  // namespace orrery::elf
