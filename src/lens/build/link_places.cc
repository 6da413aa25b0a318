#include "lens/build/link_places.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "elf/relocations_hosted.h"

namespace orrery::lens::build {
namespace {

/// The output section of an input section, as GNU ld's and lld's scripts have it.
std::string output_name(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {".text",       ".rodata",          ".data.rel.ro", ".data",
                                            ".bss",        ".tdata",           ".tbss",        ".init_array",
                                            ".fini_array", ".gcc_except_table"};
  for (const std::string_view prefix : kPrefixes)
    if (name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] == '.')
      return std::string(prefix);
  return std::string(name);
}

u64 align_up(u64 value, u64 alignment) {
  return alignment > 1 ? (value + alignment - 1) / alignment * alignment : value;
}

/// What a relocation of so many bytes leaves for the linker to fill in; 0 if the type is not looked through.
u64 patched_bytes(u32 type) {
  switch (type) {
    case R_X86_64_64:
    case R_X86_64_PC64:
      return 8;
    case R_X86_64_16:
      return 2;
    case R_X86_64_8:
      return 1;
    default:
      return 4;
  }
}

class Placer {
 public:
  Placer(LinkResolver& resolver, elf::ElfFile& output) : resolver_(resolver), output_(output) {}

  std::vector<LinkSection> find() {
    read_output_symbols();
    for (u64 unit = 0; unit < resolver_.units().size(); ++unit) add_sections(unit);
    place_by_symbols();
    place_by_relocations();
    place_by_contents();
    for (LinkSection& each : sections_) {
      if (each.by == PlacedBy::unknown || each.by == PlacedBy::discarded) continue;
      if (each.by != PlacedBy::merged) each.output = section_at(each.address, each.size);
    }
    return std::move(sections_);
  }

 private:
  struct Origin {
    u64 unit = 0;
    u64 index = 0;
  };

  elf::ElfFile& file_of(const Origin& origin) { return resolver_.units()[origin.unit].file; }

  void read_output_symbols() {
    const auto section = output_.find_section_of_type(SHT_SYMTAB);
    if (!section) return;
    elf::SymbolTable table(output_, *section);
    for (u64 i = 1; i < table.count(); ++i) {
      const elf::Symbol symbol = table.at(i);
      if (symbol.is_undefined() || symbol.type() == STT_TLS || symbol.type() == STT_GNU_IFUNC) continue;
      // A hidden one is local in the output: its name is not to be had twice.
      auto [known, fresh] = symbols_.emplace(std::string(table.name(output_, symbol)), symbol.value);
      if (!fresh && known->second != symbol.value) ambiguous_.insert(known->first);
    }
  }

  void add_sections(u64 unit) {
    OpenedUnit& opened = resolver_.units()[unit];
    for (u64 i = 1; i < opened.file.section_count(); ++i) {
      const elf::Section section = opened.file.section(i);
      if (elf::is_relocation_table(section)) relocations_.emplace(std::pair(unit, u64{section.info}), i);
      if ((section.flags & SHF_ALLOC) == 0 || section.size == 0) continue;
      const std::string name(opened.file.section_name(section));
      LinkSection row{.unit = unit, .name = name, .size = section.size};
      const bool rewritten =
          (section.flags & SHF_MERGE) != 0 || name == ".eh_frame" || name == ".note.gnu.property";
      if (opened.discarded.contains(i)) {
        row.by = PlacedBy::discarded;
      } else if (rewritten) {
        row.by = PlacedBy::merged;
        row.output = output_name(name);
      }
      numbers_[{unit, i}] = sections_.size();
      sections_.push_back(std::move(row));
      origins_.push_back({unit, i});
    }
  }

  void place(u64 unit, u64 index, u64 address, PlacedBy by) {
    const auto number = numbers_.find({unit, index});
    if (number == numbers_.end()) return;
    LinkSection& section = sections_[number->second];
    if (section.by != PlacedBy::unknown || section_at(address, section.size).empty()) return;
    section.by = by;
    section.address = address;
  }

  void count_local_names() {
    for (const OpenedUnit& unit : resolver_.units())
      for (u64 i = 1; i < unit.symbols.size(); ++i)
        if (unit.symbols[i].type() != STT_SECTION) ++uses_[unit.names[i]];
  }

  /// The output's symbol of a name is this one: the only definition, or a local one whose name nobody else
  /// has.
  bool is_origin(u64 unit, const elf::Symbol& symbol, const std::string& name) const {
    if (symbol.type() == STT_SECTION || symbol.is_undefined() || symbol.is_reserved()) return false;
    return symbol.binding() == STB_LOCAL ? uses_.at(name) == 1 : resolver_.is_definer(unit, name);
  }

  void place_by_symbols() {
    count_local_names();
    for (u64 unit = 0; unit < resolver_.units().size(); ++unit) {
      const OpenedUnit& opened = resolver_.units()[unit];
      for (u64 i = 1; i < opened.symbols.size(); ++i) {
        const elf::Symbol& symbol = opened.symbols[i];
        if (!is_origin(unit, symbol, opened.names[i])) continue;
        const auto known = symbols_.find(opened.names[i]);
        if (known == symbols_.end() || ambiguous_.contains(known->first)) continue;
        place(unit, symbol.section, known->second - symbol.value, PlacedBy::symbol);
      }
    }
  }

