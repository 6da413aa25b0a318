#include "elf/plt_hosted.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "elf/demangle_hosted.h"
#include "elf/images_hosted.h"

namespace orrery::elf {
namespace {

/// Names by the address of the slot that is relocated.
using Slots = std::map<u64, std::string>;

/// A relocation without a symbol (R_X86_64_IRELATIVE) is called as objdump does.
std::string name_of(Elf* elf, const GElf_Rela& relocation, Elf_Data* symbols, u64 names) {
  GElf_Sym symbol;
  const u64 index = GELF_R_SYM(relocation.r_info);
  if (index != 0 && symbols && gelf_getsym(symbols, static_cast<int>(index), &symbol))
    if (const char* const name = elf_strptr(elf, names, symbol.st_name)) return demangle(name) + "@plt";
  char text[40];
  std::snprintf(text, sizeof text, "*ABS*+0x%lx@plt", static_cast<unsigned long>(relocation.r_addend));
  return text;
}

void add_slots(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, Slots& slots) {
  GElf_Shdr linked{};
  Elf_Scn* const symbol_section = elf_getscn(elf, header.sh_link);
  if (symbol_section) gelf_getshdr(symbol_section, &linked);
  Elf_Data* const symbols =
      header.sh_link != 0 && symbol_section ? elf_getdata(symbol_section, nullptr) : nullptr;
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (!data || header.sh_entsize == 0) return;
  for (u64 at = 0; at < header.sh_size / header.sh_entsize; ++at) {
    GElf_Rela relocation;
    if (!gelf_getrela(data, static_cast<int>(at), &relocation)) break;
    const auto type = GELF_R_TYPE(relocation.r_info);
    if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_IRELATIVE)
      slots[relocation.r_offset] = name_of(elf, relocation, symbols, linked.sh_link);
  }
}

/// An entry jumps through its slot: ff 25 disp32 (ABI, "Procedure Linkage Table"), behind an endbr64 or with
/// a bnd prefix where the linker was asked for these.
void add_entries(const u8* bytes, const GElf_Shdr& header, u64 entry_bytes, const Slots& slots,
                 std::vector<PltEntry>& entries) {
  constexpr u64 kJumpBytes = 6;
  for (u64 start = 0; start + entry_bytes <= header.sh_size; start += entry_bytes) {
    for (u64 at = start; at + kJumpBytes <= start + entry_bytes; ++at) {
      if (bytes[at] != 0xff || bytes[at + 1] != 0x25) continue;
      i32 distance = 0;
      std::memcpy(&distance, bytes + at + 2, sizeof distance);
      const u64 slot = header.sh_addr + at + kJumpBytes + static_cast<u64>(i64{distance});
      const auto known = slots.find(slot);
      if (known != slots.end())
        entries.push_back({header.sh_addr + start, header.sh_addr + start + entry_bytes, known->second});
      break;
    }
  }
}

}  // namespace

void PltEntries::read(const Image& image) {
  GElf_Addr bias = 0;
  Elf* const elf = dwfl_module_getelf(image.module, &bias);
  size_t names = 0;
  GElf_Ehdr file;
  if (!elf || elf_getshdrstrndx(elf, &names) != 0 || !gelf_getehdr(elf, &file) || file.e_machine != EM_X86_64)
    return;
  Slots slots;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA && (header.sh_flags & SHF_ALLOC) != 0)
      add_slots(elf, section, header, slots);
  }
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type != SHT_PROGBITS) continue;
    const char* const name = elf_strptr(elf, names, header.sh_name);
    const bool is_plt = name && std::strncmp(name, ".plt", 4) == 0;
    Elf_Data* const data = is_plt ? elf_rawdata(section, nullptr) : nullptr;
    if (!data || data->d_size < header.sh_size) continue;
    constexpr u64 kUsualBytes = 16;
    const u64 entry_bytes = header.sh_entsize >= 8 ? header.sh_entsize : kUsualBytes;
    add_entries(static_cast<const u8*>(data->d_buf), header, entry_bytes, slots, entries_);
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const PltEntry& left, const PltEntry& right) { return left.address < right.address; });
}

const PltEntry* PltEntries::find(const Image& image, u64 address) {
  if (!is_read_) read(image);
  is_read_ = true;
  const u64 wanted = address - image.bias;
  const auto above = std::upper_bound(entries_.begin(), entries_.end(), wanted,
                                      [](u64 at, const PltEntry& entry) { return at < entry.address; });
  if (above == entries_.begin() || wanted >= std::prev(above)->end) return nullptr;
  return &*std::prev(above);
}

}  // namespace orrery::elf
