// From an address of a stopped machine to what a person would call it: image, function, source line,
// and the functions inlined there. Works from DWARF where there is some, else from the symbol tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/md5_hosted.h"
#include "base/types.h"
#include "elf/images_hosted.h"

namespace orrery::elf {

struct SourceLine {
  std::string file;  ///< as the compiler was given it, made absolute; "" if unknown
  int line = 0;
  int column = 0;
  std::optional<Md5> md5{};  ///< of the file as the compiler read it, if it said so
};

/// One function that an address lies in: the function itself, or one inlined into it.
struct SourceFrame {
  std::string function;  ///< demangled; "" if unknown
  SourceLine source;
  bool inlined = false;
};

struct Location {
  const Image* image = nullptr;
  u64 image_offset = 0;  ///< address in the file: what objdump shows
  std::string symbol;    ///< demangled, from DWARF or the symbol table; of a PLT entry "puts@plt"; "" if none
  u64 symbol_offset = 0;            ///< from the symbol's start; valid if `symbol` is not empty
  std::vector<SourceFrame> frames;  ///< innermost first; empty without DWARF
};

/// `address` is the exact pc of the innermost frame, or the return address minus one of an outer one.
Location locate(const Images& images, u64 address);

}  // namespace orrery::elf
