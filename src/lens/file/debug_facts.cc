// Whether there is debug information, who made it, and where it lies if not here.
#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "elf/dwarf_units_hosted.h"
#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

/// A summary asks so many units: those of a program mostly come from one compiler, and each costs a search
/// among a thousand abbreviations.
constexpr u64 kSummaryUnits = 3;

std::vector<Counted> commonest(const std::map<std::string, u64>& counts) {
  std::vector<Counted> out;
  for (const auto& [name, count] : counts) out.push_back({name, count});
  std::stable_sort(out.begin(), out.end(),
                   [](const Counted& a, const Counted& b) { return a.count > b.count; });
  return out;
}

std::string text_of_section(const elf::ElfFile& file, std::string_view name) {
  const auto section = file.find_section(name);
  if (!section) return "";
  elf::Strings text(file.contents(*section));
  return std::string(text.at(0).text);
}

u64 debug_bytes(elf::ElfFile& file) {
  u64 sum = 0;
  for (u64 i = 1; i < file.section_count(); ++i) {
    const elf::Section section = file.section(i);
    if ((section.flags & SHF_ALLOC) != 0) continue;
    const std::string_view name = file.section_name(section);
    if (name.starts_with(".debug_") || name.starts_with(".zdebug_")) sum += section.file_bytes();
  }
  return sum;
}

/// Where Debian and gdb keep a debug file, by build-id.
std::string separate_file(const std::string& build_id) {
  if (build_id.size() < 4) return "";
  const std::string path =
      "/usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? path : "";
}

}  // namespace

DebugFacts gather_debug(elf::ElfFile& file, const std::string& build_id, const Wanted& wanted) {
  DebugFacts facts;
  facts.link = text_of_section(file, ".gnu_debuglink");
  facts.alternative = text_of_section(file, ".gnu_debugaltlink");
  facts.bytes = debug_bytes(file);
  elf::DwarfUnits units(file);
  facts.present = units.exist();
  if (!facts.present) {
    facts.separate = separate_file(build_id);
    return facts;
  }
  facts.compressed = units.compressed();
  std::map<std::string, u64> languages, producers;
  elf::DwarfUnit unit;
  while (units.next(unit)) {
    if (facts.units == 0) facts.version = unit.version;
    ++facts.units;
    if (unit.language != 0) ++languages[elf::language_name(unit.language)];
    if (!unit.producer.empty()) ++producers[unit.producer];
    if (facts.units == kSummaryUnits && !wanted.all) {
      facts.complete = false;
      break;
    }
  }
  facts.languages = commonest(languages);
  facts.producers = commonest(producers);
  return facts;
}

}  // namespace orrery::lens::file
