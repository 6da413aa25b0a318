#include "kernel/syscalls/open_file.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>

#include "base/text.h"
#include "kernel/fd_table.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

constexpr u64 kPathDescriptor = 010000000;  // O_PATH
constexpr u64 kStatfsNoexec = 8;            // ST_NOEXEC in f_flags

u64 argument_of(int value) { return static_cast<u64>(static_cast<i64>(value)); }

}  // namespace

i64 open_file_flags(Call& call, int fd) {
  if (call.process.fds->is_engine(fd)) return -EBADF;
  host::HostCall get;
  get.number = __NR_fcntl;
  get.args = {argument_of(fd), F_GETFL};
  const i64 flags = call_uninterrupted(call.process, get);
  return flags >= 0 && (static_cast<u64>(flags) & kPathDescriptor) != 0 ? -EBADF : flags;
}

i64 open_file_status(Call& call, int fd, OpenFileStatus& status) {
  static constexpr char kNoPath[] = "";
  constexpr u64 kEmptyPath = 0x1000, kBasicStats = 0x7ff;
  host::HostCall ask;
  ask.number = __NR_statx;
  ask.args = {argument_of(fd), reinterpret_cast<u64>(kNoPath), kEmptyPath, kBasicStats,
              reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01101;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call_uninterrupted(call.process, ask);
}

std::vector<char> open_file_path(Call& call, int fd) {
  const std::vector<char> link = Text().add("/proc/self/fd/").integer(fd).character('\0').take();
  std::vector<char> path(4096);
  host::HostCall ask;
  ask.number = __NR_readlink;
  ask.args = {reinterpret_cast<u64>(link.data()), reinterpret_cast<u64>(path.data()), path.size()};
  ask.checked_args = 0b100;
  ask.in.add({reinterpret_cast<u64>(link.data()), link.size()});
  ask.out.add({.address = reinterpret_cast<u64>(path.data()),
               .capacity_bytes = path.size(),
               .extent = host::Extent::result_bytes});
  const i64 length = call_uninterrupted(call.process, ask);
  path.resize(length > 0 ? static_cast<u64>(length) : 0);
  return path;
}

bool on_noexec_mount(Call& call, int fd) {
  struct statfs status {};
  host::HostCall ask;
  ask.number = __NR_fstatfs;
  ask.args = {argument_of(fd), reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call_uninterrupted(call.process, ask) == 0 &&
         (static_cast<u64>(status.f_flags) & kStatfsNoexec) != 0;
}

}  // namespace orrery::kernel
