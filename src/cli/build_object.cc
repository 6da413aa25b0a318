#include "cli/build_object.h"

#include "cli/command.h"
#include "elf/demangle_hosted.h"
#include "lens/build/kept_contents.h"
#include "lens/build/object_facts.h"
#include "lens/file/mapped_file.h"

namespace orrery::cli {
namespace {

using lens::build::ArtefactRow;
using lens::build::ObjectFacts;
using Json = nlohmann::ordered_json;

void print_sections(const ObjectFacts& facts, const Style& style, Output& out) {
  out.text(style.bold("  INDEX SECTION                    TYPE         FLAGS       SIZE ALIGN RELOCATIONS"))
      .text("\n");
  for (const auto& each : facts.sections) {
    out.print("  {:5} ", each.index).name(each.name);
    out.print("{:{}} {:<12} {:<5} {:>10} {:>5} {:>11}\n", "",
              each.name.size() < 26 ? 26 - each.name.size() : 0, each.type, each.flags, each.size,
              each.alignment, each.relocations);
  }
}

void print_symbols(const ObjectFacts& facts, const Style& style, Output& out) {
  out.text(style.bold("  SYMBOLS DEFINED HERE")).text("\n");
  for (const auto& each : facts.symbols) {
    if (each.undefined()) continue;
    out.print("  {} ", each.letter).name(elf::demangle(each.name.c_str())).text("  ").name(each.section);
    out.print("+{:#x}, {} bytes\n", each.value, each.size);
  }
  out.text(style.bold("  SYMBOLS OF OTHER FILES")).text("\n");
  for (const auto& each : facts.symbols)
    if (each.undefined()) out.print("  {} ", each.letter).name(elf::demangle(each.name.c_str())).text("\n");
}

void print_relocations(const ObjectFacts& facts, const Style& style, Output& out) {
  const std::string* section = nullptr;
  for (const auto& each : facts.relocations) {
    if (section == nullptr || *section != each.section)
      out.text(style.bold("  RELOCATIONS OF ")).name(each.section).text("\n");
    section = &each.section;
    out.print("  {:#10x} {:<26} ", each.offset, each.type).name(elf::demangle(each.symbol.c_str()));
    if (each.addend) out.print("{:+}", *each.addend);
    out.print("  waits for {}\n", lens::build::words_of(each.waits));
  }
}

Json object_json(const ObjectFacts& facts, const ArtefactRow& made) {
  Json json = {{"path", made.path}, {"size", *made.size}, {"fate", made.fate}, {"step", made.step}};
  json["sections"] = json["symbols"] = json["relocations"] = Json::array();
  for (const auto& each : facts.sections)
    json["sections"].push_back({{"index", each.index},
                                {"name", each.name},
                                {"type", each.type},
                                {"flags", each.flags},
                                {"size", each.size},
                                {"alignment", each.alignment},
                                {"relocations", each.relocations}});
  for (const auto& each : facts.symbols)
    json["symbols"].push_back({{"name", each.name},
                               {"letter", std::string(1, each.letter)},
                               {"section", each.undefined() ? Json(nullptr) : Json(each.section)},
                               {"value", each.value},
                               {"size", each.size}});
  for (const auto& each : facts.relocations)
    json["relocations"].push_back({{"section", each.section},
                                   {"offset", each.offset},
                                   {"type", each.type},
                                   {"symbol", each.symbol},
                                   {"addend", each.addend ? Json(*each.addend) : Json(nullptr)},
                                   {"waits_for", lens::build::words_of(each.waits)}});
  return json;
}

void print_object(const ObjectFacts& facts, const ArtefactRow& made, const BuildRows& rows,
                  const Style& style, Output& out) {
  out.name(made.path);
  out.print(": {}, {} bytes, {}\nmade by step {}: ", made.kind, *made.size, made.fate, made.step);
  out.name(made.step < rows.steps.size() ? rows.steps[made.step].command : "").text("\n\n");
  print_sections(facts, style, out);
  print_symbols(facts, style, out);
  print_relocations(facts, style, out);
}

}  // namespace

int show_build_object(const BuildRows& rows, const BuildPart& part, const Style& style, Output& out) {
  auto found = find_artefact(rows, part.path);
  if (!found) return complain(printable(found.error().sentence));
  const ArtefactRow& made = *found.value();
  const std::string name = printable(made.path);
  const std::string path = lens::build::content_path(part.recording, made.content.value_or(""));
  if (path.empty() || !made.size) return complain(name + ": its content is not kept");
  auto file = lens::file::MappedFile::open(path);
  if (!file) return complain(name + ": " + printable(file.error().sentence));
  auto opened = elf::ElfFile::open(file.value().bytes());
  if (!opened || !opened.value().is_object())
    return complain(name + " is no object file but: " + made.kind + " (orrery show file " + printable(path) +
                    ")");
  const ObjectFacts facts = lens::build::gather_object(opened.value());
  if (part.json) {
    print_json(object_json(facts, made));
  } else {
    print_object(facts, made, rows, style, out);
  }
  return 0;
}

}  // namespace orrery::cli
