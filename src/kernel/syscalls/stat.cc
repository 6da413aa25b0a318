// stat and its kin. One answer of the host's shows the engine: the size of /proc/self/fd is the number of
// open descriptors (since Linux 6.2).
#include <asm/unistd.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>

#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/path.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kEmptyPath = 0x1000;  // AT_EMPTY_PATH
constexpr u64 kStatxSizeAt = 40;    // struct statx, stx_size

bool lists_descriptors(const Process& process, std::string_view proc_path) {
  return own_proc_entry(process, proc_path) == "fd";
}

bool is_descriptor_list(Call& call, int fd) {
  const ProcFile* const file = call.process.fds->proc_file(fd);
  return file != nullptr && lists_descriptors(call.process, file->name());
}

bool path_is_descriptor_list(Call& call, int directory_fd, int path_index) {
  std::vector<char> path;
  const u64 address = call.args[static_cast<std::size_t>(path_index)];
  if (call.space().read_string(address, kPathBytesMost, path) < 0) return false;
  const std::vector<char> absolute = proc_path(call.process, directory_fd, {path.data(), path.size()});
  return lists_descriptors(call.process, {absolute.data(), absolute.size()});
}

/// Puts the number of the guest's descriptors into a structure that the host has filled in.
i64 correct_size(Call& call, u64 size_at) {
  u64 size = 0;
  if (!call.space().read_value(size_at, size) || size == 0) return 0;
  size = open_descriptors(call.process).size();
  return call.space().write_value(size_at, size) ? 0 : -EFAULT;
}

i64 stat_path(Call& call, int directory_fd, int path_index, u64 flags, u64 size_at) {
  const i64 result = forward(call);
  if (result != 0) return result;
  const bool lists = path_is_descriptor_list(call, directory_fd, path_index) ||
                     ((flags & kEmptyPath) != 0 && is_descriptor_list(call, directory_fd));
  return lists ? correct_size(call, size_at) : 0;
}

}  // namespace

i64 sys_stat(Call& call) {
  return stat_path(call, kAtFdCwd, 0, 0, call.args[1] + offsetof(struct stat, st_size));
}

i64 sys_lstat(Call& call) { return sys_stat(call); }

i64 sys_fstat(Call& call) {
  const i64 result = forward(call);
  if (result != 0 || !is_descriptor_list(call, call.fd(0))) return result;
  return correct_size(call, call.args[1] + offsetof(struct stat, st_size));
}

i64 sys_newfstatat(Call& call) {
  return stat_path(call, call.fd(0), 1, call.args[3], call.args[2] + offsetof(struct stat, st_size));
}

i64 sys_statx(Call& call) {
  return stat_path(call, call.fd(0), 1, call.args[2], call.args[4] + kStatxSizeAt);
}

}  // namespace orrery::kernel
