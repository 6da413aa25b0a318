#include "elf/dwarf_units_hosted.h"

#include <dwarf.h>
#include <elf.h>

#include <algorithm>

#include "elf/relocations_hosted.h"
#include "elf/symbols_hosted.h"

namespace orrery::elf {
namespace {

constexpr u64 kAbbreviationsMost = 16'000'000;  // about 0.2 s

// A hostile file's units may all name the same long text.
constexpr u64 kTextMost = u64{64} << 20;

/// LEB128, no further than the bytes go.
u64 read_leb(std::span<const u8> bytes, u64& at) {
  if (at < bytes.size() && bytes[at] < 0x80) return bytes[at++];  // nearly always
  u64 value = 0;
  for (unsigned shift = 0; at < bytes.size(); shift += 7) {
    const u8 byte = bytes[at++];
    if (shift < 64) value |= u64{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

u64 read_leb(const FileBytes& bytes, u64& at) { return read_leb(bytes.all(), at); }

/// Goes behind an abbreviation's list of attributes; false if it does not end. A unit's first entry may come
/// after a thousand others, so this is the loop where a summary spends its time.
bool skip_attributes(std::span<const u8> bytes, u64& at, u64& budget) {
  while (at < bytes.size() && budget-- > 1) {
    u64 name = 0, form = 0;
    if (at + 2 <= bytes.size() && bytes[at] < 0x80 && bytes[at + 1] < 0x80) {  // nearly always
      name = bytes[at++];
      form = bytes[at++];
    } else {
      name = read_leb(bytes, at);
      form = read_leb(bytes, at);
    }
    if (form == DW_FORM_implicit_const) read_leb(bytes, at);
    if ((name | form) == 0) return true;
  }
  budget = std::max<u64>(budget, 1);
  return false;
}

}  // namespace

/// The first entry of a unit while it is read.
struct DwarfUnits::Entry {
  u64 at = 0;   ///< next byte of .debug_info
  u64 end = 0;  ///< of what is read of the unit
  u8 offset_bytes = 4;
  u8 address_bytes = 8;
  u16 version = 0;
  u64 abbreviations = 0;  ///< where the unit's begin
  u64 attributes = 0;     ///< where the entry's abbreviation lists them
};

struct DwarfUnits::Form {
  u64 name = 0, form = 0;
  i64 constant = 0;  ///< DW_FORM_implicit_const
  u64 value = 0;
  u64 at = 0;  ///< of the value in .debug_info
};

/// Strings may be numbered from a base that a later attribute gives.
struct DwarfUnits::Pending {
  Form producer, name, directory, split;
  u64 language = 0;
  u64 string_offsets = 0;
};

DwarfUnits::DwarfUnits(ElfFile& file)
    : file_(&file),
      info_(file, ".debug_info"),
      abbreviations_(file, ".debug_abbrev"),
      strings_(file, ".debug_str"),
      line_strings_(file, ".debug_line_str"),
      string_offsets_(file, ".debug_str_offsets"),
      budget_(kAbbreviationsMost),
      text_budget_(kTextMost + file.bytes().size()) {
  if (file.is_object() && info_.exists()) read_relocations();
}

DwarfUnits::~DwarfUnits() = default;

void DwarfUnits::damaged(u64 offset, const std::string& sentence) {
  file_->damaged(info_.file_offset(offset), ".debug_info at " + hex(offset) + ": " + sentence);
}

void DwarfUnits::read_relocations() {
  for (u64 i = 1; i < file_->section_count(); ++i) {
    const Section section = file_->section(i);
    if (!is_relocation_table(section) || section.info != info_.section()->index) continue;
    if (section.link >= file_->section_count()) return;
    const SymbolTable symbols(*file_, file_->section(section.link));
    const RelocationTable table(*file_, section);
    for (u64 row = 0; row < table.count(); ++row) {
      const Relocation relocation = table.at(row);
      if (relocation.symbol >= symbols.count()) continue;
      const u64 value = symbols.at(relocation.symbol).value + static_cast<u64>(relocation.addend.value_or(0));
      if (relocation.addend) fixups_.push_back({relocation.offset, value});
    }
    std::sort(fixups_.begin(), fixups_.end(),
              [](const Fixup& a, const Fixup& b) { return a.offset < b.offset; });
    return;
  }
}

u64 DwarfUnits::relocated(u64 offset, u64 value) const {
  const auto found = std::lower_bound(fixups_.begin(), fixups_.end(), offset,
                                      [](const Fixup& each, u64 wanted) { return each.offset < wanted; });
  return found != fixups_.end() && found->offset == offset ? found->value : value;
}

bool DwarfUnits::read_header(DwarfUnit& unit, Entry& entry) {
  constexpr u64 kHeadMost = 64;
  const FileBytes& bytes = info_.up_to(next_ + kHeadMost);
  if (!bytes.holds(next_, 4)) return false;
  Fields fields(bytes, next_);
  unit = {};
  unit.offset = next_;
  unit.length = fields.word();
  if (unit.length == 0xffff'ffff) {
    unit.length = fields.xword();
    entry.offset_bytes = 8;
  }
  const u64 behind_length = fields.offset();
  if (unit.length > info_.size() - std::min(info_.size(), behind_length)) {
    damaged(next_,
            "a unit of " + std::to_string(unit.length) + " bytes reaches beyond the end of the section");
    return false;
  }
  if (unit.length == 0) return false;  // padding
  entry.end = behind_length + unit.length;
  unit.version = entry.version = fields.half();
  if (unit.version < 2 || unit.version > 5) {
    damaged(next_, "a unit of DWARF version " + std::to_string(unit.version) + ", which is none of 2 to 5");
    return false;
  }
  unit.type = unit.version >= 5 ? fields.byte() : u8{DW_UT_compile};
  if (unit.version >= 5) unit.address_size = fields.byte();
  const u64 abbreviations_at = fields.offset();
  entry.abbreviations = relocated(abbreviations_at, entry.offset_bytes == 8 ? fields.xword() : fields.word());
  if (unit.version < 5) unit.address_size = fields.byte();
  entry.address_bytes = unit.address_size;
  entry.at = fields.offset();
  if (unit.type == DW_UT_skeleton || unit.type == DW_UT_split_compile) entry.at += 8;
  if (unit.type == DW_UT_type || unit.type == DW_UT_split_type) entry.at += 8 + entry.offset_bytes;
  next_ = entry.end;
  return true;
}

// The first entry's abbreviation is nearly always the first of the unit's. Dead ends are paid from a budget,
// since a hostile file may send each of its million units through the same million abbreviations.
bool DwarfUnits::find_abbreviation(Entry& entry, u64 code) {
  constexpr u64 kWindow = 64 << 10, kLongest = 4096;
  for (u64 begin = entry.abbreviations; budget_ > 1;) {
    const std::span<const u8> bytes = abbreviations_.up_to(begin + kWindow).part(begin, kWindow);
    u64 at = 0;
    do {
      const u64 each = read_leb(bytes, at);
      if (each == 0) return false;
      read_leb(bytes, at);  // tag
      ++at;                 // whether it has children
      if (each == code) {
        entry.attributes = begin + at;
        return true;
      }
      if (!skip_attributes(bytes, at, budget_)) return false;
    } while (at + kLongest < bytes.size());
    begin += at;
  }
  return false;
}

bool DwarfUnits::next(DwarfUnit& unit) {
  Entry entry;
  if (!read_header(unit, entry)) return false;
  constexpr u64 kEntryMost = 4096;  // a first entry is a few dozen bytes, and its producer may stand in it
  entry.end = std::min(entry.end, entry.at + kEntryMost);
  const FileBytes& bytes = info_.up_to(entry.end);
  const u64 code = read_leb(bytes, entry.at);
  if (code == 0 || text_budget_ == 0) return true;
  if (!find_abbreviation(entry, code)) {
    damaged(unit.offset, "the unit's first entry has the abbreviation " + std::to_string(code) +
                             ", which .debug_abbrev does not have at " + hex(entry.abbreviations));
    return true;
  }
  read_attributes(unit, entry);
  return true;
}

void DwarfUnits::read_attributes(DwarfUnit& unit, Entry& entry) {
  Pending pending;
  constexpr int kAttributesMost = 256;
  u64 at = entry.attributes;
  for (int i = 0; i < kAttributesMost && entry.at < entry.end; ++i) {
    const FileBytes& abbreviations = abbreviations_.up_to(at + 64);
    Form form;
    form.name = read_leb(abbreviations, at);
    form.form = read_leb(abbreviations, at);
    if (form.form == DW_FORM_implicit_const) form.constant = static_cast<i64>(read_leb(abbreviations, at));
    if (form.name == 0 && form.form == 0) break;
    const u64 before = entry.at;
    read_attribute(entry, form, pending);
    if (entry.at < before) break;  // a form nobody knows: its length is unknown too
  }
  // DWARF 5, 7.26: behind the header of the first table.
  const u64 base = pending.string_offsets != 0 ? pending.string_offsets : (entry.offset_bytes == 8 ? 16 : 8);
  unit.language = pending.language;
  unit.producer = string_of(entry, pending.producer, base);
  unit.name = string_of(entry, pending.name, base);
  unit.directory = string_of(entry, pending.directory, base);
  unit.split_file = string_of(entry, pending.split, base);
}

namespace {

/// How many bytes a form has whose length does not depend on its value; -1 for the others.
int fixed_bytes(u64 form, int offset_bytes, int address_bytes, u16 version) {
  switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
      return 0;
    case DW_FORM_data1:
    case DW_FORM_ref1:
    case DW_FORM_flag:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
      return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
      return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
      return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
    case DW_FORM_ref_sup4:
      return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8:
      return 8;
    case DW_FORM_data16:
      return 16;
    case DW_FORM_addr:
      return address_bytes;
    case DW_FORM_ref_addr:
      return version == 2 ? address_bytes : offset_bytes;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_sec_offset:
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_strp_alt:
    case DW_FORM_GNU_ref_alt:
      return offset_bytes;
    default:
      return -1;
  }
}

u64 little_number(const FileBytes& bytes, u64 at, int size) {
  if (size == 3) return bytes.number(at, 2) | bytes.number(at + 2, 1) << 16;
  return size == 0 || size > 8 ? 0 : bytes.number(at, static_cast<u64>(size));
}

/// Reads a value whose length it tells itself. False for an unknown form.
bool read_variable(const FileBytes& bytes, u64 limit, u64& at, u64 form, u64& value) {
  switch (form) {
    case DW_FORM_udata:
    case DW_FORM_sdata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_str_index:
    case DW_FORM_GNU_addr_index:
      value = read_leb(bytes, at);
      return true;
    case DW_FORM_string:
      value = at;
      while (at < limit && bytes.number(at, 1) != 0) ++at;
      ++at;
      return true;
    case DW_FORM_block:
    case DW_FORM_exprloc: {
      const u64 length = read_leb(bytes, at);
      at += std::min(length, limit);
      return true;
    }
    case DW_FORM_block1:
      at += 1 + bytes.number(at, 1);
      return true;
    case DW_FORM_block2:
      at += 2 + bytes.number(at, 2);
      return true;
    case DW_FORM_block4:
      at += 4 + bytes.number(at, 4);
      return true;
    default:
      return false;
  }
}

}  // namespace

void DwarfUnits::read_attribute(Entry& entry, Form& form, Pending& pending) {
  const FileBytes& bytes = info_.up_to(entry.at);  // next() had enough of them expanded
  if (form.form == DW_FORM_indirect) form.form = read_leb(bytes, entry.at);
  form.at = entry.at;
  const int size = fixed_bytes(form.form, entry.offset_bytes, entry.address_bytes, entry.version);
  if (size >= 0) {
    form.value = relocated(entry.at, little_number(bytes, entry.at, size));
    if (form.form == DW_FORM_implicit_const) form.value = static_cast<u64>(form.constant);
    entry.at += static_cast<u64>(size);
  } else if (!read_variable(bytes, entry.end, entry.at, form.form, form.value)) {
    entry.at = 0;
    return;
  }
  switch (form.name) {
    case DW_AT_producer:
      pending.producer = form;
      break;
    case DW_AT_name:
      pending.name = form;
      break;
    case DW_AT_comp_dir:
      pending.directory = form;
      break;
    case DW_AT_dwo_name:
    case DW_AT_GNU_dwo_name:
      pending.split = form;
      break;
    case DW_AT_language:
      pending.language = form.value;
      break;
    case DW_AT_str_offsets_base:
      pending.string_offsets = form.value;
      break;
    default:
      break;
  }
}

std::string DwarfUnits::string_of(const Entry& entry, const Form& form, u64 offsets_base) {
  std::string text = find_string(entry, form, offsets_base);
  text_budget_ -= std::min<u64>(text_budget_, text.size());
  return text;
}

std::string DwarfUnits::find_string(const Entry& entry, const Form& form, u64 offsets_base) {
  switch (form.form) {
    case DW_FORM_string:
      return info_.text(form.value);
    case DW_FORM_strp:
      return strings_.text(form.value);
    case DW_FORM_line_strp:
      return line_strings_.text(form.value);
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index: {
      if (file_->is_object()) return "";  // the offsets wait for relocation
      const u64 base = form.form == DW_FORM_GNU_str_index ? 0 : offsets_base;
      if (form.value > string_offsets_.size()) return "";
      const u64 at = base + form.value * entry.offset_bytes;
      return strings_.text(string_offsets_.up_to(at + 8).number(at, entry.offset_bytes));
    }
    default:
      return "";
  }
}

}  // namespace orrery::elf
