// The call stack of any task of a stopped process in one line, and what lies at an address.
#pragma once

#include <string>
#include <unordered_map>

#include "lens/replay_session.h"

namespace orrery::lens::sched {

class StackWords {
 public:
  explicit StackWords(std::string program) : program_(std::move(program)) {}

  /// "pthread_mutex_lock < take (queue.c:31) < worker (queue.c:52)": the innermost frames, the system's own
  /// only up to the one that the program called. "" if there is no such task.
  std::string stack_of(ReplaySession& session, i32 task);
  /// "queue_lock", "jobs+16", "[heap] 0x5581e0"; as near as symbols tell.
  std::string name_of(ReplaySession& session, u64 address);
  /// Another program: nothing is where it was.
  void forget() { words_.clear(); }

 private:
  struct Words {
    std::string text;
    bool users = false;
  };
  const Words& frame(ReplaySession& session, u64 lookup_pc);

  std::string program_;
  std::unordered_map<u64, Words> words_;
};

}  // namespace orrery::lens::sched
