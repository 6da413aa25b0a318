// Order: what it is, how it is linked, how it is hardened, where the bytes go, symbols, debug information.
// What is in order takes few words, what is not takes a sentence that says what follows from it.
#include "cli/file_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/columns.h"
#include "cli/recording_text.h"
#include "elf/names_hosted.h"
#include "lens/why/verdict.h"

namespace orrery::cli {
namespace {

using lens::file::Answer;
using lens::file::Facts;
using lens::file::Hardening;
using lens::file::Kind;
using lens::file::Linking;
using lens::file::Relro;
using lens::file::SizeNode;

constexpr std::size_t kPartsShown = 5;  // of one segment
constexpr std::size_t kNeededShown = 12;

/// 12,345,678
std::string grouped(u64 value) {
  char digits[32];
  char* begin = digits + sizeof digits;
  for (int count = 0; value != 0 || count == 0; value /= 10, ++count) {
    if (count != 0 && count % 3 == 0) *--begin = ',';
    *--begin = static_cast<char>('0' + value % 10);
  }
  return {begin, digits + sizeof digits};
}

void add_right_aligned(std::string& line, const std::string& text, std::size_t width) {
  line.append(width - std::min(width, text.size()), ' ').append(text);
}

std::string counted(u64 count, const char* one, const char* many) {
  return grouped(count) + " " + (count == 1 ? one : many);
}

class Page {
 public:
  explicit Page(const Style& style) : style_(style) { out_.reserve(kUsual); }
  void title(const std::string& text) { out_ += style_.bold(text) + "\n"; }
  void heading(const std::string& text) { out_ += "\n" + style_.bold(text) + "\n"; }
  void line(const std::string& text) { out_.append("  ").append(text).append("\n"); }
  void fact(const char* name, const std::string& value) {
    if (!value.empty()) line(style_.dim(padded(name, 13)) + " " + value);
  }
  const Style& style() const { return style_; }
  std::string take() { return std::move(out_); }

 private:
  static constexpr std::size_t kUsual = 8 << 10;
  Style style_;
  std::string out_;
};

std::string joined(const std::vector<std::string>& texts, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < std::min(texts.size(), most); ++i)
    out += (i == 0 ? "" : ", ") + printable(texts[i]);
  if (texts.size() > most) out += fmt::format(" and {} more", texts.size() - most);
  return out;
}

std::string headline(const Facts& facts) {
  std::string out = kind_words(facts.kind);
  out += " for " + elf::machine_name(facts.header.machine);
  if (facts.linking == Linking::statically) out += ", statically linked";
  if (facts.linking == Linking::dynamically && facts.kind != Kind::library) out += ", dynamically linked";
  const bool stripped = facts.symbols.symtab == 0 && facts.sections != 0;
  if (facts.linking != Linking::none && stripped) out += ", stripped";
  return out;
}

void add_core(const lens::file::CoreFacts& core, Page& page) {
  page.heading("The process");
  page.fact("command", printable(core.command.empty() ? core.program : core.command));
  if (core.process != 0) page.fact("pid", std::to_string(core.process));
  if (core.signal != 0) {
    std::string signal = lens::why::signal_name(core.signal);
    if (core.address) signal += fmt::format(" at {:#x}", *core.address);
    page.fact("died of", signal);
  }
  page.fact("threads", grouped(core.threads));
  if (core.mapped_files != 0) page.fact("mapped files", counted(core.mapped_files, "mapping", "mappings"));
}

class Judgement {
 public:
  explicit Judgement(Page& page) : page_(page) {}
  void good(const char* what, const std::string& words) { say(page_.style().green("ok  "), what, words); }
  void weak(const char* what, const std::string& words) { say(page_.style().yellow("weak"), what, words); }
  void bad(const char* what, const std::string& words) { say(page_.style().red("bad "), what, words); }
  void unknown(const char* what, const std::string& words) { say(page_.style().dim("?   "), what, words); }

