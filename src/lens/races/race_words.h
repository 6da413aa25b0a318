// What races are told by: names of what lies at an address, and of code, while a program is mapped.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lens/profile/code_files.h"
#include "lens/races/race_finder.h"
#include "lens/sched/stack_words.h"

namespace orrery::lens::races {

/// Where code comes from, as the rows have it.
struct CodeWords {
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<std::string> object{};
};

/// What findings of a program are told by. Nothing of it is asked once its code is gone.
class RaceWords {
 public:
  RaceWords(profile::CodeFiles& files, const std::string& program) : files_(files), data_(program) {}

  /// Looks up all that the finder has found so far, at a stop.
  void collect(ReplaySession& session, const RaceFinder& finder);

  const CodeWords& code(u64 pc) const;
  /// Of a lock, or of what was raced for: by address.
  std::string data(u64 address) const;

 private:
  void learn_code(ReplaySession& session, u64 pc);
  void learn_data(ReplaySession& session, u64 address);

  profile::CodeFiles& files_;
  sched::StackWords data_;
  std::map<u64, CodeWords> code_;
  std::map<u64, std::string> names_;
};

}  // namespace orrery::lens::races
