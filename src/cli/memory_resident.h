// What of an address space is really in memory at an instant, and what of that is shared, as smaps counts it
// (proc_pid_smaps(5)): for the processes of the recording, and what was touched.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "base/failure_hosted.h"
#include "base/types.h"
#include "cli/layer_options.h"
#include "db/database.h"

namespace orrery::cli {

/// In bytes.
struct Resident {
  u64 rss = 0;
  double pss = 0;  ///< each page divided by the number of its users
  u64 shared_clean = 0, shared_dirty = 0, private_clean = 0, private_dirty = 0;
  u64 anonymous = 0;  ///< of no file and not of shared memory

  Resident& operator+=(const Resident& other);
};

nlohmann::ordered_json resident_json(const Resident& resident);

/// By address, of one process.
using ResidentPages = std::map<u64, Resident>;

/// By process: of all that are there at the instant of `options`, or else each at its own end.
Fallible<std::map<i64, ResidentPages>> read_resident(db::Database& database, const LayerOptions& options);

}  // namespace orrery::cli
