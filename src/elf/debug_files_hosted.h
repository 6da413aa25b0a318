// Separate debug files: where one may lie, and whether it is the right one. A file on disk may belong to
// another build than the recorded program, so none is used unless its build-id, or for programs without one
// the CRC of .gnu_debuglink, says that it belongs. The network is asked only where the user named a server
// ($DEBUGINFOD_URLS).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

class Debuginfod;
class OpenedElf;

/// What a file says of the separate file with its debug information.
struct DebugLink {
  std::string path;          ///< of the file, as the guest knows it: its directory is looked in
  std::vector<u8> build_id;  ///< empty if it has none
  std::string name;          ///< .gnu_debuglink: a name without directory; "" if there is none
  u32 crc = 0;               ///< of the whole file `name`
};
DebugLink read_debug_link(const OpenedElf& file, const std::string& path);

/// .gnu_debugaltlink: the file with what several debug files have in common (dwz).
struct SupplementLink {
  std::string name;  ///< absolute, or from the directory of the debug file; "" if there is none
  std::vector<u8> build_id;
};
SupplementLink read_supplement_link(const OpenedElf& file);

/// A debug file that belongs to what it was looked for.
struct DebugFile {
  int fd = -1;       ///< -1: none was found; else the caller closes it
  std::string path;  ///< where it was found
};

/// Many threads may ask.
class DebugFiles {
 public:
  using Complain = std::function<void(const std::string& sentence)>;

  /// `packed`: a directory of debug files named BUILD-ID.debug or crc-CRC.debug, looked in first; "" for
  /// none.
  DebugFiles(std::string packed, Complain complain);
  ~DebugFiles();
  DebugFiles(const DebugFiles&) = delete;
  DebugFiles& operator=(const DebugFiles&) = delete;

  DebugFile find(const DebugLink& wanted);
  /// `debug_file`: the file that has the link.
  DebugFile find_supplement(const SupplementLink& wanted, const std::string& debug_file);

  /// What a packed debug file is called; "" for one by which nobody could find it.
  static std::string packed_name(const DebugLink& link);
  static std::string packed_name(const SupplementLink& link);

 private:
  DebugFile open_packed(const std::string& name, std::span<const u8> build_id, const u32* crc) const;
  DebugFile ask_debuginfod(std::span<const u8> build_id, const std::string& whose);

  std::string packed_;
  std::vector<std::string> roots_;  ///< directories laid out as /usr/lib/debug
  std::mutex mutex_;                // of debuginfod_
  std::unique_ptr<Debuginfod> debuginfod_;
};

std::string hex_digits(std::span<const u8> bytes);

}  // namespace orrery::elf
