// The debug information of one ELF file by itself, wherever it lies: what to take along with a recording, and
// which source files it names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/md5_hosted.h"
#include "elf/debug_files_hosted.h"

namespace orrery::elf {

struct SourceFile {
  std::string path;  ///< absolute, as far as the unit tells its directory
  std::optional<Md5> md5;
};

/// A separate file, and under which name DebugFiles would find it among packed ones.
struct SeparateFile {
  DebugFile file;
  std::string packed_name;
};

class ObjectDebug {
 public:
  /// `kept_file` is what the guest knew as `path`.
  ObjectDebug(const std::string& kept_file, const std::string& path, DebugFiles& files);
  ~ObjectDebug();
  ObjectDebug(const ObjectDebug&) = delete;
  ObjectDebug& operator=(const ObjectDebug&) = delete;

  bool is_elf() const { return is_elf_; }
  /// It has DWARF, in itself or in one of these.
  bool exists() const;
  /// The debug file and its supplement, as far as there are any. Their descriptors go with this object.
  const std::vector<SeparateFile>& separate() const { return separate_; }
  /// Of all its units; each path once.
  std::vector<SourceFile> sources() const;
  /// Units whose DWARF the compiler left in a .dwo file beside the objects.
  u64 split_units() const;

 private:
  struct Handle;
  bool is_elf_ = false;
  std::vector<SeparateFile> separate_;
  std::unique_ptr<Handle> supplement_;  // ends after the one that refers to it
  std::unique_ptr<Handle> dwarf_;
};

}  // namespace orrery::elf
