#include "lens/build/phase.h"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>

#include "base/base_name.h"
#include "elf/archive_hosted.h"
#include "elf/dynamic_hosted.h"
#include "elf/elf_file_hosted.h"

namespace orrery::lens::build {
namespace {

using Words = std::vector<std::string>;

struct Known {
  std::string_view name;
  Phase phase;
};

constexpr Known kPrograms[] = {
    {"gcc", Phase::driver},      {"g++", Phase::driver},          {"cc", Phase::driver},
    {"c++", Phase::driver},      {"c89", Phase::driver},          {"c99", Phase::driver},
    {"cpp", Phase::driver},      {"gfortran", Phase::driver},     {"clang", Phase::driver},
    {"clang++", Phase::driver},  {"collect2", Phase::driver},     {"lto-wrapper", Phase::driver},
    {"ccache", Phase::driver},   {"cc1", Phase::compile},         {"cc1plus", Phase::compile},
    {"cc1obj", Phase::compile},  {"f951", Phase::compile},        {"lto1", Phase::compile},
    {"as", Phase::assemble},     {"llvm-as", Phase::assemble},    {"nasm", Phase::assemble},
    {"ld", Phase::link},         {"ld.bfd", Phase::link},         {"ld.gold", Phase::link},
    {"gold", Phase::link},       {"ld.lld", Phase::link},         {"lld", Phase::link},
    {"ld.mold", Phase::link},    {"mold", Phase::link},           {"ar", Phase::archive},
    {"ranlib", Phase::archive},  {"gcc-ar", Phase::archive},      {"gcc-ranlib", Phase::archive},
    {"llvm-ar", Phase::archive}, {"llvm-ranlib", Phase::archive}, {"make", Phase::tool},
    {"gmake", Phase::tool},      {"ninja", Phase::tool},          {"cmake", Phase::tool},
    {"meson", Phase::tool},
};

constexpr std::string_view kDoes[] = {"drives", "preprocesses", "compiles", "assembles",
                                      "links",  "archives",     "builds",   "runs"};

/// "x86_64-linux-gnu-gcc-12" is gcc: without a target before it and a version behind it.
std::string_view plain_name(std::string_view program) {
  std::string_view name = base_name(program);
  if (const auto dash = name.rfind('-'); dash != std::string_view::npos && dash + 1 < name.size()) {
    const std::string_view behind = name.substr(dash + 1);
    const bool version = std::all_of(behind.begin(), behind.end(), [](char c) {
      return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.';
    });
    if (version) name = name.substr(0, dash);
  }
  return name;
}

const Known* find_program(std::string_view program) {
  const std::string_view name = plain_name(program);
  const auto known = std::find_if(std::begin(kPrograms), std::end(kPrograms), [&](const Known& each) {
    if (name == each.name) return true;
    return name.size() > each.name.size() && name.ends_with(each.name) &&
           name[name.size() - each.name.size() - 1] == '-';
  });
  return known != std::end(kPrograms) ? known : nullptr;
}

bool has(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_preprocessed(const Words& words) {
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "-fpreprocessed" || word == "cpp-output" || word == "c++-cpp-output" ||
           (!word.starts_with('-') && (word.ends_with(".i") || word.ends_with(".ii")));
  });
}

/// The phases of a compiler that reads a source and stops behind `last`.
PhaseFacts phases_up_to(Phase last, const Words& words, bool driver) {
  PhaseFacts facts{.phase = std::min(last, Phase::compile)};
  if (driver) facts.merged.push_back(Phase::driver);
  if (last == Phase::preprocess || !is_preprocessed(words)) facts.merged.push_back(Phase::preprocess);
  if (last >= Phase::compile) facts.merged.push_back(Phase::compile);
  if (last >= Phase::assemble) facts.merged.push_back(Phase::assemble);
  if (facts.merged.size() < 2) facts.merged.clear();
  return facts;
}

/// `clang -cc1`, and a clang that is its own -cc1: with one job it starts no other process.
PhaseFacts clang_phases(const Words& words, bool driver) {
  if (has(words, "-E")) return phases_up_to(Phase::preprocess, words, driver);
  const bool assembly = has(words, "-S") || has(words, "-emit-llvm") || has(words, "-emit-llvm-bc");
  return phases_up_to(assembly ? Phase::compile : Phase::assemble, words, driver);
}

bool is_text(std::span<const u8> bytes) {
  constexpr u64 kLooked = 4096;
  const auto first = bytes.first(std::min<u64>(bytes.size(), kLooked));
  return std::none_of(first.begin(), first.end(), [](u8 byte) { return byte < 9 || byte == 127; });
}

/// A library that runs by itself (libc) has an interpreter too, but nothing for a debugger.
bool is_pie(elf::ElfFile& file) {
  elf::Dynamic dynamic(file);
  if ((dynamic.find(DT_FLAGS_1).value_or(0) & DF_1_PIE) != 0) return true;
  return file.find_segment(PT_INTERP) && dynamic.find(DT_DEBUG);
}

std::string kind_of_elf(std::span<const u8> bytes) {
  auto file = elf::ElfFile::open(bytes);
  if (!file) return "damaged ELF file";
  switch (file.value().header().type) {
    case ET_REL:
      return "object";
    case ET_CORE:
      return "core";
    case ET_EXEC:
      return "executable";
    case ET_DYN:
      return is_pie(file.value()) ? "executable" : "shared library";
    default:
      return "ELF file";
  }
}

struct Suffix {
  std::string_view suffix, kind;
};
constexpr Suffix kTextKinds[] = {
    {".i", "preprocessed C"},  {".ii", "preprocessed C++"}, {".s", "assembly"},
    {".S", "assembly source"}, {".c", "C source"},          {".cc", "C++ source"},
    {".cpp", "C++ source"},    {".cxx", "C++ source"},      {".h", "header"},
    {".hpp", "header"},        {".hh", "header"},           {".map", "link map"},
    {".d", "dependencies"},    {".o.d", "dependencies"},    {".res", "linker's answers"},
    {".ld", "linker script"},  {".so", "linker script"},
};

}  // namespace

