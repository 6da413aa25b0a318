#include "cli/file_json.h"

#include <nlohmann/json.hpp>

#include "elf/names_hosted.h"
#include "lens/why/verdict.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::file::Answer;
using lens::file::Counted;
using lens::file::Facts;
using lens::file::Linking;
using lens::file::Relro;
using lens::file::SizeNode;

const char* answer(Answer answer) {
  return answer == Answer::yes ? "yes" : answer == Answer::no ? "no" : "unknown";
}

const char* relro_name(Relro relro) {
  return relro == Relro::full ? "full" : relro == Relro::partial ? "partial" : "none";
}

const char* linking_name(Linking linking) {
  return linking == Linking::dynamically ? "dynamic" : linking == Linking::statically ? "static" : "none";
}

Json header_json(const elf::FileHeader& header) {
  return {{"type", elf::file_type_name(header.type)},
          {"machine", header.machine},
          {"os_abi", header.os_abi},
          {"abi_version", header.abi_version},
          {"version", header.version},
          {"entry", header.entry},
          {"flags", header.flags},
          {"segments_offset", header.segments_offset},
          {"segment_count", header.segment_count},
          {"segment_size", header.segment_size},
          {"sections_offset", header.sections_offset},
          {"section_count", header.section_count},
          {"section_size", header.section_size},
          {"section_names", header.section_names},
          {"header_size", header.header_size}};
}

Json hardening_json(const lens::file::Hardening& hardening) {
  Json paths = Json::array();
  for (const auto& path : hardening.search_paths) {
    paths.push_back({{"directory", path.directory}, {"runpath", path.runpath}, {"risk", path.risk}});
  }
  return {{"nx", !hardening.stack_executable},
          {"relro", relro_name(hardening.relro)},
          {"canary", answer(hardening.canary)},
          {"fortify", answer(hardening.fortify)},
          {"fortified", hardening.fortified},
          {"fortifiable", hardening.fortifiable},
          {"ibt", hardening.features.branch_tracking},
          {"shstk", hardening.features.shadow_stack},
          {"writable_code_segments", hardening.writable_code},
          {"text_relocations", hardening.text_relocations},
          {"set_user_id", hardening.set_user_id},
          {"set_group_id", hardening.set_group_id},
          {"search_paths", paths}};
}

Json node_json(const SizeNode& node) {
  Json json = {{"name", node.name},
               {"meaning", node.meaning},
               {"file_bytes", node.file_bytes},
               {"memory_bytes", node.memory_bytes}};
  json["parts"] = Json::array();
  for (const SizeNode& part : node.parts) json["parts"].push_back(node_json(part));
  return json;
}

Json counts_json(const std::vector<Counted>& counts) {
  Json json = Json::array();
  for (const Counted& each : counts) json.push_back({{"name", each.name}, {"units", each.count}});
  return json;
}

Json symbols_json(const lens::file::SymbolFacts& symbols) {
  Json json = {{"symtab", symbols.symtab}, {"dynsym", symbols.dynsym}, {"complete", symbols.complete}};
  json["functions"] = symbols.functions;
  json["objects"] = symbols.objects;
  json["undefined"] = symbols.undefined;
  json["largest"] = Json::array();
  for (const auto& each : symbols.largest)
    json["largest"].push_back({{"name", each.name}, {"type", each.type}, {"size", each.size}});
  return json;
}

Json debug_json(const lens::file::DebugFacts& debug) {
  return {{"present", debug.present},
          {"compressed", debug.compressed},
          {"bytes", debug.bytes},
          {"dwarf_version", debug.version},
          {"units", debug.units},
          {"complete", debug.complete},
          {"languages", counts_json(debug.languages)},
          {"producers", counts_json(debug.producers)},
          {"link", debug.link},
          {"alternative", debug.alternative},
          {"separate_file", debug.separate}};
}

Json core_json(const lens::file::CoreFacts& core) {
  Json json = {{"program", core.program}, {"command", core.command}, {"pid", core.process}};
  json["signal"] = core.signal;
  if (core.address) json["address"] = *core.address;
  json["threads"] = core.threads;
  json["mapped_files"] = core.mapped_files;
  return json;
}

Json facts_json(const Facts& facts) {
  Json json = {{"file_bytes", facts.file_bytes},
               {"class", facts.wide ? 64 : 32},
               {"byte_order", facts.big_endian ? "big" : "little"},
               {"machine", elf::machine_name(facts.header.machine)},
               {"kind", name_of(facts.kind)},
               {"linking", linking_name(facts.linking)},
               {"header", header_json(facts.header)},
               {"interpreter", facts.interpreter},
               {"soname", facts.soname},
               {"needed", facts.needed},
               {"build_id", facts.build_id},
               {"abi", facts.abi}};
  json["hardening"] = facts.hardening.loadable ? hardening_json(facts.hardening) : Json(nullptr);
  json["size"] = {{"text", facts.size.text}, {"data", facts.size.data}, {"bss", facts.size.bss}};
  json["size_tree"] = Json::array();
  for (const SizeNode& node : facts.parts) json["size_tree"].push_back(node_json(node));
  json["symbol_counts"] = symbols_json(facts.symbols);
  json["debug"] = debug_json(facts.debug);
  json["core"] = facts.core ? core_json(*facts.core) : Json(nullptr);
  return json;
}

/// What is no UTF-8 is shown with replacement characters.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json damages_json(elf::DamageList& damages) {
  Json json = Json::array();
  for (const elf::Damage& each : damages.first())
    json.push_back({{"offset", each.offset}, {"sentence", each.sentence}});
  return json;
}

void print_damages(elf::DamageList& damages, Output& out) {
  out.text(",\n\"damages\":").text(dump(damages_json(damages)));
  out.print(",\n\"damage_count\":{}}}\n", damages.count());
}

}  // namespace

void print_file_json(const std::string& path, elf::ElfFile& file, const Facts* facts,
                     const std::vector<const FilePart*>& parts, const PartOptions& options, Output& out) {
  out.text("{\"format\":\"elf\",\n\"path\":").text(dump(path));
  if (facts != nullptr) {
    const Json json = facts_json(*facts);
    for (const auto& [key, value] : json.items()) out.text(",\n").text(dump(key)).text(":").text(dump(value));
  }
  for (const FilePart* part : parts) {
    out.print(",\n\"{}\":", part->name);
    part->json(file, options, out);
  }
  print_damages(file.damages(), out);
}

void print_archive_json(const std::string& path, const elf::Archive& archive,
                        const std::vector<DescribedMember>& members, Output& out) {
  out.text("{\"format\":\"archive\",\n\"path\":").text(dump(path));
  out.print(",\n\"thin\":{},\n\"index_symbols\":", archive.thin);
  out.text(archive.has_index ? std::to_string(archive.index_symbols) : "null").text(",\n\"members\":[");
  const char* between = "\n";
  for (const DescribedMember& each : members) {
    out.text(between).text(dump({{"name", each.member.name},
                                 {"offset", each.member.offset},
                                 {"size", each.member.size},
                                 {"kind", each.kind},
                                 {"machine", each.machine}}));
    between = ",\n";
  }
  elf::DamageList damages = archive.damages;
  out.text("]");
  print_damages(damages, out);
}

}  // namespace orrery::cli
