// One section of debug information, whose bytes may be compressed (SHF_COMPRESSED, or the older .zdebug_*):
// those are expanded from the beginning, as far as somebody reads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "elf/elf_file_hosted.h"

namespace orrery::elf {

class DebugSection {
 public:
  /// `name` is ".debug_info" and so on; the section may be missing, and is empty then.
  DebugSection(ElfFile& file, std::string_view name);
  ~DebugSection();
  DebugSection(const DebugSection&) = delete;
  DebugSection& operator=(const DebugSection&) = delete;

  bool exists() const { return section_.has_value(); }
  bool compressed() const { return expander_ != nullptr; }
  const std::optional<Section>& section() const { return section_; }
  u64 file_bytes() const { return section_ ? section_->file_bytes() : 0; }
  u64 size() const { return size_; }  ///< expanded
  /// The bytes from the beginning, at least up to `end` where there are so many.
  const FileBytes& up_to(u64 end);
  /// The NUL-terminated text at `offset`; "" if there is none.
  std::string text(u64 offset);
  /// Where a byte of the section lies in the file, for messages: exact unless it is compressed.
  u64 file_offset(u64 offset) const;

 private:
  struct Expander;
  void find_compression(ElfFile& file, std::string_view name);

  std::optional<Section> section_;
  FileBytes bytes_;
  u64 size_ = 0;
  std::vector<u8> expanded_;
  std::unique_ptr<Expander> expander_;
};

}  // namespace orrery::elf
