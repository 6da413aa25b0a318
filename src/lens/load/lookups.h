// What a program asks the dynamic linker for by name: calls of dlsym and dlvsym, from the entry to the
// return.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "lens/lens.h"
#include "lens/load/callers.h"
#include "lens/load/link_rows.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

class Lookups {
 public:
  /// An object has appeared that may define them.
  void add(const LoadedObject& object);
  /// Addresses to stop at.
  const std::set<u64>& wanted() const { return wanted_; }
  /// The row of a look-up that has just returned; of it, who it belongs to is left to the caller.
  std::optional<LookupRow> reach(ReplaySession& session, u64 pc, const Instant& now,
                                 const LoadedObjects& objects, Callers& callers);

 private:
  struct UnderWay {
    u64 return_address = 0, stack = 0;
    LookupRow row;
  };
  void begin(ReplaySession& session, const Instant& now, const LoadedObjects& objects, Callers& callers);

  std::set<u64> entries_, wanted_;
  std::map<i32, std::vector<UnderWay>> under_way_;  ///< by task, innermost last
};

}  // namespace orrery::lens::load
