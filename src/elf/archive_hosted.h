// An ar(1) archive: a static library. Its members lie in it one after the other, each with a header of text.
#pragma once

#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "elf/file_bytes_hosted.h"

namespace orrery::elf {

struct ArchiveMember {
  std::string name;
  u64 header = 0;  ///< offset in the file
  u64 offset = 0;  ///< of its bytes
  u64 size = 0;
};

struct Archive {
  bool thin = false;  ///< members are files of their own, beside the archive
  bool has_index = false;
  u64 index_symbols = 0;  ///< what the index lists
  std::vector<ArchiveMember> members;
  DamageList damages;
};

bool is_archive(std::span<const u8> bytes);
Archive read_archive(std::span<const u8> bytes);

}  // namespace orrery::elf
