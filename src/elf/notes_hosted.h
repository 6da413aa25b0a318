// Notes: what toolchain, package and kernel wrote beside the program. Build-id, ABI tag, properties, probes;
// in a core, the processes' state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "elf/elf_file_hosted.h"

namespace orrery::elf {

struct Note {
  u64 offset = 0;  ///< in the file
  std::string_view owner;
  u32 type = 0;
  std::span<const u8> description;
  u64 description_offset = 0;
  std::string_view section;  ///< "" when it was found by its segment
};

/// From the sections of that type, else (without sections, or in a core) from the segments.
std::vector<Note> read_notes(ElfFile& file);

/// "NT_GNU_BUILD_ID", or "type 0x7".
std::string note_type_name(const Note& note);
/// What it says, in words; "" for one whose meaning is not known here.
std::string note_text(const ElfFile& file, const Note& note);

/// The build-id in hexadecimal digits; "" if there is none.
std::string build_id(const std::vector<Note>& notes);

/// x86 features that all objects of the file were built for: NT_GNU_PROPERTY_TYPE_0.
struct Features {
  bool branch_tracking = false;  ///< IBT
  bool shadow_stack = false;     ///< SHSTK
};
Features read_features(const ElfFile& file, const std::vector<Note>& notes);

}  // namespace orrery::elf
