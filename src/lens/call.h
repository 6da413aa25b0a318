// One system call of a replayed run, read from the registers and memory at its entry and after it, and
// written as strace would.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "lens/code_place.h"
#include "lens/replay_session.h"

namespace orrery::lens {

struct Call {
  u64 event = 0;  ///< the next event at its entry
  u64 number = 0;
  std::string name{};
  std::array<u64, 6> arguments{};
  std::string text{};     ///< "openat(AT_FDCWD, \"/x\", O_RDONLY) = -1 ENOENT (No such file or directory)"
  bool returned = false;  ///< false: the run ended in it
  i64 result = 0;
  bool from_loader = false;  ///< the dynamic loader made it, before main or in dlopen
  std::string path{};        ///< the first path argument
  std::string written{};     ///< what write and writev were given to write, the first kWrittenBytesMost
  int fd = -1;               ///< of write and writev
  std::optional<StackFact> stack{};  ///< where it came from, if it was looked at

  bool failed() const { return returned && result < 0 && result >= -4095; }
  int error() const { return failed() ? static_cast<int>(-result) : 0; }
  /// It has put another program in the place of this one.
  bool replaced_program() const {
    return returned && result == 0 && (name == "execve" || name == "execveat");
  }
};

inline constexpr u64 kWrittenBytesMost = 16 * 1024;

/// The call whose entry the session is stopped at.
Call read_call(ReplaySession& session);

/// The same call when it has returned: its result.
void finish_call(ReplaySession& session, Call& call);

/// C's escapes in double quotes, at most `bytes_most` bytes, "..." behind when cut.
std::string quote(const std::string& text, u64 bytes_most);

}  // namespace orrery::lens
