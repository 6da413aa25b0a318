#include "elf/notes_hosted.h"

#include <elf.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace orrery::elf {
namespace {

constexpr std::size_t kNotesMost = 1'000'000;

/// Notes of one section or segment. Owner and description are padded to 4 bytes, in tables aligned to 8 to 8.
void read_table(ElfFile& file, u64 offset, u64 size, u64 alignment, std::string_view section,
                std::vector<Note>& notes) {
  const FileBytes& bytes = file.bytes();
  const u64 end = offset + bytes.part(offset, size).size(), unit = alignment == 8 ? 8 : 4;
  const auto padded = [&](u64 at) { return offset + (at - offset + unit - 1) / unit * unit; };
  constexpr u64 kHead = 12;
  for (u64 at = offset; at < end && notes.size() < kNotesMost;) {
    Fields fields(bytes, at);
    const u64 owner_bytes = fields.word(), description_bytes = fields.word();
    Note note;
    note.offset = at;
    note.type = fields.word();
    note.section = section;
    // Two sizes of 32 bits each cannot overflow a sum of 64.
    note.description_offset = padded(at + kHead + owner_bytes);
    if (end - at < kHead || note.description_offset + description_bytes > end) {
      file.damaged(at, "a note of " + std::to_string(owner_bytes) + " and " +
                           std::to_string(description_bytes) +
                           " bytes reaches beyond the end of its table at " + hex(end));
      return;
    }
    const auto owner = bytes.part(at + kHead, owner_bytes);
    note.owner = {reinterpret_cast<const char*>(owner.data()), owner.size()};
    note.owner = note.owner.substr(0, note.owner.find('\0'));
    note.description = bytes.part(note.description_offset, description_bytes);
    notes.push_back(note);
    at = padded(note.description_offset + description_bytes);
  }
}

struct TypeName {
  std::string_view owner;
  u32 type;
  const char* name;
};
constexpr TypeName kTypes[] = {
    {"GNU", NT_GNU_ABI_TAG, "NT_GNU_ABI_TAG"},
    {"GNU", NT_GNU_HWCAP, "NT_GNU_HWCAP"},
    {"GNU", NT_GNU_BUILD_ID, "NT_GNU_BUILD_ID"},
    {"GNU", NT_GNU_GOLD_VERSION, "NT_GNU_GOLD_VERSION"},
    {"GNU", NT_GNU_PROPERTY_TYPE_0, "NT_GNU_PROPERTY_TYPE_0"},
    {"stapsdt", 3, "NT_STAPSDT"},
    {"Go", 4, "NT_GO_BUILD_ID"},
    {"FDO", 0xcafe1a7e, "NT_FDO_PACKAGING_METADATA"},
    {"CORE", NT_PRSTATUS, "NT_PRSTATUS"},
    {"CORE", NT_PRFPREG, "NT_FPREGSET"},
    {"CORE", NT_PRPSINFO, "NT_PRPSINFO"},
    {"CORE", NT_AUXV, "NT_AUXV"},
    {"CORE", NT_SIGINFO, "NT_SIGINFO"},
    {"CORE", NT_FILE, "NT_FILE"},
    {"LINUX", NT_X86_XSTATE, "NT_X86_XSTATE"},
};

std::string printable_text(std::span<const u8> bytes) {
  std::string out;
  for (const u8 byte : bytes) {
    if (byte == 0) break;
    out += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '?';
  }
  return out;
}

std::string digits(std::span<const u8> bytes) {
  Text text;
  for (const u8 byte : bytes) text.hex(byte, 2);
  return std::string(text.view());
}

std::string abi_text(const ElfFile& file, const Note& note) {
  if (note.description.size() < 16) return "";
  Fields fields(file.bytes(), note.description_offset);
  constexpr const char* kSystems[] = {"Linux", "Hurd", "Solaris", "FreeBSD", "NetBSD"};
  const u32 system = fields.word();
  std::string out = system < std::size(kSystems) ? kSystems[system] : "system " + std::to_string(system);
  out += " " + std::to_string(fields.word());
  out += "." + std::to_string(fields.word());
  return out + "." + std::to_string(fields.word()) + " or later";
}

/// A probe: three addresses, then provider, name and arguments.
std::string probe_text(const ElfFile& file, const Note& note) {
  const u64 width = file.bytes().wide() ? 8 : 4;
  if (note.description.size() < 3 * width) return "";
  std::span<const u8> rest = note.description.subspan(3 * width);
  std::string parts[3];
  for (std::string& part : parts) {
    part = printable_text(rest);
    rest = rest.subspan(std::min(rest.size(), part.size() + 1));
  }
  return parts[0] + ":" + parts[1] + " at " + hex(file.bytes().number(note.description_offset, width)) +
         (parts[2].empty() ? "" : " (" + parts[2] + ")");
}

/// The value of one x86 property; nothing if there is none. Properties ascend and are padded to the class's
/// width.
std::optional<u32> find_property(const ElfFile& file, const Note& note, u32 wanted) {
  const u64 width = file.bytes().wide() ? 8 : 4, end = note.description_offset + note.description.size();
  for (u64 at = note.description_offset; at + 8 <= end;) {
    Fields fields(file.bytes(), at);
    const u32 type = fields.word(), size = fields.word();
    if (type == wanted && size == 4 && at + 12 <= end) return fields.word();
    at += 8 + (u64{size} + width - 1) / width * width;
  }
  return std::nullopt;
}

std::string property_text(const ElfFile& file, const Note& note) {
  std::string out;
  const auto say = [&out](const std::string& words) { out += (out.empty() ? "" : ", ") + words; };
  if (const auto features = find_property(file, note, GNU_PROPERTY_X86_FEATURE_1_AND)) {
    if ((*features & GNU_PROPERTY_X86_FEATURE_1_IBT) != 0) say("IBT");
    if ((*features & GNU_PROPERTY_X86_FEATURE_1_SHSTK) != 0) say("SHSTK");
  }
  if (const auto isa = find_property(file, note, GNU_PROPERTY_X86_ISA_1_NEEDED)) {
    constexpr const char* kLevels[] = {"x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
    for (u32 i = 0; i < std::size(kLevels); ++i) {
      if ((*isa >> i & 1) != 0) say(std::string("needs ") + kLevels[i]);
    }
  }
  return out;
}

}  // namespace

std::vector<Note> read_notes(ElfFile& file) {
  std::vector<Note> notes;
  if (!file.is_core()) {
    for (u64 i = 1; i < file.section_count(); ++i) {
      const Section section = file.section(i);
      if (section.type == SHT_NOTE)
        read_table(file, section.offset, section.size, section.alignment, file.section_name(section), notes);
    }
    if (file.section_count() != 0) return notes;
  }
  for (u64 i = 0; i < file.segment_count(); ++i) {
    const Segment segment = file.segment(i);
    if (segment.type == PT_NOTE)
      read_table(file, segment.offset, segment.file_bytes, segment.alignment, "", notes);
  }
  return notes;
}

std::string note_type_name(const Note& note) {
  for (const TypeName& each : kTypes) {
    if (each.type == note.type && each.owner == note.owner) return each.name;
  }
  return "type " + hex(note.type);
}

std::string note_text(const ElfFile& file, const Note& note) {
  if (note.owner == "GNU" && !file.is_core()) {
    switch (note.type) {
      case NT_GNU_ABI_TAG:
        return abi_text(file, note);
      case NT_GNU_BUILD_ID:
        return digits(note.description);
      case NT_GNU_GOLD_VERSION:
        return printable_text(note.description);
      case NT_GNU_PROPERTY_TYPE_0:
        return property_text(file, note);
      default:
        return "";
    }
  }
  if (note.owner == "stapsdt") return probe_text(file, note);
  if (note.owner == "FDO" || note.owner == "Go") return printable_text(note.description);
  return "";
}

std::string build_id(const std::vector<Note>& notes) {
  for (const Note& note : notes) {
    if (note.owner == "GNU" && note.type == NT_GNU_BUILD_ID) return digits(note.description);
  }
  return "";
}

Features read_features(const ElfFile& file, const std::vector<Note>& notes) {
  Features features;
  for (const Note& note : notes) {
    if (note.owner != "GNU" || note.type != NT_GNU_PROPERTY_TYPE_0) continue;
    const u32 bits = find_property(file, note, GNU_PROPERTY_X86_FEATURE_1_AND).value_or(0);
    features.branch_tracking = features.branch_tracking || (bits & GNU_PROPERTY_X86_FEATURE_1_IBT) != 0;
    features.shadow_stack = features.shadow_stack || (bits & GNU_PROPERTY_X86_FEATURE_1_SHSTK) != 0;
  }
  return features;
}

}  // namespace orrery::elf
