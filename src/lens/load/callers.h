// Who called, in words: functions and source lines of code addresses, for callers that are many and a map
// that changes in between.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "elf/images_hosted.h"
#include "lens/replay_session.h"

namespace orrery::lens::load {

struct Caller {
  std::optional<std::string> function{};  ///< as in source; none if no symbol tells
  std::optional<std::string> line{};      ///< "file:line"; none without DWARF
};

class Callers {
 public:
  /// The call that returns to this address.
  Caller find(ReplaySession& session, u64 return_address);

 private:
  std::map<std::pair<std::string, u64>, std::unique_ptr<elf::Images>> images_;  ///< by kept file and place
};

}  // namespace orrery::lens::load