const char* name_of(Phase phase) {
  constexpr const char* kNames[] = {"driver", "preprocess", "compile",    "assemble",
                                    "link",   "archive",    "build tool", "other"};
  return kNames[static_cast<u8>(phase)];
}

PhaseFacts phase_of(const std::string& program, const std::vector<std::string>& arguments, bool alone) {
  const Known* known = find_program(program);
  if (known == nullptr && !arguments.empty()) known = find_program(arguments.front());
  if (known == nullptr) return {};
  const bool clang = known->name.starts_with("clang");
  const std::string first = arguments.size() > 1 ? arguments[1] : "";
  if (clang && first == "-cc1as") return {.phase = Phase::assemble};
  if (clang && first == "-cc1") return clang_phases(arguments, false);
  const bool compiles = has(arguments, "-c") || has(arguments, "-S") || has(arguments, "-E");
  if (clang && alone && compiles) return clang_phases(arguments, true);
  if (known->phase == Phase::compile) {
    const bool only_preprocesses = has(arguments, "-E") || first == "-E";
    if (known->name == "lto1") return {.phase = Phase::compile};
    return phases_up_to(only_preprocesses ? Phase::preprocess : Phase::compile, arguments, false);
  }
  return {.phase = known->phase};
}

std::string merged_words(const PhaseFacts& facts) {
  std::string words;
  for (std::size_t i = 0; i < facts.merged.size(); ++i) {
    if (i != 0) words += i + 1 == facts.merged.size() ? " and " : ", ";
    words += kDoes[static_cast<u8>(facts.merged[i])];
  }
  return words.empty() ? "" : words + " in one process";
}

std::string kind_of_file(const std::string& path, std::span<const u8> bytes) {
  constexpr u8 kBitcode[] = {'B', 'C', 0xc0, 0xde};
  if (bytes.empty()) return "empty";
  if (bytes.size() >= SELFMAG && std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0) return kind_of_elf(bytes);
  if (elf::is_archive(bytes)) return "archive";
  if (bytes.size() >= sizeof kBitcode && std::memcmp(bytes.data(), kBitcode, sizeof kBitcode) == 0)
    return "LLVM bitcode";
  if (!is_text(bytes)) return "data";
  for (const Suffix& each : kTextKinds)
    if (path.ends_with(each.suffix)) return std::string(each.kind);
  return "text";
}

}  // namespace orrery::lens::build
