// The units of .debug_info: who compiled what, from which language. Reads each unit's header and first entry
// (DWARF 2 to 5, also of object files, whose strings wait for relocation); everything deeper is libdw's.
#pragma once

#include <string>
#include <vector>

#include "elf/debug_section_hosted.h"
#include "elf/elf_file_hosted.h"

namespace orrery::elf {

struct DwarfUnit {
  u64 offset = 0;  ///< in .debug_info
  u64 length = 0;  ///< without the length field itself
  u16 version = 0;
  u8 type = 0;  ///< DW_UT_*; DW_UT_compile for versions before 5
  u8 address_size = 0;
  u64 language = 0;      ///< DW_LANG_*; 0 if it does not say
  std::string producer;  ///< "" if it does not say, as all of these
  std::string name;
  std::string directory;
  std::string split_file;  ///< of a skeleton: where the rest is
};

class DwarfUnits {
 public:
  explicit DwarfUnits(ElfFile& file);
  ~DwarfUnits();

  bool exist() const { return info_.exists(); }
  bool compressed() const { return info_.compressed(); }
  u64 info_bytes() const { return info_.size(); }
  /// Reads the next unit; false after the last, or where damage ends the reading.
  bool next(DwarfUnit& unit);

 private:
  struct Entry;
  struct Form;
  struct Pending;
  bool read_header(DwarfUnit& unit, Entry& entry);
  bool find_abbreviation(Entry& entry, u64 code);
  void read_attributes(DwarfUnit& unit, Entry& entry);
  void read_attribute(Entry& entry, Form& form, Pending& pending);
  std::string find_string(const Entry& entry, const Form& form, u64 offsets_base);
  std::string string_of(const Entry& entry, const Form& form, u64 offsets_base);
  void read_relocations();
  u64 relocated(u64 offset, u64 value) const;
  void damaged(u64 offset, const std::string& sentence);

  ElfFile* file_;
  DebugSection info_, abbreviations_, strings_, line_strings_, string_offsets_;
  struct Fixup {
    u64 offset, value;
  };
  std::vector<Fixup> fixups_;  ///< of .debug_info in an object, by offset
  u64 next_ = 0;
  u64 budget_;       ///< abbreviations that may still be looked at
  u64 text_budget_;  ///< bytes of names that may still be handed out
};

/// "C++17", or "language 0x99".
std::string language_name(u64 language);
/// "compile", "type", "partial", "skeleton" …
std::string unit_type_name(u8 type);

}  // namespace orrery::elf
