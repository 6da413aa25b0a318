#include "lens/build/object_facts.h"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "elf/names_hosted.h"
#include "elf/relocations_hosted.h"

namespace orrery::lens::build {
namespace {

/// Sections whose letter nm takes from the name, whatever their flags: binutils bfd/syms.c, stt[].
struct Lettered {
  std::string_view section;
  char letter;
};
constexpr Lettered kByName[] = {
    {".bss", 'b'},     {".code", 't'},  {".data", 'd'},   {"*DEBUG*", 'N'},  {".debug", 'N'},
    {".drectve", 'i'}, {".edata", 'e'}, {".fini", 't'},   {".idata", 'i'},   {".init", 't'},
    {".pdata", 'p'},   {".rdata", 'r'}, {".rodata", 'r'}, {".sbss", 's'},    {".scommon", 'c'},
    {".sdata", 'g'},   {".text", 't'},  {"vars", 'd'},    {"zerovars", 'b'},
};

char letter_by_name(std::string_view name) {
  for (const Lettered& each : kByName) {
    if (!name.starts_with(each.section)) continue;
    const std::string_view behind = name.substr(each.section.size());
    // The characters after which a name goes on, as ".text.startup" and ".data$x" do.
    if (behind.empty() || behind[0] == '.' || behind[0] == '$' ||
        std::isdigit(static_cast<unsigned char>(behind[0])) != 0)
      return each.letter;
  }
  return '\0';
}

bool is_debug(std::string_view name) {
  constexpr std::string_view kDebug[] = {".debug", ".zdebug", ".gnu.debuglto_.debug_", ".gnu.linkonce.wi.",
                                         ".line",  ".stab"};
  return std::any_of(std::begin(kDebug), std::end(kDebug),
                     [&](std::string_view each) { return name.starts_with(each); });
}

char letter_of_section(elf::ElfFile& file, const elf::Section& section) {
  const std::string_view name = file.section_name(section);
  if (const char letter = letter_by_name(name); letter != '\0') return letter;
  const bool allocated = (section.flags & SHF_ALLOC) != 0;
  const bool read_only = (section.flags & SHF_WRITE) == 0;
  if ((section.flags & SHF_EXECINSTR) != 0) return 't';
  if (allocated && section.type != SHT_NOBITS) return read_only ? 'r' : 'd';
  if (section.type == SHT_NOBITS) return 'b';
  if (is_debug(name)) return 'N';
  return read_only ? 'n' : '?';
}

std::string section_of(elf::ElfFile& file, const elf::Symbol& symbol) {
  if (symbol.is_undefined()) return "";
  if (symbol.is_reserved())
    return symbol.section == SHN_ABS ? "absolute" : symbol.section == SHN_COMMON ? "common" : "reserved";
  if (symbol.section >= file.section_count()) return "damaged";
  return std::string(file.section_name(file.section(symbol.section)));
}

Waits waits_for(const elf::Symbol& symbol) {
  if (symbol.index == 0) return Waits::placement;
  if (symbol.is_undefined()) return symbol.binding() == STB_WEAK ? Waits::weak : Waits::other_file;
  return symbol.type() == STT_SECTION ? Waits::section : Waits::own_symbol;
}

class Gathering {
 public:
  explicit Gathering(elf::ElfFile& file) : file_(file) {}

  ObjectFacts gather() {
    std::map<u64, u64> relocations;
    for (u64 i = 1; i < file_.section_count(); ++i) {
      const elf::Section section = file_.section(i);
      if (section.type == SHT_SYMTAB) add_symbols(section);
      if (elf::is_relocation_table(section))
        relocations[section.info] += elf::RelocationTable(file_, section).count();
    }
    for (u64 i = 1; i < file_.section_count(); ++i) {
      const elf::Section section = file_.section(i);
      if (elf::is_relocation_table(section)) add_relocations(section);
      add_section(section, relocations[i]);
    }
    return std::move(facts_);
  }

 private:
  void add_section(const elf::Section& section, u64 relocations) {
    facts_.sections.push_back({.index = section.index,
                               .name = std::string(file_.section_name(section)),
                               .type = elf::section_type_name(file_.header().machine, section.type),
                               .flags = elf::section_flags_name(section.flags),
                               .size = section.size,
                               .alignment = section.alignment,
                               .relocations = relocations});
  }

  void add_symbols(const elf::Section& section) {
    elf::SymbolTable table(file_, section);
    for (u64 i = 1; i < table.count(); ++i) {
      const elf::Symbol symbol = table.at(i);
      if (symbol.type() == STT_SECTION || symbol.type() == STT_FILE) continue;
      facts_.symbols.push_back({.index = i,
                                .name = std::string(table.name(file_, symbol)),
                                .letter = symbol_letter(file_, symbol),
                                .section = section_of(file_, symbol),
                                .value = symbol.value,
                                .size = symbol.size});
    }
  }

  void add_relocations(const elf::Section& section) {
    if (section.link >= file_.section_count() || section.info >= file_.section_count()) return;
    elf::SymbolTable symbols(file_, file_.section(section.link));
    const elf::RelocationTable table(file_, section);
    const std::string changed(file_.section_name(file_.section(section.info)));
    for (u64 i = 0; i < table.count(); ++i) {
      const elf::Relocation each = table.at(i);
      const elf::Symbol symbol = each.symbol < symbols.count() ? symbols.at(each.symbol) : elf::Symbol{};
      const bool of_section = symbol.type() == STT_SECTION;
      facts_.relocations.push_back(
          {.section = changed,
           .offset = each.offset,
           .type = elf::relocation_type_name(file_.header().machine, each.type),
           .symbol = of_section ? section_of(file_, symbol) : std::string(symbols.name(file_, symbol)),
           .addend = each.addend,
           .waits = waits_for(symbol)});
    }
  }

  elf::ElfFile& file_;
  ObjectFacts facts_;
};

}  // namespace

const char* words_of(Waits waits) {
  constexpr const char* kWords[] = {"its own address", "where this file's section will lie",
                                    "where this file's symbol will lie", "a symbol of another file",
                                    "a symbol of another file, or 0"};
  return kWords[static_cast<u8>(waits)];
}

char symbol_letter(elf::ElfFile& file, const elf::Symbol& symbol) {
  const bool object = symbol.type() == STT_OBJECT;
  const bool global = symbol.binding() != STB_LOCAL;
  const auto cased = [global](char letter) {
    return global ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
  };
  if (symbol.is_reserved() && symbol.section == SHN_COMMON) return cased('c');
  if (symbol.is_undefined()) return symbol.binding() != STB_WEAK ? 'U' : object ? 'v' : 'w';
  if (symbol.type() == STT_GNU_IFUNC) return 'i';
  if (symbol.binding() == STB_WEAK) return object ? 'V' : 'W';
  if (symbol.binding() == STB_GNU_UNIQUE) return 'u';
  if (symbol.is_reserved()) return symbol.section == SHN_ABS ? cased('a') : '?';
  if (symbol.section >= file.section_count()) return '?';
  const char letter = letter_of_section(file, file.section(symbol.section));
  return letter == 'N' ? 'N' : cased(letter);
}

ObjectFacts gather_object(elf::ElfFile& file) { return Gathering(file).gather(); }

}  // namespace orrery::lens::build