  /// The four bytes that a PC-relative relocation left say how far off its target is.
  void place_by_relocations() {
    for (u64 number = 0; number < sections_.size(); ++number) {
      if (sections_[number].address == 0) continue;
      each_relocation(origins_[number], [&](const elf::Relocation& each, const elf::Symbol& symbol) {
        const bool relative = each.type == R_X86_64_PC32 || each.type == R_X86_64_PLT32;
        if (!relative || !each.addend || symbol.binding() != STB_LOCAL || symbol.is_undefined()) return;
        const u64 at = sections_[number].address + each.offset;
        const auto bytes = output_.loaded_at(at);
        i32 left = 0;
        if (bytes.size() < sizeof left) return;
        std::memcpy(&left, bytes.data(), sizeof left);
        const u64 target = at + static_cast<u64>(i64{left}) - static_cast<u64>(*each.addend);
        place(origins_[number].unit, symbol.section, target - symbol.value, PlacedBy::relocation);
      });
    }
  }

  template <class Visit>
  void each_relocation(const Origin& origin, const Visit& visit) {
    elf::ElfFile& file = file_of(origin);
    const auto& symbols = resolver_.units()[origin.unit].symbols;
    const auto tables = relocations_.equal_range({origin.unit, origin.index});
    for (auto each_table = tables.first; each_table != tables.second; ++each_table) {
      const elf::RelocationTable table(file, file.section(each_table->second));
      for (u64 row = 0; row < table.count(); ++row) {
        const elf::Relocation each = table.at(row);
        if (each.symbol < symbols.size()) visit(each, symbols[each.symbol]);
      }
    }
  }

  /// Linkers lay sections of one name one behind the other in the order of the inputs, so what follows a
  /// placed one is looked for there, and believed if the bytes are the same but for what was relocated.
  void place_by_contents() {
    std::map<std::string, u64> ends;
    for (u64 number = 0; number < sections_.size(); ++number) {
      LinkSection& section = sections_[number];
      const std::string name = output_name(section.name);
      const elf::Section input = file_of(origins_[number]).section(origins_[number].index);
      if (section.by == PlacedBy::unknown && input.has_file_bytes()) {
        const auto output = output_.find_section(name);
        if (!output) continue;
        const u64 begin = ends.contains(name) ? ends[name] : output->address;
        const u64 address = align_up(begin, input.alignment);
        if (address + section.size <= output->address + output->size && is_same(origins_[number], address)) {
          section.by = PlacedBy::content;
          section.address = address;
        }
      }
      const bool placed = section.address != 0;
      if (placed) ends[name] = section.address + section.size;
    }
  }

  bool is_same(const Origin& origin, u64 address) {
    elf::ElfFile& file = file_of(origin);
    const auto contents = file.contents(file.section(origin.index));
    const auto there = output_.loaded_at(address);
    if (contents.empty() || there.size() < contents.size()) return false;
    std::vector<bool> relocated(contents.size());
    each_relocation(origin, [&](const elf::Relocation& each, const elf::Symbol&) {
      constexpr u64 kInstructionBytes = 3;  // a linker that relaxes a GOT load changes what is before too
      const u64 end = std::min<u64>(each.offset + patched_bytes(each.type), contents.size());
      for (u64 i = each.offset - std::min(each.offset, kInstructionBytes); i < end; ++i) relocated[i] = true;
    });
    for (u64 i = 0; i < contents.size(); ++i)
      if (!relocated[i] && contents[i] != there[i]) return false;
    return true;
  }

  std::string section_at(u64 address, u64 size) {
    for (u64 i = 1; i < output_.section_count(); ++i) {
      const elf::Section section = output_.section(i);
      const bool thread_bss = section.type == SHT_NOBITS && (section.flags & SHF_TLS) != 0;
      if ((section.flags & SHF_ALLOC) == 0 || thread_bss || address < section.address) continue;
      if (address + size <= section.address + section.size) return std::string(output_.section_name(section));
    }
    return "";
  }

  LinkResolver& resolver_;
  elf::ElfFile& output_;
  std::map<std::string, u64> symbols_;  ///< of the output
  std::set<std::string> ambiguous_;
  std::map<std::string, u64> uses_;  ///< how often the inputs have a name
  std::vector<LinkSection> sections_;
  std::vector<Origin> origins_;                          ///< of sections_
  std::map<std::pair<u64, u64>, u64> numbers_;           ///< of a unit's section in sections_
  std::multimap<std::pair<u64, u64>, u64> relocations_;  ///< of a unit's section: their tables
};

}  // namespace

std::vector<LinkSection> find_places(LinkResolver& resolver, elf::ElfFile& output) {
  return Placer(resolver, output).find();
}

}  // namespace orrery::lens::build
