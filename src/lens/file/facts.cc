#include "lens/file/facts.h"

#include <elf.h>

#include "elf/names_hosted.h"
#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

using elf::Dynamic;
using elf::ElfFile;

bool has_program(const ElfFile& file) {
  return file.header().type == ET_EXEC || file.header().type == ET_DYN;
}

Kind kind_of(const ElfFile& file, const Dynamic& dynamic) {
  if (file.is_debug_file()) return Kind::debug_file;
  switch (file.header().type) {
    case ET_REL:
      return Kind::object;
    case ET_CORE:
      return Kind::core;
    case ET_EXEC:
      return Kind::executable;
    case ET_DYN: {
      // The linker's word for it, and what told them apart before it had one.
      const bool said = (dynamic.find(DT_FLAGS_1).value_or(0) & DF_1_PIE) != 0;
      const bool like_one = dynamic.find(DT_DEBUG).has_value() && file.find_segment(PT_INTERP).has_value();
      return said || like_one ? Kind::pie : Kind::library;
    }
    default:
      return Kind::other;
  }
}

Linking linking_of(const ElfFile& file, const Facts& facts) {
  if (!has_program(file) || file.is_debug_file()) return Linking::none;
  const bool dynamically = !facts.interpreter.empty() || !facts.needed.empty() || facts.kind == Kind::library;
  return dynamically ? Linking::dynamically : Linking::statically;
}

std::string interpreter_of(ElfFile& file) {
  const auto segment = file.find_segment(PT_INTERP);
  if (!segment || file.is_debug_file()) return "";
  elf::Strings text(file.bytes().part(segment->offset, segment->file_bytes));
  const auto name = text.at(0);
  if (name.fault != elf::Strings::Fault::none)
    file.damaged(segment->row, std::string("the interpreter's path ") + describe(name.fault));
  return std::string(name.text);
}

std::vector<std::string> texts(ElfFile& file, Dynamic& dynamic, u64 tag) {
  std::vector<std::string> out;
  for (const std::string_view text : dynamic.texts(file, tag)) out.emplace_back(text);
  return out;
}

std::string abi_of(const ElfFile& file, const std::vector<elf::Note>& notes) {
  for (const elf::Note& note : notes) {
    if (note.owner == "GNU" && note.type == NT_GNU_ABI_TAG) return note_text(file, note);
  }
  return "";
}

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::executable:
      return "executable";
    case Kind::pie:
      return "pie";
    case Kind::library:
      return "library";
    case Kind::object:
      return "object";
    case Kind::core:
      return "core";
    case Kind::debug_file:
      return "debug_file";
    case Kind::other:
      return "other";
  }
  return "";
}

Facts gather(ElfFile& file, u32 mode, const Wanted& wanted) {
  Facts facts;
  facts.file_bytes = file.bytes().size();
  facts.mode = mode;
  facts.header = file.header();
  facts.wide = file.bytes().wide();
  facts.big_endian = file.bytes().big_endian();
  facts.segments = file.segment_count();
  facts.sections = file.section_count();
  const std::vector<elf::Note> notes = read_notes(file);
  Dynamic dynamic(file);
  facts.kind = kind_of(file, dynamic);
  facts.interpreter = interpreter_of(file);
  facts.needed = texts(file, dynamic, DT_NEEDED);
  if (const auto names = texts(file, dynamic, DT_SONAME); !names.empty()) facts.soname = names.front();
  facts.linking = linking_of(file, facts);
  facts.build_id = build_id(notes);
  facts.abi = abi_of(file, notes);
  facts.hardening = gather_hardening(file, dynamic, notes, mode);
  facts.hardening.loadable = has_program(file) && !file.is_debug_file();
  facts.size = berkeley_size(file);
  facts.parts = size_tree(file);
  if (facts.kind == Kind::core) {
    facts.core = gather_core(file, notes);
    return facts;
  }
  facts.symbols = gather_symbols(file, facts.hardening, wanted);
  facts.debug = gather_debug(file, facts.build_id, wanted);
  return facts;
}

}  // namespace orrery::lens::file
