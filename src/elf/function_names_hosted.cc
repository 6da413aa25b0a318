#include "elf/function_names_hosted.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>

namespace orrery::elf {

namespace {

/// Those that are defined there, with their addresses at run time.
template <class Visit>
void each_symbol(const Image& image, Visit visit) {
  const int count = dwfl_module_getsymtab(image.module);
  for (int index = 1; index < count; ++index) {
    GElf_Sym symbol;
    GElf_Addr address = 0;
    GElf_Word section = 0;
    const char* name =
        dwfl_module_getsym_info(image.module, index, &symbol, &address, &section, nullptr, nullptr);
    if (name != nullptr && name[0] != '\0' && section != SHN_UNDEF) visit(name, address, symbol);
  }
}

}  // namespace

void each_function(const Image& image, const std::function<void(const NamedFunction&)>& visit) {
  each_symbol(image, [&](const char* name, u64 address, const GElf_Sym& symbol) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC) return;
    visit({.name = name,
           .address = address,
           .size_bytes = symbol.st_size,
           .is_local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL,
           .chooses = type == STT_GNU_IFUNC});
  });
}

void each_object(const Image& image, const std::function<void(const NamedData&)>& visit) {
  each_symbol(image, [&](const char* name, u64 address, const GElf_Sym& symbol) {
    if (GELF_ST_TYPE(symbol.st_info) == STT_OBJECT && symbol.st_size != 0)
      visit({.name = name, .address = address, .size_bytes = symbol.st_size});
  });
}

}  // namespace orrery::elf
