// What functions of DWARF are called. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <string>

namespace orrery::elf {

/// Of a function or an inlined one: demangled, with its scopes; "" if it has none.
std::string function_name(Dwarf_Die* function);

}  // namespace orrery::elf
