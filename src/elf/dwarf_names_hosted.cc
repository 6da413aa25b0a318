// Names of DWARF's numbers: pure tables over dwarf.h.
#include <dwarf.h>

#include <string>

#include "elf/dwarf_units_hosted.h"

namespace orrery::elf {
namespace {

struct Language {
  u64 number;
  const char* name;
};
// Those behind Fortran 2008 came after DWARF 5: dwarfstd.org/languages.html.
constexpr Language kLanguages[] = {
    {DW_LANG_C89, "C89"},
    {DW_LANG_C, "C"},
    {DW_LANG_Ada83, "Ada83"},
    {DW_LANG_Cobol74, "Cobol74"},
    {DW_LANG_Cobol85, "Cobol85"},
    {DW_LANG_Fortran77, "Fortran 77"},
    {DW_LANG_Fortran90, "Fortran 90"},
    {DW_LANG_Pascal83, "Pascal83"},
    {DW_LANG_Modula2, "Modula2"},
    {DW_LANG_Java, "Java"},
    {DW_LANG_C99, "C99"},
    {DW_LANG_Ada95, "Ada95"},
    {DW_LANG_Fortran95, "Fortran 95"},
    {DW_LANG_PLI, "PL/I"},
    {DW_LANG_ObjC, "Objective-C"},
    {DW_LANG_ObjC_plus_plus, "Objective-C++"},
    {DW_LANG_UPC, "UPC"},
    {DW_LANG_D, "D"},
    {DW_LANG_Python, "Python"},
    {DW_LANG_OpenCL, "OpenCL"},
    {DW_LANG_Go, "Go"},
    {DW_LANG_Modula3, "Modula3"},
    {DW_LANG_Haskell, "Haskell"},
    {DW_LANG_C_plus_plus_03, "C++03"},
    {DW_LANG_C_plus_plus_11, "C++11"},
    {DW_LANG_OCaml, "OCaml"},
    {DW_LANG_Rust, "Rust"},
    {DW_LANG_C11, "C11"},
    {DW_LANG_Swift, "Swift"},
    {DW_LANG_Julia, "Julia"},
    {DW_LANG_Dylan, "Dylan"},
    {DW_LANG_C_plus_plus_14, "C++14"},
    {DW_LANG_Fortran03, "Fortran 2003"},
    {DW_LANG_Fortran08, "Fortran 2008"},
    {DW_LANG_RenderScript, "RenderScript"},
    {DW_LANG_BLISS, "BLISS"},
    {DW_LANG_Mips_Assembler, "assembler"},
    {DW_LANG_C_plus_plus, "C++"},
    {0x2a, "C++17"},
    {0x2b, "C++20"},
    {0x2c, "C17"},
    {0x27, "Zig"},
    {0x28, "Crystal"},
    {0x31, "assembler"},
};

}  // namespace

std::string language_name(u64 language) {
  for (const Language& each : kLanguages) {
    if (each.number == language) return each.name;
  }
  return "language " + hex(language);
}

std::string unit_type_name(u8 type) {
  constexpr const char* kNames[] = {"",         "compile",       "type",      "partial",
                                    "skeleton", "split compile", "split type"};
  return type > 0 && type < std::size(kNames) ? kNames[type] : "type " + hex(type);
}

}  // namespace orrery::elf
