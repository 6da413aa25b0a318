// What a row of the system-call table says: the one description from which dispatch, the generic
// forwarding handler, recording of outputs, the strace-style printer and the support page come. The rows
// stand in syscall_table.cc.
#pragma once

#include <array>
#include <initializer_list>

#include "base/types.h"
#include "linux/flag_tables.h"

namespace orrery::abi {

/// How an argument is read and printed.
enum class ArgKind : u8 {
  none,
  decimal,       ///< a signed 32-bit number
  long_decimal,  ///< a signed 64-bit number (offsets)
  size,          ///< an unsigned 64-bit number
  hexadecimal,
  mode,   ///< permission bits, octal
  flags,  ///< Arg::flags names the table
  fd,
  directory_fd,  ///< a descriptor or AT_FDCWD
  pid,
  user_id,  ///< uid or gid, -1 prints as -1
  signal,
  address,    ///< a guest address the call itself does not read or write through
  path,       ///< C string, in
  string,     ///< C string, in, no path (names of attributes, file systems, keys)
  buffer,     ///< plain bytes
  structure,  ///< one or more of Arg::structure
};

enum class Direction : u8 { none, in, out, in_out };

/// Where the size of a pointed-to range comes from.
enum class SizeRule : u8 {
  none,
  fixed,           ///< size_bytes
  argument,        ///< args[size_arg] bytes
  items,           ///< args[size_arg] items of size_bytes
  c_string,        ///< up to and with the NUL
  length_pointer,  ///< the u32 at args[size_arg] (socklen_t *)
  io_vectors,      ///< args[size_arg] iovecs, which point at the bytes
  message,         ///< a struct msghdr and all it points at
  messages,        ///< args[size_arg] struct mmsghdr and all they point at
  fd_set,          ///< a bitmap of args[size_arg] bits, in whole 64-bit words
};

/// How much of an output range has been written when the call has finished.
enum class Written : u8 {
  on_success,    ///< all of it if the result is >= 0
  result_bytes,  ///< `result` bytes
  result_items,  ///< `result` items of size_bytes
  by_length,     ///< min(capacity, the length word after the call)
  always,        ///< all of it whatever the result
};

/// The fixed structures that system calls take; struct_bytes() gives their sizes.
enum class Struct : u8 {
  bytes,
  i32_value,
  u32_value,
  u64_value,
  pointer,
  timespec,
  timeval,
  timezone,
  itimerval,
  itimerspec,
  utimbuf,
  timex,
  stat,
  statfs,
  statx,
  utsname,
  sysinfo,
  rlimit,
  rusage,
  tms,
  sigset,
  sigaction,
  siginfo,
  stack,
  sigevent,
  pollfd,
  epoll_event,
  fd_set,
  fd_pair,
  iovec,
  msghdr,
  mmsghdr,
  sockaddr,
  flock,
  open_how,
  clone_args,
  sched_param,
  sched_attr,
  cap_header,
  cap_data,
  futex_waitv,
  robust_list,
  mq_attr,
  termios,
  winsize,
  file_handle,
  ustat,
  count,
};

struct StructInfo {
  const char* name;
  u32 size_bytes;  ///< 0: the size varies
};
const StructInfo& struct_info(Struct structure);

struct Arg {
  const char* name = "";
  ArgKind kind = ArgKind::none;
  Direction direction = Direction::none;
  SizeRule rule = SizeRule::none;
  u8 size_arg = 0;     ///< index of the argument that the rule reads
  u32 size_bytes = 0;  ///< fixed size, or size of an item
  Written written = Written::on_success;
  Struct structure = Struct::bytes;
  Flags flags = Flags::none;

  constexpr bool is_pointer() const { return direction != Direction::none; }
  constexpr bool is_written() const { return direction == Direction::out || direction == Direction::in_out; }
  constexpr bool is_read() const { return direction == Direction::in || direction == Direction::in_out; }
};

enum class Answer : u8 {
  forward,  ///< kernel/forward.cc asks the host, driven by this row alone
  kernel,   ///< a handler of the guest kernel (kernel/syscalls/)
  refuse,   ///< an errno, as an older or locked-down kernel would give
};

enum class Support : u8 { full, partial, refused };

/// What becomes of the call when a signal interrupts it. The values are the kernel's internal results
/// (include/linux/errno.h), resolved before the guest sees them.
enum class Restart : i16 {
  never = 4,            ///< EINTR, also under SA_RESTART (signal(7) lists them)
  if_sa_restart = 512,  ///< ERESTARTSYS
  always = 513,         ///< ERESTARTNOINTR
  no_handler = 514,     ///< ERESTARTNOHAND
  block = 516,          ///< ERESTART_RESTARTBLOCK
};

enum class ResultKind : u8 { number, fd, address, nothing, clock_ticks };

inline constexpr int kArgsMost = 6;

struct SyscallRow {
  u16 number = 0;
  const char* name = nullptr;  ///< null: the number is not used on x86-64
  Answer answer = Answer::refuse;
  Support support = Support::refused;
  ResultKind result = ResultKind::number;
  Restart restart_rule = Restart::if_sa_restart;
  bool may_block = false;
  u8 arg_count = 0;
  u8 length_words = 0;    ///< bit i: args[i] points at the length word of another argument
  i16 refusal = 0;        ///< errno of a refused call
  const char* note = "";  ///< what is missing, or why it is refused
  std::array<Arg, kArgsMost> args{};

  // The table's vocabulary; each returns the row so that they can be chained.
  constexpr SyscallRow& partial(const char* missing) {
    support = Support::partial;
    note = missing;
    return *this;
  }
  constexpr SyscallRow& returns(ResultKind kind) {
    result = kind;
    return *this;
  }
  constexpr SyscallRow& blocks(Restart rule) {
    may_block = true;
    restart_rule = rule;
    return *this;
  }
};

}  // namespace orrery::abi
