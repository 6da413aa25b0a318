// What `orrery show profile` and `orrery export --callgrind` say: the exact profile of each program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/style.h"
#include "db/database.h"
#include "lens/profile/program_profile.h"

namespace orrery::cli {

/// Of the programs of these processes, in their order. `condition`: SQL over `process`.
Fallible<std::vector<lens::profile::ProfileRows>> read_profiles(db::Database& database,
                                                                const std::string& condition);

/// What the rows of a report are, and by what they are ordered.
enum class ProfileOrder : u8 { function, inclusive, line, call };

struct ProfileView {
  ProfileOrder order = ProfileOrder::function;
  bool all = false;         ///< not only the first rows
  bool inlined = false;     ///< functions with those that were inlined into them
  std::string recording{};  ///< where packed source lies
};

std::string profile_text(const lens::profile::ProfileRows& rows, const ProfileView& view, const Style& style);
nlohmann::ordered_json profile_json(const lens::profile::ProfileRows& rows, ProfileOrder order);

}  // namespace orrery::cli
