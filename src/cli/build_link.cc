#include "cli/build_link.h"

#include <algorithm>
#include <list>
#include <map>

#include "cli/command.h"
#include "elf/demangle_hosted.h"
#include "elf/elf_file_hosted.h"
#include "lens/build/kept_contents.h"
#include "lens/build/link_facts.h"
#include "lens/file/mapped_file.h"

namespace orrery::cli {
namespace {

using lens::build::ArtefactRow;
using lens::build::LinkFacts;
using lens::build::LinkSection;
using lens::build::LinkSymbol;
using lens::build::LinkUnit;
using lens::build::PlacedBy;
using lens::build::ResolvedBy;
using Json = nlohmann::ordered_json;

constexpr std::size_t kRowsShown = 20;

std::string resolver_words(const LinkSymbol& symbol) {
  switch (symbol.by) {
    case ResolvedBy::object:
    case ResolvedBy::library:
      return symbol.file;
    case ResolvedBy::member:
      return symbol.file + "(" + symbol.member + ")";
    case ResolvedBy::linker:
      return "the linker itself";
    case ResolvedBy::nothing:
      break;
  }
  return "nothing: it is weak and became 0, or is left to the dynamic linker";
}

class LinkText {
 public:
  LinkText(const LinkFacts& facts, bool all, const Style& style, Output& out)
      : facts_(facts), all_(all), style_(style), out_(out) {}

  void print() {
    print_libraries();
    print_units();
    print_symbols();
    print_sections();
  }

 private:
  std::size_t shown(std::size_t count) const { return all_ ? count : std::min(count, kRowsShown); }
  void heading(const char* words) { out_.text(style_.bold(words)).text("\n"); }
  void more(std::size_t count) {
    if (shown(count) < count) out_.print("  and {} more (--all)\n", count - shown(count));
    out_.text("\n");
  }

  void print_libraries() {
    std::map<std::string, u64> symbols;
    for (const LinkSymbol& each : facts_.symbols)
      if (each.by == ResolvedBy::library) ++symbols[each.file];
    heading("LEFT TO DYNAMIC LINKING");
    for (const std::string& each : facts_.needed) out_.text("  NEEDED ").name(each).text("\n");
    for (const auto& [file, count] : symbols)
      out_.print("  {} reference{} to ", count, count == 1 ? "" : "s").name(file).text("\n");
    if (facts_.needed.empty() && symbols.empty()) out_.text("  nothing\n");
    out_.text("\n");
  }

  void print_units() {
    std::vector<const LinkUnit*> units;
    for (const LinkUnit& each : facts_.units) units.push_back(&each);
    std::stable_sort(units.begin(), units.end(),
                     [](auto* left, auto* right) { return left->bytes > right->bytes; });
    u64 bytes = 0;
    for (const LinkUnit* each : units) bytes += each->bytes;
    heading("COPIED IN BY STATIC LINKING");
    out_.print("  {} bytes of sections from {} objects and members\n", bytes, units.size());
    for (std::size_t i = 0; i < shown(units.size()); ++i) {
      out_.print("  {:>9}  ", units[i]->bytes).name(units[i]->name());
      if (!units[i]->wanted_by.empty())
        out_.text("  for ")
            .name(elf::demangle(units[i]->wanted_symbol.c_str()))
            .text(" of ")
            .name(units[i]->wanted_by);
      out_.text("\n");
    }
    more(units.size());
  }

  void print_symbols() {
    heading("SYMBOLS THAT ONE FILE WANTED OF ANOTHER");
    for (std::size_t i = 0; i < shown(facts_.symbols.size()); ++i) {
      const LinkSymbol& each = facts_.symbols[i];
      out_.text("  ")
          .name(elf::demangle(each.name.c_str()))
          .text(each.weak ? " (weak)" : "")
          .text("  wanted by ");
      out_.name(facts_.units[each.unit].name()).text("  found in ").name(resolver_words(each)).text("\n");
    }
    more(facts_.symbols.size());
  }

  void print_sections() {
    std::vector<const LinkSection*> sections;
    for (const LinkSection& each : facts_.sections) sections.push_back(&each);
    std::stable_sort(sections.begin(), sections.end(),
                     [](auto* left, auto* right) { return left->address < right->address; });
    heading("     ADDRESS      BYTES OUTPUT SECTION   INPUT SECTION");
    for (std::size_t i = 0; i < shown(sections.size()); ++i) {
      const LinkSection& each = *sections[i];
      if (each.address != 0) out_.print("  {:#10x}", each.address);
      if (each.address == 0) out_.print("  {:>10}", lens::build::name_of(each.by));
      out_.print(" {:>10} {:<16} ", each.size, each.output).name(each.name).text(" of ");
      out_.name(facts_.units[each.unit].name()).text("\n");
    }
    more(sections.size());
  }

  const LinkFacts& facts_;
  bool all_;
  const Style& style_;
  Output& out_;
};

Json link_json(const LinkFacts& facts, const ArtefactRow& made) {
  Json json = {{"path", made.path}, {"step", made.step}, {"needed", facts.needed}};
  json["units"] = json["symbols"] = json["sections"] = Json::array();
  const auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  for (const LinkUnit& each : facts.units)
    json["units"].push_back({{"file", each.file},
                             {"member", or_null(each.member)},
                             {"bytes", each.bytes},
                             {"wanted_by", or_null(each.wanted_by)},
                             {"wanted_symbol", or_null(each.wanted_symbol)}});
  for (const LinkSymbol& each : facts.symbols)
    json["symbols"].push_back({{"name", each.name},
                               {"unit", each.unit},
                               {"weak", each.weak},
                               {"resolved_by", lens::build::name_of(each.by)},
                               {"file", or_null(each.file)},
                               {"member", or_null(each.member)}});
  for (const LinkSection& each : facts.sections)
    json["sections"].push_back({{"unit", each.unit},
                                {"name", each.name},
                                {"size", each.size},
                                {"output", or_null(each.output)},
                                {"address", each.address != 0 ? Json(each.address) : Json(nullptr)},
                                {"found_by", lens::build::name_of(each.by)}});
  return json;
}

}  // namespace

int show_build_link(const BuildRows& rows, const BuildPart& part, bool all, const Style& style, Output& out) {
  auto found = find_artefact(rows, part.path);
  if (!found) return complain(printable(found.error().sentence));
  const ArtefactRow& made = *found.value();
  const std::string name = printable(made.path);
  const auto open = [&](const std::optional<std::string>& content) {
    return lens::file::MappedFile::open(lens::build::content_path(part.recording, content.value_or("")));
  };
  auto output = open(made.content);
  if (!output) return complain(name + ": its content is not kept");
  if (!elf::ElfFile::open(output.value().bytes()))
    return complain(name + " is no ELF file but: " + made.kind);
  std::list<lens::file::MappedFile> files;
  std::vector<lens::build::LinkInput> inputs;
  for (const auto& input : rows.inputs) {
    if (input.step != made.step || !input.content) continue;
    if (auto file = open(input.content)) {
      files.push_back(file.take());
      inputs.push_back({input.path, files.back().bytes()});
    }
  }
  const LinkFacts facts = lens::build::gather_link(inputs, output.value().bytes());
  if (facts.units.empty()) return complain(name + " was not linked: its step read no objects");
  if (part.json) {
    print_json(link_json(facts, made));
    return 0;
  }
  out.name(made.path).print(": {}, {} bytes; linked by step {}\n\n", made.kind, made.size.value_or(0),
                            made.step);
  LinkText(facts, all, style, out).print();
  return 0;
}

}  // namespace orrery::cli
