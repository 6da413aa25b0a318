// A file open with libelf. Only this room's own files include this.
#pragma once

#include <libelf.h>

#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

class OpenedElf {
 public:
  /// Regular files only. `flags`: O_NOFOLLOW, or 0.
  explicit OpenedElf(const std::string& path, int flags = 0);
  ~OpenedElf();
  OpenedElf(const OpenedElf&) = delete;
  OpenedElf& operator=(const OpenedElf&) = delete;

  Elf* get() const { return elf_; }  ///< null: it cannot be read, or is no ELF file
  int fd() const { return fd_; }     ///< -1: it cannot be read
  /// The caller closes it; the Elf goes.
  int release();

  std::vector<u8> build_id() const;  ///< empty if it has none
  /// Null if there is no section of that name with bytes in the file.
  Elf_Data* section(const char* name) const;

 private:
  int fd_;
  Elf* elf_ = nullptr;
};

}  // namespace orrery::elf
