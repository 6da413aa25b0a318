// The numbers of ELF in words: as elf.h calls them, without its prefixes, where readelf(1) does so too.
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::elf {

std::string file_type_name(u16 type);                  ///< "EXEC"
std::string machine_name(u16 machine);                 ///< "x86-64"
std::string os_abi_name(u8 os_abi);                    ///< "System V"
std::string segment_type_name(u32 type);               ///< "LOAD"
std::string segment_flags_name(u32 flags);             ///< "R E"
std::string section_type_name(u16 machine, u32 type);  ///< "PROGBITS"
std::string section_flags_name(u64 flags);             ///< "WA"
std::string symbol_type_name(u8 type);                 ///< "FUNC"
std::string symbol_binding_name(u8 binding);           ///< "GLOBAL"
const char* symbol_visibility_name(u8 visibility);
/// The flags of DT_FLAGS and DT_FLAGS_1: "BIND_NOW STATIC_TLS".
std::string dynamic_flags_name(u64 flags);
std::string dynamic_flags_1_name(u64 flags);
/// "R_X86_64_RELATIVE"; "type 77" for one of another machine than x86-64, i386 or AArch64, or an unknown one.
std::string relocation_type_name(u16 machine, u32 type);

}  // namespace orrery::elf
