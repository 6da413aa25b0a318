#include "elf/images_hosted.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "elf/opened_elf_hosted.h"

namespace orrery::elf {
namespace {

/// libdwfl asks for a file without DWARF of its own, and again for a debug file with a supplement: then under
/// that one's name, with no checksum.
int find_debug_file(Dwfl_Module*, void** source_place, const char*, Dwarf_Addr, const char* file_name,
                    const char* link_name, GElf_Word crc, char** found_name) {
  const auto* const source = static_cast<const DebugSource*>(*source_place);
  if (!source) return -1;
  const bool supplement = link_name && (link_name != source->link.name || crc != source->link.crc);
  const DebugFile found = supplement && file_name ? source->files->find_supplement(
                                                        read_supplement_link(OpenedElf(file_name)), file_name)
                                                  : source->files->find(source->link);
  if (found.fd >= 0) *found_name = strdup(found.path.c_str());
  return found.fd;
}

/// The files themselves are always reported with their kept copies, and need not be found.
int find_no_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) { return -1; }

const Dwfl_Callbacks kCallbacks = {
    .find_elf = find_no_file,
    .find_debuginfo = find_debug_file,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = nullptr,
};

std::vector<GElf_Phdr> program_headers(Elf* elf) {
  std::vector<GElf_Phdr> headers;
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return headers;
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header)) headers.push_back(header);
  }
  return headers;
}

/// Where the file's addresses went, if this mapping shows one of its segments.
std::optional<u64> bias_of(const std::vector<GElf_Phdr>& headers, const MappedRegion& region) {
  for (const GElf_Phdr& header : headers) {
    if (header.p_type != PT_LOAD) continue;
    if (page_floor(header.p_offset) == region.offset) return region.start - page_floor(header.p_vaddr);
  }
  return std::nullopt;
}

/// The end of the last page that the file's segments take when loaded with this bias.
u64 end_of(const std::vector<GElf_Phdr>& headers, u64 bias) {
  u64 end = 0;
  for (const GElf_Phdr& header : headers) {
    if (header.p_type == PT_LOAD) end = std::max(end, page_ceil(header.p_vaddr + header.p_memsz));
  }
  return bias + end;
}

DynamicNames dynamic_names(Elf* elf) {
  DynamicNames names;
  for (const GElf_Phdr& header : program_headers(elf)) {
    if (header.p_type == PT_INTERP && header.p_filesz > 1 && header.p_filesz < 4096) {
      Elf_Data* data =
          elf_getdata_rawchunk(elf, static_cast<int64_t>(header.p_offset), header.p_filesz, ELF_T_BYTE);
      if (data) names.interpreter.assign(static_cast<const char*>(data->d_buf), header.p_filesz - 1);
    }
  }
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNAMIC || header.sh_entsize == 0) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (!data) continue;
    for (u64 i = 0; i < header.sh_size / header.sh_entsize; ++i) {
      GElf_Dyn entry;
      if (!gelf_getdyn(data, static_cast<int>(i), &entry) || entry.d_tag == DT_NULL) break;
      const char* text = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
      if (entry.d_tag == DT_NEEDED && text) names.needed.emplace_back(text);
      if (entry.d_tag == DT_SONAME && text) names.soname = text;
    }
  }
  return names;
}

}  // namespace

DynamicNames read_dynamic_names(const std::string& file) {
  const OpenedElf elf(file);
  return elf.get() ? dynamic_names(elf.get()) : DynamicNames{};
}

Images::Images(StoppedMachine& machine, DebugFiles& debug_files)
    : session_(dwfl_begin(&kCallbacks)), debug_files_(debug_files) {
  const std::vector<MappedRegion>& regions = machine.regions();
  if (!session_) return;
  dwfl_report_begin(session_);
  for (u64 i = 0; i < regions.size(); ++i) {
    if (!regions[i].kept_file.empty() && !find(regions[i].start)) add(regions, i);
  }
  dwfl_report_end(session_, nullptr, nullptr);
}

Images::~Images() {
  if (session_) dwfl_end(session_);
}

void Images::add(const std::vector<MappedRegion>& regions, u64 first) {
  const MappedRegion& region = regions[first];
  const OpenedElf elf(region.kept_file);
  if (!elf.get()) return;
  const std::vector<GElf_Phdr> headers = program_headers(elf.get());
  const std::optional<u64> bias = bias_of(headers, region);
  // A data file mapped by its reader may well be an ELF file: only one with code in place is an image.
  const u64 end = bias ? end_of(headers, *bias) : 0;
  bool has_code = false;
  for (u64 i = first; i < regions.size() && regions[i].start < end; ++i) {
    has_code |= regions[i].path == region.path && (regions[i].protection & 4) != 0;
  }
  if (!has_code) return;
  Dwfl_Module* module =
      dwfl_report_elf(session_, region.path.c_str(), region.kept_file.c_str(), -1, *bias, true);
  if (!module) return;
  sources_.push_back({&debug_files_, read_debug_link(elf, region.path)});
  void** source_place = nullptr;
  dwfl_module_info(module, &source_place, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  if (source_place) *source_place = &sources_.back();
  DynamicNames names = dynamic_names(elf.get());
  images_.push_back({.path = region.path,
                     .kept_file = region.kept_file,
                     .bias = *bias,
                     .start = region.start,
                     .end = end,
                     .module = module,
                     .needed = std::move(names.needed),
                     .soname = std::move(names.soname)});
}

const Image* Images::find(u64 address) const {
  for (const Image& image : images_) {
    if (address >= image.start && address < image.end) return &image;
  }
  return nullptr;
}

}  // namespace orrery::elf