 private:
  void say(const std::string& mark, const char* what, const std::string& words) {
    page_.line(mark + " " + padded(what, 8) + " " + words);
  }
  Page& page_;
};

void judge_linking(const Facts& facts, const Hardening& hardening, Judgement& judge) {
  if (hardening.stack_executable)
    judge.bad("NX", hardening.stack_unsaid
                        ? "nothing says that the stack is no code (no PT_GNU_STACK): it will be executable"
                        : "the stack is executable");
  else
    judge.good("NX", "the stack is not executable");
  if (facts.kind == Kind::executable)
    judge.bad("PIE", "the program always lies at the same addresses");
  else if (facts.kind == Kind::pie)
    judge.good("PIE", "the program may lie anywhere");
  switch (hardening.relro) {
    case Relro::full:
      judge.good("RELRO", "full: all functions are bound at start, then the GOT is read-only");
      break;
    case Relro::partial:
      if (facts.linking == Linking::statically)
        judge.good("RELRO", "relocated data is read-only after the start");
      else
        judge.weak("RELRO", "partial: functions are bound when first called, so .got.plt stays writable");
      break;
    case Relro::none:
      judge.bad("RELRO", "none: the GOT stays writable");
      break;
  }
}

void judge_compiling(const Hardening& hardening, Judgement& judge) {
  switch (hardening.canary) {
    case Answer::yes:
      judge.good("canary", "functions with arrays check the stack when they return");
      break;
    case Answer::no:
      judge.weak("canary", "no function checks the stack (-fstack-protector)");
      break;
    case Answer::unknown:
      judge.unknown("canary", "cannot be told from the symbols looked at");
      break;
  }
  const auto calls =
      fmt::format("{} of {} functions that have a checked form", hardening.fortified, hardening.fortifiable);
  if (hardening.fortify == Answer::yes)
    judge.good("fortify",
               hardening.fortifiable != 0 ? calls + " are called in it" : "checked functions are called");
  else if (hardening.fortify == Answer::unknown)
    judge.unknown("fortify", "cannot be told: there are no dynamic symbols");
  else if (hardening.fortifiable != 0)
    judge.weak("fortify", calls + " are called in it (_FORTIFY_SOURCE)");
  else
    judge.good("fortify", "no function is called that has a checked form");
  const auto& features = hardening.features;
  if (features.branch_tracking || features.shadow_stack)
    judge.good("CET", std::string(features.branch_tracking ? "IBT: indirect jumps have marked targets" : "") +
                          (features.branch_tracking && features.shadow_stack ? "; " : "") +
                          (features.shadow_stack ? "SHSTK: return addresses are kept twice" : ""));
}

void add_hardening(const Facts& facts, Page& page) {
  const Hardening& hardening = facts.hardening;
  page.heading("Hardening");
  Judgement judge(page);
  judge_linking(facts, hardening, judge);
  judge_compiling(hardening, judge);
  for (const u64 index : hardening.writable_code)
    judge.bad("W^X", fmt::format("segment {} may be written and executed", index));
  if (hardening.text_relocations)
    judge.bad("TEXTREL", "code is written to at start: it is writable meanwhile, and not shared");
  if (hardening.set_user_id || hardening.set_group_id)
    judge.weak("set-id", hardening.set_user_id ? "set-user-id: it runs with its owner's rights"
                                               : "set-group-id: it runs with its group's rights");
  for (const auto& path : hardening.search_paths) {
    const char* what = path.runpath ? "RUNPATH" : "RPATH";
    const std::string directory = "\"" + printable(path.directory) + "\"";
    if (path.risk.empty())
      judge.good(what, directory + (path.runpath ? "" : ": goes before LD_LIBRARY_PATH"));
    else
      judge.bad(what, directory + ": " + printable(path.risk));
  }
}

void add_node(const SizeNode& node, int depth, Page& page) {
  const std::string memory = node.memory_bytes == 0 ? "-" : grouped(node.memory_bytes);
  const std::string file = node.file_bytes == 0 ? "-" : grouped(node.file_bytes);
  std::string line = padded(std::string(static_cast<std::size_t>(depth) * 2, ' ') + printable(node.name), 24);
  add_right_aligned(line, file, 14);
  add_right_aligned(line, memory, 14);
  if (!node.meaning.empty()) line += "  " + page.style().dim(node.meaning);
  page.line(line);
}

void add_size(const Facts& facts, Page& page) {
  page.heading(fmt::format("{:<26}{:>14}{:>14}", "Size", "in file", "in memory"));
  constexpr std::size_t kRootsShown = 12;
  for (std::size_t root = 0; root < std::min(facts.parts.size(), kRootsShown); ++root) {
    const SizeNode& node = facts.parts[root];
    add_node(node, 0, page);
    SizeNode rest;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      // One that is alone in the rest is shown itself.
      if (i < kPartsShown || node.parts.size() == kPartsShown + 1) {
        add_node(node.parts[i], 1, page);
        continue;
      }
      rest.file_bytes += node.parts[i].file_bytes;
      rest.memory_bytes += node.parts[i].memory_bytes;
    }
    if (node.parts.size() > kPartsShown + 1) {
      rest.name = fmt::format("{} more", node.parts.size() - kPartsShown);
      add_node(rest, 1, page);
    }
  }
  if (facts.parts.size() > kRootsShown)
    page.line(fmt::format("and {} more segments", facts.parts.size() - kRootsShown));
  page.line(fmt::format("{:<24}{:>14}", "the file", grouped(facts.file_bytes)));
}

