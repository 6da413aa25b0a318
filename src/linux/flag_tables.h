// Names of flag bits and of closed sets of values (open flags, protections, commands, clocks, ...), for
// printing system calls. Pure data.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::abi {

/// `name` stands in a value v when (v & mask) == value. A single bit has mask == value.
struct FlagName {
  u64 value;
  u64 mask;
  const char* name;
};

/// Which table an argument's value is read with.
enum class Flags : u8 {
  none,
  open,
  protection,
  map,
  remap,
  advise,
  sync,
  lock_all,
  access,
  at,
  stat_mask,
  rename,
  whence,
  fallocate,
  advice,
  splice,
  sync_range,
  read_write,
  poll,
  epoll_control,
  epoll_create,
  event_fd,
  timer_fd,
  timer_set,
  signal_fd,
  inotify,
  inotify_mask,
  fcntl,
  descriptor,
  flock,
  seal,
  memfd,
  close_range,
  lease,
  socket_family,
  socket_type,
  message,
  shutdown,
  socket_level,
  socket_option,
  signal_how,
  wait,
  wait_id,
  id_type,
  clone,
  futex,
  clock,
  itimer,
  resource,
  usage,
  priority,
  scheduler,
  prctl,
  arch_prctl,
  random,
  extended_attribute,
  membarrier,
  ioctl,
  mount,
  umount,
  key,
  seccomp,
  personality,
  reboot,
  count,
};

struct FlagTable {
  std::span<const FlagName> names;
  bool one_of;  ///< the value is exactly one of them (a command), not a set of bits
};

const FlagTable& flag_table(Flags flags);

/// The name of exactly this value, or null.
const char* flag_name(Flags flags, u64 value);

}  // namespace orrery::abi
