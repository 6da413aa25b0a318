// What an object file offers and what it waits for: its sections, its symbols as nm(1) letters them, and each
// relocation with what has to be known before it can be applied.
#pragma once

#include <string>
#include <vector>

#include "elf/elf_file_hosted.h"
#include "elf/symbols_hosted.h"

namespace orrery::lens::build {

struct ObjectSection {
  u64 index = 0;
  std::string name{}, type{}, flags{};
  u64 size = 0, alignment = 0;
  u64 relocations = 0;
};

struct ObjectSymbol {
  u64 index = 0;
  std::string name{};
  char letter = '?';  ///< of nm(1): T D B R W, U for undefined, small for local
  std::string section{};
  u64 value = 0, size = 0;

  bool undefined() const { return letter == 'U' || letter == 'w' || letter == 'v'; }
};

enum class Waits : u8 {
  placement,   ///< for the address of its own place only
  section,     ///< for where a section of this file will lie
  own_symbol,  ///< for where a symbol of this file will lie
  other_file,  ///< for a symbol of another file
  weak,        ///< for that too, and takes 0 if there is none
};
const char* words_of(Waits waits);

struct ObjectRelocation {
  std::string section{};  ///< that it changes
  u64 offset = 0;
  std::string type{}, symbol{};  ///< a section's symbol by the section's name
  std::optional<i64> addend{};
  Waits waits = Waits::placement;
};

struct ObjectFacts {
  std::vector<ObjectSection> sections{};
  std::vector<ObjectSymbol> symbols{};  ///< without those of sections and source files
  std::vector<ObjectRelocation> relocations{};
};

ObjectFacts gather_object(elf::ElfFile& file);

/// The letter that nm(1) prints.
char symbol_letter(elf::ElfFile& file, const elf::Symbol& symbol);

}  // namespace orrery::lens::build
