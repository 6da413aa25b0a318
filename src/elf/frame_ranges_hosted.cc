#include "elf/frame_ranges_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <cstring>
#include <map>
#include <optional>
#include <span>

namespace orrery::elf {
namespace {

struct Section {
  Elf_Data* data = nullptr;
  u64 address = 0;  ///< in the file
};

std::optional<Section> find_section(Elf* elf, const char* wanted) {
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return std::nullopt;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS) continue;
    const char* const name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::strcmp(name, wanted) != 0) continue;
    Elf_Data* const data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return std::nullopt;
    return Section{data, header.sh_addr};
  }
  return std::nullopt;
}

u64 size_of(u8 encoding) {
  switch (encoding & 0x0f) {
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2:
      return 2;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4:
      return 4;
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      return 8;
    default:
      return 0;
  }
}

/// How the addresses of a CIE's entries are written: what stands for R in its augmentation (LSB, 10.6.1).
u8 address_encoding(const Dwarf_CIE& cie) {
  if (cie.augmentation == nullptr || cie.augmentation[0] != 'z') return DW_EH_PE_absptr;
  const u8* at = cie.augmentation_data;
  const u8* const end = at + cie.augmentation_data_size;
  for (const char* letter = cie.augmentation + 1; *letter != '\0' && at < end; ++letter) {
    if (*letter == 'R') return *at;
    if (*letter == 'L') ++at;
    if (*letter == 'P') at += 1 + size_of(*at);
    if (*letter != 'L' && *letter != 'P' && *letter != 'S' && *letter != 'B') break;
  }
  return DW_EH_PE_absptr;
}

/// A number in `bytes`, which moves behind it; nothing if it is cut off.
std::optional<u64> take(std::span<const u8>& bytes, u8 encoding) {
  const u64 size = size_of(encoding);
  if (size == 0 || bytes.size() < size) return std::nullopt;
  u64 value = 0;
  std::memcpy(&value, bytes.data(), size);
  const bool is_signed = (encoding & 0x08) != 0;
  if (is_signed && size < 8)
    value = static_cast<u64>(static_cast<i64>(value << (64 - 8 * size)) >> (64 - 8 * size));
  bytes = bytes.subspan(size);
  return value;
}

std::optional<CodeRange> range_of(const Dwarf_FDE& entry, u8 encoding, const Section& section, u64 bias) {
  std::span<const u8> bytes(entry.start, static_cast<std::size_t>(entry.end - entry.start));
  const u64 place =
      section.address + static_cast<u64>(entry.start - static_cast<const u8*>(section.data->d_buf));
  const auto start = take(bytes, encoding);
  const auto size = take(bytes, encoding & 0x07);  // of the same format, never relative or signed
  const u8 relative = encoding & 0x70;
  if (!start || !size || *size == 0 || (relative != DW_EH_PE_pcrel && relative != DW_EH_PE_absptr))
    return std::nullopt;
  const u64 first = bias + *start + (relative == DW_EH_PE_pcrel ? place : 0);
  return CodeRange{first, first + *size};
}

}  // namespace

std::vector<CodeRange> frame_ranges(const Image& image) {
  std::vector<CodeRange> ranges;
  GElf_Addr bias = 0;
  Elf* const elf = dwfl_module_getelf(image.module, &bias);
  GElf_Ehdr header;
  if (elf == nullptr || gelf_getehdr(elf, &header) == nullptr) return ranges;
  const auto section = find_section(elf, ".eh_frame");
  if (!section) return ranges;
  std::map<u64, u8> encodings;  // of the CIEs, by their offsets
  Dwarf_Off next = 0;
  for (Dwarf_Off at = 0; next != ~Dwarf_Off{0}; at = next) {
    Dwarf_CFI_Entry entry;
    const int read = dwarf_next_cfi(header.e_ident, section->data, true, at, &next, &entry);
    if (read > 0) break;
    if (read < 0 && next <= at) break;
    if (read < 0) continue;
    if (dwarf_cfi_cie_p(&entry)) {
      encodings[at] = address_encoding(entry.cie);
    } else if (const auto known = encodings.find(entry.fde.CIE_pointer); known != encodings.end()) {
      if (const auto range = range_of(entry.fde, known->second, *section, bias)) ranges.push_back(*range);
    }
  }
  return ranges;
}

}  // namespace orrery::elf
