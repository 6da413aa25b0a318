// The entries of an image's procedure linkage tables, which have no symbols: each is called after what its
// slot of the GOT is relocated to, as `puts@plt`. What binutils calls synthetic symbols.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

struct Image;

struct PltEntry {
  u64 address = 0, end = 0;  ///< in the file
  std::string name{};        ///< demangled, with "@plt"
};

/// Of one image; read when first asked for.
class PltEntries {
 public:
  /// `address`: at run time. Null if it lies in no entry.
  const PltEntry* find(const Image& image, u64 address);

 private:
  void read(const Image& image);

  bool is_read_ = false;
  std::vector<PltEntry> entries_;  ///< by address
};

}  // namespace orrery::elf
