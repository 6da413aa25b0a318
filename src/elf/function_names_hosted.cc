#include "elf/function_names_hosted.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>

namespace orrery::elf {

void each_function(const Image& image, const std::function<void(const NamedFunction&)>& visit) {
  const int count = dwfl_module_getsymtab(image.module);
  for (int index = 1; index < count; ++index) {
    GElf_Sym symbol;
    GElf_Addr address = 0;
    GElf_Word section = 0;
    const char* name =
        dwfl_module_getsym_info(image.module, index, &symbol, &address, &section, nullptr, nullptr);
    if (name == nullptr || name[0] == '\0' || section == SHN_UNDEF) continue;
    const auto type = GELF_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    visit({.name = name,
           .address = address,
           .size_bytes = symbol.st_size,
           .is_local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL,
           .chooses = type == STT_GNU_IFUNC});
  }
}

}  // namespace orrery::elf
