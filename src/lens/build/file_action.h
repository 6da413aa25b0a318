// What a process did to its files, as one system call at a time told it: the alphabet in which Watchers write
// down and FileHistory reads. Paths are as the program gave them, relative ones to a descriptor or to its
// directory, since only who plays all processes' actions in order knows what those were.
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::lens::build {

enum class ActionKind : u8 {
  begin,             ///< the process begins
  fork,              ///< it is about to make another one
  exec,              ///< it has become another program
  open,              ///< `path` below `fd`, as `to_fd`, with open(2)'s `flags`
  close,             ///< descriptors `fd` to `to_fd`
  close_on_exec,     ///< those are closed by exec; `flags` 0: no more
  duplicate,         ///< `fd` as `to_fd`; `flags` O_CLOEXEC
  change_directory,  ///< `path` below `fd`; to `fd` itself if that is empty
  seek,              ///< `fd` to `offset`
  read,              ///< the data, from `offset` of `fd`
  write,             ///< the data, to `offset` of `fd`
  resize,            ///< `fd`, or `path`, to `size` bytes
  grow,              ///< `fd` to at least `size` bytes
  stat,              ///< `fd` is a regular file of `size` bytes
  rename,            ///< `path` below `fd` to `to_path` below `to_fd`; `flags` renameat2's
  link,              ///< the same, and the first name stays
  remove,            ///< `path` below `fd`
  copy,              ///< `size` bytes from `offset` of `fd` to `to_offset` of `to_fd`
  map,               ///< `size` bytes from `offset` of `fd` at `address`; kept copy in `to_path`
  unmap,             ///< `size` bytes at `address`
  stored,            ///< the data is what lies at `address` in a mapping that others see
};

/// Where the descriptor itself stands.
inline constexpr u64 kPosition = ~u64{0};

/// A piece of the spool (see Journal).
struct Data {
  u64 at = 0;
  u64 size = 0;
  bool known = true;  ///< false: there was no room for it
};

struct FileAction {
  ActionKind kind = ActionKind::begin;
  u32 process = 0;
  u64 time_ns = 0;
  u64 event = 0;  ///< the process's next event then
  int fd = -1, to_fd = -1;
  u64 flags = 0;
  u64 offset = kPosition, to_offset = kPosition;
  u64 size = 0;
  u64 address = 0;
  bool from_loader = false;
  std::string path{}, to_path{};
  Data data{};
};

}  // namespace orrery::lens::build
