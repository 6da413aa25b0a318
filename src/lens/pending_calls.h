// The system calls that the tasks of a replayed process are in: one that blocks lets others call.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "lens/call.h"

namespace orrery::lens {

/// `Entry`: what the user keeps of the stop at a call's entry.
template <class Entry>
class PendingCalls {
 public:
  struct Made {
    Call call;
    Entry entry;
  };

  /// The session is stopped at the entry of a call. Valid until the task's next stop.
  Made& enter(ReplaySession& session, Entry entry) {
    return made_.insert_or_assign(session.stop().task, Made{read_call(session), std::move(entry)})
        .first->second;
  }

  /// The session is stopped before guest code runs on: the call that the task has returned from, if it is in
  /// one. If that has put another program in the place of this one, the other tasks' calls are gone.
  std::optional<Made> leave(ReplaySession& session) {
    const auto found = made_.find(session.stop().task);
    if (found == made_.end()) return std::nullopt;
    std::optional<Made> made = std::move(found->second);
    finish_call(session, made->call);
    if (made->call.replaced_program())
      made_.clear();
    else
      made_.erase(found);
    return made;
  }

  /// Those that have not returned, and never will.
  std::vector<Made> take_rest() {
    std::vector<Made> rest;
    for (auto& [task, made] : made_) rest.push_back(std::move(made));
    made_.clear();
    return rest;
  }

 private:
  std::map<i32, Made> made_;  ///< by task
};

}  // namespace orrery::lens
