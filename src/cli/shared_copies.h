// The files that processes of a replay map shared and writable: one memfd for each, in which all of them see
// each other's stores. It begins as the kept copy is.
#pragma once

#include <map>
#include <string>

#include "base/types.h"
#include "cli/launch.h"

namespace orrery::cli {

class SharedCopies {
 public:
  explicit SharedCopies(std::string recording) : recording_(std::move(recording)) {}

  /// The memfd for REC/files/<file_number>; -1 if there is no such file or no room.
  int get(u32 file_number);

 private:
  Fd make(u32 file_number) const;

  std::string recording_;
  std::map<u32, Fd> files_;
};

}  // namespace orrery::cli
