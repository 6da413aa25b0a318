// What `orrery pack --sources --debug` took along: REC/packed lists it; REC/sources/<md5> and
// REC/debug/<name> are the files. A recording may come from a stranger: nothing of it is used whose checksum
// is wrong, and no name in it leads out of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "base/md5_hosted.h"

namespace orrery::trace {

inline constexpr u64 kSourceBytesMost = 16 << 20;  ///< of one source file

class PackedFiles {
 public:
  /// A recording without the list has nothing packed.
  static Fallible<PackedFiles> read(const std::string& recording);

  /// `list`: what REC/packed has.
  static Fallible<PackedFiles> parse(const std::string& recording, const std::string& list);

  struct Entry {
    Md5 md5;
    u64 size_bytes = 0;
  };
  /// By the path that the program's debug information names.
  const std::map<std::string, Entry>& sources() const { return sources_; }
  /// By the name below REC/debug.
  const std::map<std::string, Entry>& debug_files() const { return debug_files_; }

  Fallible<std::string> source_text(const std::string& path) const;
  /// One line for each file that is missing or not as it was packed.
  std::vector<std::string> verify() const;

  Fallible<Nothing> add_source(const std::string& path, const std::string& text);
  /// Copies what the descriptor has.
  Fallible<Nothing> add_debug_file(const std::string& name, int fd);
  Fallible<Nothing> write_list() const;

 private:
  explicit PackedFiles(std::string recording) : recording_(std::move(recording)) {}
  bool read_line(std::string_view line);

  std::string recording_;
  std::map<std::string, Entry> sources_, debug_files_;
};

}  // namespace orrery::trace
