// The generic handler. Guest memory is host memory at the same address, so most calls need no copying: the
// host may read and write where the guest pointed. Three things stand between:
//
//  - The host would also accept pointers into the engine. Such a pointer is replaced by one that always
//    faults, so that the host answers EFAULT in its own order of checks (EBADF before EFAULT in read, after
//    it in others), which no check of ours in front could reproduce.
//  - Ranges that the guest may access only in part are handed over whole: the host stops at the same page
//    as it would natively and returns its partial count. Only what is listed for the recorder is cut to the
//    accessible part. Where the rest is the engine's, the size argument itself is cut.
//  - Pages with translated code are write-protected on the host; they are opened before the host writes.
//
// Vectors and message headers hold further pointers. They are handed over as they are when all their
// pointers are the guest's own; otherwise a cleaned copy is.
#include "kernel/forward.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "kernel/fd_table.h"
#include "kernel/message_header.h"
#include "kernel/path.h"
#include "kernel/restart.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/syscalls/among_others.h"
#include "kernel/syscalls/transfers.h"
#include "memory/layout.h"

namespace orrery::kernel {
namespace {

using abi::Arg;
using abi::ArgKind;
using abi::SizeRule;
using abi::SyscallRow;
using memory::Access;

constexpr u64 kTransferBytesMost = 0x7fff'f000;  // MAX_RW_COUNT
constexpr u64 kVectorsMost = 1024;               // UIO_MAXIOV
constexpr u32 kAtSymlinkNoFollow = 0x100;
constexpr u64 kResourceNoFile = 7;

bool in_engine(u64 address, u64 size_bytes) {
  const u64 end = address + size_bytes;
  if (end < address) return true;
  for (const memory::layout::Range& range : memory::layout::kReserved)
    if (range.overlaps(address, end)) return true;
  return false;
}

/// Of a range that the guest's map allows, how much is really there: pages of a file mapping are gone when
/// the file became shorter. The recorder reads what is listed, so each such page is tried here.
u64 present_bytes(const memory::AddressSpace& space, u64 address, u64 size_bytes) {
  const u64 end = address + size_bytes;
  u64 reached = address;
  while (reached < end) {
    const memory::Region* region = space.find(reached);
    if (region->private_anonymous()) {
      reached = region->end;
      continue;
    }
    for (u8 byte = 0; reached < std::min(end, region->end); reached = page_floor(reached) + kPageBytes)
      if (!space.read(reached, {&byte, 1})) return reached - address;
  }
  return size_bytes;
}

/// A range that reaches beyond what the guest may write: the host stops in the middle, and may then answer
/// EFAULT although it has written up to there.
host::Extent extent_if_cut(host::Extent extent, bool cut) { return cut ? host::Extent::always : extent; }

host::Extent extent_of(abi::Written written) {
  switch (written) {
    case abi::Written::on_success:
      return host::Extent::whole_on_success;
    case abi::Written::result_bytes:
      return host::Extent::result_bytes;
    case abi::Written::result_items:
      return host::Extent::result_items;
    case abi::Written::by_length:
      return host::Extent::length_word;
    case abi::Written::always:
      return host::Extent::always;
  }
  return host::Extent::always;
}

/// Calls that act on a link itself, not on what it leads to.
bool follows_last_link(const Call& call) {
  switch (call.row.number) {
    case __NR_lstat:
    case __NR_lchown:
    case __NR_lsetxattr:
    case __NR_lgetxattr:
    case __NR_llistxattr:
    case __NR_lremovexattr:
    case __NR_unlink:
    case __NR_unlinkat:
    case __NR_rename:
    case __NR_renameat:
    case __NR_renameat2:
    case __NR_rmdir:
    case __NR_mkdir:
    case __NR_mkdirat:
    case __NR_mknod:
    case __NR_mknodat:
    case __NR_link:
    case __NR_linkat:
    case __NR_symlink:
    case __NR_symlinkat:
      return false;
    default:
      break;
  }
  for (std::size_t i = 0; i < call.row.arg_count; ++i)
    if (call.row.args[i].flags == abi::Flags::at && (call.args[i] & kAtSymlinkNoFollow) != 0) return false;
  return true;
}

u64 range_bytes(const Call& call, const Arg& arg) {
  const u64 by_argument = call.args[arg.size_arg];
  switch (arg.rule) {
    case SizeRule::fixed:
      return arg.size_bytes;
    case SizeRule::argument:
      return std::min(by_argument, kTransferBytesMost);
    case SizeRule::items:
      return std::min(by_argument & 0xffff'ffff, kTransferBytesMost / arg.size_bytes) * arg.size_bytes;
    case SizeRule::fd_set: {
      const auto bits = static_cast<i32>(by_argument);
      return bits <= 0 ? 0 : (static_cast<u64>(bits) + 63) / 64 * 8;
    }
    default:
      return 0;
  }
}

void build_sized(Call& call, CallBuilder& builder, int index, const Arg& arg) {
  const u64 address = call.args[static_cast<std::size_t>(index)];
  const u64 size_bytes = range_bytes(call, arg);
  if (arg.direction == abi::Direction::in)
    builder.in(index, address, size_bytes);
  else if (arg.direction == abi::Direction::in_out)
    builder.in_out(index, address, size_bytes);
  else
    builder.out(index, address, size_bytes, extent_of(arg.written), arg.size_bytes);
  const bool cut = arg.rule == SizeRule::argument && builder.last_accessible_bytes() < size_bytes;
  if (!cut || address == 0) return;
  const u64 accessible = builder.last_accessible_bytes();
  if (accessible != 0 && in_engine(address + accessible, size_bytes - accessible))
    builder.value(arg.size_arg, accessible);
}

void build_by_length(Call& call, CallBuilder& builder, int index, const Arg& arg) {
  const u64 length_at = call.args[arg.size_arg];
  const u64 address = call.args[static_cast<std::size_t>(index)];
  u32 capacity = 0;
  // A word that cannot be written makes the host fail after it may have written the address: none is kept.
  const bool usable = length_at != 0 && call.space().accessible(length_at, sizeof capacity, Access::write);
  if (!usable || !call.space().read_value(length_at, capacity)) capacity = 0;
  builder.out(index, address, std::min(u64{capacity}, kTransferBytesMost), host::Extent::length_word, 1,
              length_at);
}

void build_pointer(Call& call, CallBuilder& builder, int index, const Arg& arg, int directory_fd) {
  const u64 address = call.args[static_cast<std::size_t>(index)];
  const u64 count = static_cast<u32>(call.args[arg.size_arg]);
  switch (arg.rule) {
    case SizeRule::c_string:
      if (arg.kind == ArgKind::path)
        builder.path(index, address, directory_fd, follows_last_link(call));
      else
        builder.c_string(index, address);
      return;
    case SizeRule::io_vectors:
      builder.vectors(index, address, call.args[arg.size_arg], arg.is_written());
      return;
    case SizeRule::message:
      builder.message(index, address, arg.is_written());
      return;
    case SizeRule::messages:
      builder.messages(index, address, count, arg.is_written());
      return;
    case SizeRule::length_pointer:
      build_by_length(call, builder, index, arg);
      return;
    default:
      build_sized(call, builder, index, arg);
      return;
  }
}

void build_argument(Call& call, CallBuilder& builder, int index, int directory_fd) {
  const Arg& arg = call.row.args[static_cast<std::size_t>(index)];
  const u64 value = call.args[static_cast<std::size_t>(index)];
  if (arg.is_pointer())
    build_pointer(call, builder, index, arg, directory_fd);
  else if (arg.kind == ArgKind::fd || arg.kind == ArgKind::directory_fd)
    builder.fd(index, value);
  else
    builder.value(index, value);
}

/// Length words come first, so that whoever applies the outputs in order has them for the ranges whose
/// size they tell.
void build_arguments(Call& call, CallBuilder& builder) {
  const u32 length_words = call.row.length_words;
  int directory_fd = kAtFdCwd;
  for (int i = 0; length_words >> i != 0; ++i)
    if ((length_words >> i & 1) != 0) build_argument(call, builder, i, directory_fd);
  for (int i = 0; i < call.row.arg_count; ++i) {
    if (call.row.args[static_cast<std::size_t>(i)].kind == ArgKind::directory_fd) directory_fd = call.fd(i);
    if ((length_words >> i & 1) == 0) build_argument(call, builder, i, directory_fd);
  }
}

/// write(2) and its like: the second argument is what is written to the first.
bool carries_words(const SyscallRow& row) {
  const Arg& words = row.args[1];
  if (words.direction != abi::Direction::in) return false;
  return (words.rule == SizeRule::argument && words.kind == ArgKind::buffer) ||
         words.rule == SizeRule::io_vectors || words.rule == SizeRule::message ||
         words.rule == SizeRule::messages;
}

}  // namespace

namespace {

i64 ask_about(Call& call, u64 fd, u64 command, u64 argument) {
  host::HostCall ask;
  ask.number = __NR_fcntl;
  ask.args = {fd, command, argument};
  return call.host().call(ask);
}

/// The host gave out a number of the engine's range that was free: the descriptor moves above it.
i64 move_above_engine(Call& call, u64 fd) {
  const bool closes = (ask_about(call, fd, F_GETFD, 0) & FD_CLOEXEC) != 0;
  return ask_about(call, fd, closes ? F_DUPFD_CLOEXEC : F_DUPFD, call.process.fds->engine_fd_end());
}

/// Which of a socket's time-outs limits how long the call waits; 0 if none does.
int time_limit_option(u32 number) {
  switch (number) {
    case __NR_read:
    case __NR_readv:
    case __NR_preadv2:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_recvmmsg:
    case __NR_accept:
    case __NR_accept4:
      return SO_RCVTIMEO;
    case __NR_write:
    case __NR_writev:
    case __NR_pwritev2:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_sendmmsg:
    case __NR_connect:
      return SO_SNDTIMEO;
    default:
      return 0;
  }
}

/// sock_intr_errno: a call on a socket with a time-out is never started again, since nobody would know how
/// much of the time is left.
bool waits_for_limited_time(Call& call) {
  const int option = time_limit_option(call.row.number);
  if (option == 0) return false;
  struct {
    i64 seconds = 0, microseconds = 0;
  } limit;
  u32 limit_bytes = sizeof limit;
  host::HostCall get;
  get.number = __NR_getsockopt;
  get.args = {call.args[0], SOL_SOCKET, static_cast<u64>(option), reinterpret_cast<u64>(&limit),
              reinterpret_cast<u64>(&limit_bytes)};
  get.checked_args = 0b00111;
  get.out.add({.address = reinterpret_cast<u64>(&limit), .capacity_bytes = sizeof limit});
  get.out.add({.address = reinterpret_cast<u64>(&limit_bytes), .capacity_bytes = sizeof limit_bytes});
  return call.host().call(get) == 0 && (limit.seconds != 0 || limit.microseconds != 0);
}

/// Calls that may wait long for a disk, and change nothing that other processes see.
bool waits_for_disk(const SyscallRow& row) {
  constexpr u32 kCalls[] = {__NR_fsync, __NR_fdatasync, __NR_sync, __NR_syncfs, __NR_sync_file_range};
  return std::find(std::begin(kCalls), std::end(kCalls), row.number) != std::end(kCalls);
}

}  // namespace

i64 admit_descriptor(Call& call, i64 fd) {
  i64 admitted = fd;
  if (call.process.fds->is_engine(static_cast<int>(fd)))
    admitted = move_above_engine(call, static_cast<u64>(fd));
  const bool fits = admitted >= 0 && static_cast<u64>(admitted) < call.process.limits[kResourceNoFile].soft;
  for (const i64 unwanted : {fd, admitted}) {
    if (unwanted < 0 || (fits && unwanted == admitted)) continue;
    host::HostCall close;
    close.number = __NR_close;
    close.args[0] = static_cast<u64>(unwanted);
    call.host().call(close);
    if (fd == admitted) break;
  }
  if (!fits) return -EMFILE;
  call.process.fds->closed(static_cast<int>(admitted));
  call.process.fds->set_origin(static_cast<int>(admitted), Origin::machine);
  return admitted;
}

i64 forward(Call& call) {
  if (!call.process.scheduler.alone() && is_transfer(call)) return transfer_among_others(call);
  return forward_once(call);
}

i64 forward_once(Call& call) {
  CallBuilder builder(call, call.row.number);
  build_arguments(call, builder);
  const bool others_run = waits_for_disk(call.row);
  if (others_run) call.process.scheduler.give_turn();
  const i64 result = builder.perform();
  if (others_run) call.process.scheduler.take_turn();
  return call.row.result == abi::ResultKind::fd && result >= 0 ? admit_descriptor(call, result) : result;
}

i64 ask(Call& call, host::HostCall& host_call) {
  for (;;) {
    const bool among_others = call.row.may_block && !call.process.scheduler.alone();
    const i64 result = among_others ? call_among_others(call, host_call) : call.host().call(host_call);
    if (result != -EINTR || !call.row.may_block) return result;
    // A blocked or ignored signal would not have ended the call natively either: make it again. No signal
    // at all was a stop and SIGCONT, after which the host answers as it would natively.
    const bool by_signal = collect_host_signals(call.process);
    if (among_others || !by_signal || deliverable_signals(call.task) != 0)
      return waits_for_limited_time(call) ? -EINTR : -static_cast<i64>(call.row.restart_rule);
  }
}

CallBuilder::CallBuilder(Call& call, u32 number) : call_(call) { host_call_.number = number; }

void CallBuilder::fd(int index, u64 value) {
  const bool engines = call_.process.fds->is_engine(static_cast<int>(value));
  pointer(index, engines ? ~u64{0} : value, true);
  if (index != 0 || engines) return;
  if (carries_words(call_.row))
    host_call_.terminal_stream = call_.process.fds->stream(static_cast<int>(value));
}

void CallBuilder::pointer(int index, u64 value, bool checked) {
  host_call_.args[static_cast<std::size_t>(index)] = value;
  if (!checked) host_call_.checked_args = static_cast<u8>(host_call_.checked_args & ~(1U << index));
}

/// Says how much of the range the guest may access. False if the host must not get the address at all.
bool CallBuilder::reach(u64 address, u64 size_bytes, Access access, u64& accessible) {
  memory::AddressSpace& space = call_.space();
  accessible = present_bytes(space, address, space.accessible_bytes(address, size_bytes, access));
  last_accessible_bytes_ = accessible;
  return accessible != 0 || !in_engine(address, std::max<u64>(size_bytes, 1));
}

void CallBuilder::add_in(u64 address, u64 size_bytes) {
  if (size_bytes == 0) return;
  in_.add({address, size_bytes}, host_call_.in);
}

void CallBuilder::add_out(const host::OutRange& range) {
  if (range.capacity_bytes == 0) return;
  call_.space().prepare_write(range.address, range.capacity_bytes);
  out_.add(range, host_call_.out);
}

void CallBuilder::in(int index, u64 address, u64 size_bytes) {
  u64 accessible = 0;
  last_accessible_bytes_ = 0;
  if (address == 0 || reach(address, size_bytes, Access::read, accessible)) {
    pointer(index, address, true);
    // A replay that shows output takes all inputs of such a call for words.
    if (host_call_.terminal_stream == 0 || index == 1) add_in(address, accessible);
  } else {
    pointer(index, kFaultingAddress, true);
  }
}

void CallBuilder::out(int index, u64 address, u64 size_bytes, host::Extent extent, u32 item_bytes,
                      u64 length_at) {
  u64 accessible = 0;
  last_accessible_bytes_ = 0;
  if (address != 0 && !reach(address, size_bytes, Access::write, accessible)) {
    pointer(index, kFaultingAddress, true);
    return;
  }
  pointer(index, address, true);
  add_out({address, accessible, extent_if_cut(extent, accessible < size_bytes), item_bytes, length_at});
}

void CallBuilder::in_out(int index, u64 address, u64 size_bytes) {
  in(index, address, size_bytes);
  u64 accessible = 0;
  if (address == 0 || !reach(address, size_bytes, Access::write, accessible)) return;
  add_out({address, accessible, host::Extent::always, 1, 0});
}

void CallBuilder::c_string(int index, u64 address) {
  std::vector<char> text;
  const i64 bytes = address == 0 ? 0 : call_.space().read_string(address, kPathBytesMost, text);
  if (bytes == -EFAULT) {
    pointer(index, in_engine(address, 1) ? kFaultingAddress : address, true);
    return;
  }
  pointer(index, address, true);
  if (address != 0 && bytes >= 0) add_in(address, static_cast<u64>(bytes) + 1);
}

void CallBuilder::path(int index, u64 address, int directory_fd, bool follows) {
  std::vector<char> text;
  const i64 bytes = address == 0 ? -EFAULT : call_.space().read_string(address, kPathBytesMost, text);
  if (bytes < 0) {
    pointer(index, bytes == -EFAULT && address != 0 && in_engine(address, 1) ? kFaultingAddress : address,
            true);
    return;
  }
  std::vector<char> replacement;
  const std::string_view name(text.data(), text.size());
  if (replace_path(call_.process, directory_fd, name, follows, replacement)) {
    strings_.push_back(std::move(replacement));
    engine_in(index, strings_.back().data(), strings_.back().size());
    return;
  }
  pointer(index, address, true);
  add_in(address, static_cast<u64>(bytes) + 1);
}

/// Lists what `count` vectors at `address` point at. True if `safe` is to be used instead of them.
bool CallBuilder::add_vectors(u64 address, u64 count, bool written, host::Extent extent, u64 length_at,
                              std::vector<Vector>& safe) {
  bool cleaned = false, cut = false;
  u64 room = kTransferBytesMost;
  std::vector<u64> accessible_sizes;
  for (u64 i = 0; i < std::min(count, kVectorsMost) && !cut; ++i) {
    Vector vector;
    if (!call_.space().read_value(address + i * sizeof vector, vector)) break;
    const u64 size_bytes = std::min(vector.size_bytes, room);
    u64 accessible = 0;
    if (!reach(vector.base, size_bytes, written ? Access::write : Access::read, accessible) &&
        size_bytes != 0) {
      vector.base = kFaultingAddress;
      cleaned = true;
    } else if (accessible < size_bytes && in_engine(vector.base + accessible, size_bytes - accessible)) {
      vector.size_bytes = accessible;
      cleaned = true;
    }
    room -= size_bytes;
    safe.push_back(vector);
    accessible_sizes.push_back(accessible);
    cut = accessible < size_bytes;  // the host stops here too
  }
  for (std::size_t i = 0; i < safe.size(); ++i) {
    if (written)
      add_out({safe[i].base, accessible_sizes[i], extent_if_cut(extent, cut), 1, length_at});
    else
      add_in(safe[i].base, accessible_sizes[i]);
  }
  return cleaned;
}

void CallBuilder::vectors(int index, u64 address, u64 count, bool written) {
  u64 accessible = 0;
  if (!reach(address, std::min(count, kVectorsMost) * sizeof(Vector), Access::read, accessible) &&
      address != 0) {
    pointer(index, kFaultingAddress, true);
    return;
  }
  std::vector<Vector> safe;
  pointer(index, address, true);
  if (count > kVectorsMost || address == 0) return;
  if (!add_vectors(address, count, written, host::Extent::result_bytes, 0, safe)) return;
  // Vectors after the cleaned one are kept: the host may look at their lengths before it moves a byte.
  for (u64 i = safe.size(); i < count; ++i) {
    Vector rest;
    if (!call_.space().read_value(address + i * sizeof rest, rest)) break;
    if (in_engine(rest.base, rest.size_bytes)) rest.base = kFaultingAddress;
    safe.push_back(rest);
  }
  vectors_.push_back(std::move(safe));
  pointer(index, reinterpret_cast<u64>(vectors_.back().data()), false);
}

/// Descriptors sent with SCM_RIGHTS must be the guest's own.
bool CallBuilder::rights_are_guests(u64 control, u64 size_bytes) {
  bool are_guests = true;
  visit_rights(call_.space(), control, size_bytes,
               [&](int fd) { return are_guests = !call_.process.fds->is_engine(fd); });
  return are_guests;
}

/// Lists what a message header points at. False if the host must not see it (it points into the engine).
bool CallBuilder::add_message(u64 address, bool written, host::Extent data_extent, u64 data_length_at) {
  MessageHeader header;
  if (!call_.space().read_value(address, header)) return true;
  if (written && !call_.space().accessible(address, sizeof header, Access::write)) return true;
  const u64 length_at = address + offsetof(MessageHeader, name_bytes);
  const u64 control_length_at = address + offsetof(MessageHeader, control_bytes);
  const Access access = written ? Access::write : Access::read;
  struct Part {
    u64 address, size_bytes, length_at;
  };
  for (const Part part : {Part{header.name, header.name_bytes, length_at},
                          Part{header.control, header.control_bytes, control_length_at}}) {
    if (part.address == 0 || part.size_bytes == 0) continue;
    u64 accessible = 0;
    if (!reach(part.address, part.size_bytes, access, accessible)) return false;
    const auto extent = extent_if_cut(host::Extent::length_word, accessible < part.size_bytes);
    if (written)
      add_out({part.address, accessible, extent, 1, part.length_at});
    else if (host_call_.terminal_stream == 0)
      add_in(part.address, accessible);
  }
  if (!written && !rights_are_guests(header.control, header.control_bytes)) return false;
  if (header.vector_count > kVectorsMost) return true;
  std::vector<Vector> safe;
  return !add_vectors(header.vectors, header.vector_count, written, data_extent, data_length_at, safe);
}

void CallBuilder::message(int index, u64 address, bool written) {
  u64 accessible = 0;
  const bool reachable = reach(address, sizeof(MessageHeader), Access::read, accessible);
  if (!reachable && address != 0) {
    pointer(index, kFaultingAddress, true);
    return;
  }
  if (written && accessible == sizeof(MessageHeader))
    add_out({address, call_.space().accessible_bytes(address, accessible, Access::write),
             host::Extent::always, 1, 0});
  const bool sound = add_message(address, written, host::Extent::result_bytes, 0);
  pointer(index, sound ? address : kFaultingAddress, true);
}

void CallBuilder::messages(int index, u64 address, u64 count, bool written) {
  const u64 used = std::min(count, kVectorsMost);
  u64 accessible = 0;
  if (!reach(address, used * kMessageItemBytes, Access::read, accessible) && address != 0) {
    pointer(index, kFaultingAddress, true);
    return;
  }
  const u64 writable = call_.space().accessible_bytes(address, accessible, Access::write);
  add_out({address, writable, host::Extent::always, 1, 0});
  bool sound = true;
  for (u64 i = 0; i < accessible / kMessageItemBytes; ++i) {
    const u64 item = address + i * kMessageItemBytes;
    sound = add_message(item, written, host::Extent::always, 0) && sound;
  }
  pointer(index, sound ? address : kFaultingAddress, true);
}

void CallBuilder::engine_in(int index, const void* data, u64 size_bytes) {
  pointer(index, reinterpret_cast<u64>(data), false);
  add_in(reinterpret_cast<u64>(data), size_bytes);
}

void CallBuilder::engine_out(int index, void* data, u64 size_bytes, host::Extent extent) {
  pointer(index, reinterpret_cast<u64>(data), false);
  out_.add({reinterpret_cast<u64>(data), size_bytes, extent, 1, 0}, host_call_.out);
}

i64 CallBuilder::perform() { return ask(call_, host_call_); }

}  // namespace orrery::kernel
