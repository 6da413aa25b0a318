// A whole file as bytes, mapped: what nobody looks at costs nothing.
#pragma once

#include <span>
#include <string>

#include "base/failure_hosted.h"
#include "base/types.h"

namespace orrery::lens::file {

class MappedFile {
 public:
  /// Regular files only. A file that becomes shorter while it is mapped raises SIGBUS where it is read: the
  /// command line catches that (cli/show_file.cc).
  static Fallible<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const u8> bytes() const { return bytes_; }
  u32 mode() const { return mode_; }  ///< st_mode

 private:
  MappedFile() = default;
  std::span<const u8> bytes_;
  u32 mode_ = 0;
};

}  // namespace orrery::lens::file
