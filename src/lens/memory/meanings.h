// What lies where in a process, in words: from its map and the files that it maps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/stopped_machine_hosted.h"
#include "lens/load/object_file.h"

namespace orrery::lens::memory {

struct Meaning {
  std::string word{};                   ///< see kMeaningWords
  std::optional<std::string> object{};  ///< the file that is mapped there, or whose bss it is
  std::optional<u64> file_offset{};     ///< none without a file
};

inline constexpr const char* kMeaningWords =
    "code, rodata, relro, data, bss, heap, stack, guard, tls, vdso, mapped file, shared or anonymous.";

/// Those that were opened, by path; null where one is not kept.
using ImageFiles = std::map<std::string, std::shared_ptr<load::ObjectFile>>;

class Meanings {
 public:
  /// Of the map as it is now.
  Meanings(const std::vector<elf::MappedRegion>& regions, ImageFiles& files)
      : regions_(regions), files_(files) {}

  Meaning of(u64 address) const;

 private:
  struct Image {
    const elf::MappedRegion* first = nullptr;
    bool has_code = false;
  };

  Meaning of_file(const elf::MappedRegion& region, u64 address) const;
  Image image_with(const elf::MappedRegion& region) const;
  bool is_in_relro(const Image& image, u64 address) const;
  const elf::MappedRegion* image_below(const elf::MappedRegion& region) const;

  const std::vector<elf::MappedRegion>& regions_;
  ImageFiles& files_;
};

}  // namespace orrery::lens::memory