void add_symbols(const Facts& facts, Page& page) {
  const auto& symbols = facts.symbols;
  page.heading("Symbols");
  if (symbols.symtab == 0 && symbols.dynsym == 0) {
    page.line("none");
    return;
  }
  std::string tables;
  if (symbols.symtab != 0) tables = grouped(symbols.symtab) + " in .symtab";
  if (symbols.dynsym != 0) tables += (tables.empty() ? "" : ", ") + grouped(symbols.dynsym) + " in .dynsym";
  if (symbols.complete)
    tables += fmt::format(": {}, {}, {} undefined", counted(symbols.functions, "function", "functions"),
                          counted(symbols.objects, "variable", "variables"), grouped(symbols.undefined));
  else
    tables += "; --all looks through so many for the largest";
  page.line(tables);
  for (const auto& symbol : symbols.largest)
    page.line(fmt::format("{:>14}  {:<8}  {}", grouped(symbol.size), symbol.type,
                          printable(symbol.name.substr(0, 90))));
}

void add_debug(const Facts& facts, Page& page) {
  const auto& debug = facts.debug;
  page.heading("Debug information");
  if (!debug.present) {
    page.line("none in this file");
  } else {
    std::string units = counted(debug.units, "unit", "units");
    if (!debug.complete) units = "the first " + units;
    page.line(fmt::format("DWARF {}, {}{}; {} looked at", debug.version, human_bytes(debug.bytes),
                          debug.compressed ? " compressed" : "", units));
    for (const auto& language : debug.languages)
      page.fact("language", fmt::format("{} ({})", language.name, grouped(language.count)));
    constexpr std::size_t kProducersShown = 3;
    for (std::size_t i = 0; i < std::min(debug.producers.size(), kProducersShown); ++i)
      page.fact("producer", printable(debug.producers[i].name.substr(0, 100)));
    if (debug.producers.size() > kProducersShown)
      page.fact("", fmt::format("and {} more", debug.producers.size() - kProducersShown));
  }
  page.fact("link", printable(debug.link));
  page.fact("shared with", printable(debug.alternative));
  page.fact("separate file", printable(debug.separate));
}

}  // namespace

const char* kind_words(Kind kind) {
  switch (kind) {
    case Kind::executable:
      return "executable at fixed addresses";
    case Kind::pie:
      return "position-independent executable";
    case Kind::library:
      return "shared library";
    case Kind::object:
      return "relocatable object";
    case Kind::core:
      return "core of a process";
    case Kind::debug_file:
      return "separate debug file";
    case Kind::other:
      return "ELF file of another type";
  }
  return "";
}

std::string file_text(const std::string& path, const Facts& facts, const Style& style) {
  Page page(style);
  page.title(printable(path) + ": " + headline(facts));
  std::string what = fmt::format("{} {}-endian, {}", facts.wide ? "64-bit" : "32-bit",
                                 facts.big_endian ? "big" : "little", elf::os_abi_name(facts.header.os_abi));
  if (!facts.abi.empty()) what += ", for " + facts.abi;
  page.fact("made for", what);
  if (facts.header.entry != 0) page.fact("entry", fmt::format("{:#x}", facts.header.entry));
  page.fact("interpreter", printable(facts.interpreter));
  page.fact("soname", printable(facts.soname));
  page.fact("needs", joined(facts.needed, kNeededShown));
  page.fact("build-id", facts.build_id);
  page.fact("tables", fmt::format("{}, {}", counted(facts.segments, "segment", "segments"),
                                  counted(facts.sections, "section", "sections")));
  if (facts.core) add_core(*facts.core, page);
  if (facts.hardening.loadable) add_hardening(facts, page);
  add_size(facts, page);
  if (facts.kind != Kind::core) {
    add_symbols(facts, page);
    add_debug(facts, page);
  }
  return page.take();
}

}  // namespace orrery::cli
