// Names with the namespaces and classes around them. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <string>

namespace orrery::elf {

/// "scope::name" of an entry whose own name is `name`.
std::string in_its_scopes(Dwarf_Die* entry, const std::string& name);

}  // namespace orrery::elf
