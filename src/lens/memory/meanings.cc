#include "lens/memory/meanings.h"

#include <sys/mman.h>

#include <algorithm>

namespace orrery::lens::memory {

Meaning Meanings::of(u64 address) const {
  const auto above = std::upper_bound(regions_.begin(), regions_.end(), address,
                                      [](u64 each, const auto& region) { return each < region.start; });
  if (above == regions_.begin() || !std::prev(above)->contains(address)) return {.word = "anonymous"};
  const elf::MappedRegion& region = *std::prev(above);
  if (region.path.starts_with("/") && !region.path.starts_with("/dev/zero (deleted)"))
    return of_file(region, address);
  if (region.path.starts_with("[")) {
    const std::string word = region.path.substr(1, region.path.find(']') - 1);
    return {.word = word == "vvar" ? "vdso" : word};
  }
  if ((region.flags & MAP_SHARED) != 0) return {.word = "shared"};
  const elf::MappedRegion* file = image_below(region);
  if (file == nullptr) return {.word = "anonymous"};
  return {.word = "bss", .object = file->path};
}

Meaning Meanings::of_file(const elf::MappedRegion& region, u64 address) const {
  Meaning found{
      .word = "mapped file", .object = region.path, .file_offset = region.offset + (address - region.start)};
  const Image image = image_with(region);
  if (!image.has_code) return found;
  if ((region.protection & PROT_EXEC) != 0)
    found.word = "code";
  else if ((region.protection & PROT_WRITE) != 0)
    found.word = "data";
  else
    found.word = is_in_relro(image, address) ? "relro" : "rodata";
  return found;
}

/// A file may be mapped several times. What is one image of it begins with the file's own beginning.
Meanings::Image Meanings::image_with(const elf::MappedRegion& region) const {
  Image image;
  for (const elf::MappedRegion& each : regions_) {
    if (each.path != region.path) continue;
    if (each.offset == 0 && each.start > region.start) break;
    if (each.offset == 0 || image.first == nullptr) image = {.first = &each};
    image.has_code = image.has_code || (each.protection & PROT_EXEC) != 0;
  }
  return image;
}

/// In the part that is made read-only when it has been relocated.
bool Meanings::is_in_relro(const Image& image, u64 address) const {
  const auto [known, is_new] = files_.try_emplace(image.first->path);
  if (is_new && !image.first->kept_file.empty())
    known->second = load::ObjectFile::open(image.first->kept_file);
  const load::ObjectFile* file = known->second.get();
  if (file == nullptr || file->relro_end() == 0) return false;
  const u64 in_file = address - image.first->start + page_floor(file->first_address());
  return in_file >= page_floor(file->relro_start()) && in_file < file->relro_end();
}

/// The data of an image, if the region begins where that ends.
const elf::MappedRegion* Meanings::image_below(const elf::MappedRegion& region) const {
  const auto below = std::find_if(regions_.begin(), regions_.end(),
                                  [&](const auto& other) { return other.end == region.start; });
  const bool is_bss = below != regions_.end() && below->path.starts_with("/") &&
                      (below->protection & PROT_WRITE) != 0 && (region.protection & PROT_WRITE) != 0;
  return is_bss ? &*below : nullptr;
}

}  // namespace orrery::lens::memory
