// Calls that move bytes between descriptors past guest memory. Where both ends are the host's business they
// are forwarded. Where one end is the program's own output, whose words belong into the recording, the bytes
// go through a buffer of the engine's: read from one end, written to the other.
#include <asm/unistd.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <vector>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kTransferBytesMost = 0x7fff'f000;  // MAX_RW_COUNT
constexpr std::size_t kChunkBytes = 65536;       // a pipe's capacity
constexpr u64 kSpliceNonblock = 2, kSpliceFlags = 15;
constexpr int kNowait = 8;  // RWF_NOWAIT

/// Where bytes come from or go to: a place in a file, or the descriptor's own position.
struct End {
  int fd;
  std::optional<u64> offset{};
};

u64 number_of(int fd) { return static_cast<u64>(static_cast<i64>(fd)); }

/// A file of /proc whose text is the machine's: such files cannot be spliced natively either.
bool is_answered(Call& call, int fd) {
  const ProcFile* const file = call.process.fds->proc_file(fd);
  return file != nullptr && file->is_answered();
}

/// st_mode of an open file, or -errno.
i64 mode_of(Call& call, int fd) {
  if (call.process.fds->is_engine(fd)) return -EBADF;
  struct stat status {};
  host::HostCall ask;
  ask.number = __NR_fstat;
  ask.args = {number_of(fd), reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  const i64 error = call_uninterrupted(call.process, ask);
  return error < 0 ? error : static_cast<i64>(status.st_mode);
}

i64 position_of(Call& call, int fd) {
  host::HostCall ask;
  ask.number = __NR_lseek;
  ask.args = {number_of(fd), 0, SEEK_CUR};
  return call.host().call(ask);
}

void set_position(Call& call, int fd, u64 position) {
  host::HostCall set;
  set.number = __NR_lseek;
  set.args = {number_of(fd), position, SEEK_SET};
  call.host().call(set);
}

i64 take(Call& call, const End& from, std::span<u8> out) {
  host::HostCall read;
  read.number = from.offset ? __NR_pread64 : __NR_read;
  read.args = {number_of(from.fd), reinterpret_cast<u64>(out.data()), out.size(), from.offset.value_or(0)};
  read.checked_args = 0b1101;
  read.out.add({.address = reinterpret_cast<u64>(out.data()),
                .capacity_bytes = out.size(),
                .extent = host::Extent::result_bytes});
  return ask(call, read);
}

void wait_until_writable(Call& call, int fd) {
  pollfd entry{fd, POLLOUT, 0};
  host::HostCall wait;
  wait.number = __NR_poll;
  wait.args = {reinterpret_cast<u64>(&entry), 1, ~u64{0}};
  wait.checked_args = 0b110;
  wait.out.add({.address = reinterpret_cast<u64>(&entry), .capacity_bytes = sizeof entry});
  call_uninterrupted(call.process, wait);
}

/// Writes all of it if it can: what was taken from a pipe cannot be put back.
i64 put(Call& call, const End& to, std::span<const u8> bytes) {
  i64 done = 0;
  while (!bytes.empty()) {
    host::HostCall write;
    write.number = to.offset ? __NR_pwrite64 : __NR_write;
    write.args = {number_of(to.fd), reinterpret_cast<u64>(bytes.data()), bytes.size(),
                  to.offset.value_or(0) + static_cast<u64>(done)};
    write.checked_args = 0b1101;
    write.in.add({reinterpret_cast<u64>(bytes.data()), bytes.size()});
    write.terminal_stream = call.process.fds->stream(to.fd);
    const i64 count = ask(call, write);
    if (count == -EAGAIN) {
      wait_until_writable(call, to.fd);
      continue;
    }
    if (count <= 0) return done != 0 ? done : count;
    done += count;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return done;
}

/// Moves up to `count` bytes; `once`: no more than one chunk, as from a pipe.
i64 move_bytes(Call& call, End from, End to, u64 count, bool once) {
  std::vector<u8> buffer(std::min<u64>(std::max<u64>(count, 1), kChunkBytes));
  i64 done = 0;
  while (static_cast<u64>(done) < count) {
    const std::size_t wanted = std::min<u64>(buffer.size(), count - static_cast<u64>(done));
    const i64 taken = take(call, from, std::span(buffer).first(wanted));
    if (taken <= 0) return done != 0 ? done : taken;
    const i64 written = put(call, to, std::span(buffer).first(static_cast<std::size_t>(taken)));
    if (written < 0) return done != 0 ? done : written;
    done += written;
    if (from.offset) *from.offset += static_cast<u64>(written);
    if (to.offset) *to.offset += static_cast<u64>(written);
    if (once || written < taken) break;
  }
  return done;
}

/// The offset that the call's argument points at. False: EFAULT.
bool read_offset(Call& call, int index, End& end) {
  const u64 address = call.args[static_cast<std::size_t>(index)];
  u64 offset = 0;
  if (address == 0) return true;
  if (!call.space().read_value(address, offset)) return false;
  end.offset = offset;
  return true;
}

/// Where a file is read from without an offset of the caller's, its own position moves with what was written.
i64 move_from_file(Call& call, End from, End to, u64 count, u64 offset_address) {
  const bool at_position = !from.offset;
  if (at_position) {
    const i64 position = position_of(call, from.fd);
    if (position < 0) return position;
    from.offset = static_cast<u64>(position);
  }
  const i64 done = move_bytes(call, from, to, count, false);
  if (done <= 0) return done;
  const u64 end = *from.offset + static_cast<u64>(done);
  if (!at_position) return call.space().write_value(offset_address, end) ? done : -EFAULT;
  set_position(call, from.fd, end);
  return done;
}

bool goes_past_recording(Call& call, int in, int out) {
  return call.process.fds->stream(out) != 0 || is_answered(call, in) || is_answered(call, out);
}

}  // namespace

/// fs/read_write.c do_sendfile.
i64 sys_sendfile(Call& call) {
  End from{call.fd(1)}, to{call.fd(0)};
  if (!goes_past_recording(call, from.fd, to.fd)) return forward(call);
  const i64 mode = mode_of(call, from.fd);
  if (mode < 0) return mode;
  if (const i64 out_mode = mode_of(call, to.fd); out_mode < 0) return out_mode;
  if (is_answered(call, from.fd) || is_answered(call, to.fd)) return -EINVAL;
  if (!S_ISREG(static_cast<u32>(mode)) && !S_ISBLK(static_cast<u32>(mode))) return -EINVAL;
  if (!read_offset(call, 2, from)) return -EFAULT;
  if (from.offset && static_cast<i64>(*from.offset) < 0) return -EINVAL;
  return move_from_file(call, from, to, std::min(call.args[3], kTransferBytesMost), call.args[2]);
}

/// fs/splice.c do_splice: one end is a pipe.
i64 sys_splice(Call& call) {
  End from{call.fd(0)}, to{call.fd(2)};
  if (!goes_past_recording(call, from.fd, to.fd)) return forward(call);
  if (call.args[4] == 0) return 0;
  if ((call.args[5] & ~kSpliceFlags) != 0) return -EINVAL;
  const i64 in_mode = mode_of(call, from.fd), out_mode = mode_of(call, to.fd);
  if (in_mode < 0 || out_mode < 0) return -EBADF;
  const bool from_pipe = S_ISFIFO(static_cast<u32>(in_mode)), to_pipe = S_ISFIFO(static_cast<u32>(out_mode));
  if ((from_pipe && call.args[1] != 0) || (to_pipe && call.args[3] != 0)) return -ESPIPE;
  if (!from_pipe && !to_pipe) return -EINVAL;
  if (is_answered(call, from.fd) || is_answered(call, to.fd)) return -EINVAL;
  if (!read_offset(call, 1, from) || !read_offset(call, 3, to)) return -EFAULT;
  const u64 count = std::min<u64>(call.args[4], kChunkBytes);
  if (!from_pipe) return move_from_file(call, from, to, count, call.args[1]);
  const i64 done = move_bytes(call, from, to, count, true);
  if (done > 0 && to.offset && !call.space().write_value(call.args[3], *to.offset + static_cast<u64>(done)))
    return -EFAULT;
  return done;
}

/// What tee copies stays in the first pipe, where it cannot be seen: towards the program's own output it is
/// refused as for an object that cannot do it.
i64 sys_tee(Call& call) { return call.process.fds->stream(call.fd(1)) != 0 ? -EINVAL : forward(call); }

i64 sys_copy_file_range(Call& call) {
  End from{call.fd(0)}, to{call.fd(2)};
  if (!goes_past_recording(call, from.fd, to.fd)) return forward(call);
  if (call.args[5] != 0) return -EINVAL;
  const i64 in_mode = mode_of(call, from.fd), out_mode = mode_of(call, to.fd);
  if (in_mode < 0 || out_mode < 0) return -EBADF;
  if (S_ISDIR(static_cast<u32>(in_mode)) || S_ISDIR(static_cast<u32>(out_mode))) return -EISDIR;
  if (!S_ISREG(static_cast<u32>(in_mode)) || !S_ISREG(static_cast<u32>(out_mode))) return -EINVAL;
  if (is_answered(call, from.fd) || is_answered(call, to.fd)) return -EXDEV;
  if (!read_offset(call, 1, from) || !read_offset(call, 3, to)) return -EFAULT;
  const i64 done = move_from_file(call, from, to, std::min(call.args[4], kTransferBytesMost), call.args[1]);
  if (done > 0 && to.offset && !call.space().write_value(call.args[3], *to.offset + static_cast<u64>(done)))
    return -EFAULT;
  return done;
}

/// vmsplice as a copy: into the pipe with writev, out of it with readv. What the program changes in the pages
/// afterwards does not reach the reader.
i64 sys_vmsplice(Call& call) {
  const u64 flags = call.args[3] & 0xffff'ffff;
  if ((flags & ~kSpliceFlags) != 0) return -EINVAL;
  const i64 mode = mode_of(call, call.fd(0));
  if (mode < 0 || !S_ISFIFO(static_cast<u32>(mode))) return -EBADF;
  CallBuilder ask_flags(call, __NR_fcntl);
  ask_flags.fd(0, call.args[0]);
  ask_flags.value(1, F_GETFL);
  const i64 opened = ask_flags.perform();
  if (opened < 0) return opened;
  const bool writes = (opened & O_ACCMODE) != O_RDONLY;
  CallBuilder builder(call, writes ? __NR_pwritev2 : __NR_preadv2);
  builder.fd(0, call.args[0]);
  builder.vectors(1, call.args[1], call.args[2], !writes);
  builder.value(2, call.args[2]);
  builder.value(3, ~u64{0});
  builder.value(4, ~u64{0});
  builder.value(5, (flags & kSpliceNonblock) != 0 ? kNowait : 0);
  return builder.perform();
}

}  // namespace orrery::kernel
