// Opening and naming files: the calls whose path may lead to the guest's own /proc, and those that move the
// working directory. All else about paths is in path.cc.
#include <asm/unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/cpu_view.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/path.h"
#include "kernel/proc_self.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kFlagsEmptyPath = 0x1000;    // AT_EMPTY_PATH
constexpr u64 kHandleMountIdUnique = 0x1;  // AT_HANDLE_MNT_ID_UNIQUE
constexpr u32 kHandleBytesMost = 128;      // MAX_HANDLE_SZ
constexpr u64 kHandleHeaderBytes = 8;      // struct file_handle: handle_bytes, handle_type

bool read_path(Call& call, int index, std::vector<char>& path) {
  return call.space().read_string(call.args[static_cast<std::size_t>(index)], kPathBytesMost, path) >= 0;
}

/// What a new descriptor is, judged by the path it was opened by.
Role role_of(Call& call, int directory_fd, std::string_view path) {
  const int named = fd_named_by_path(call.process, directory_fd, path);
  if (named >= 0) return call.process.fds->role(named);
  std::vector<char> storage;
  std::string_view entry = own_proc_entry(call.process, directory_fd, path, storage);
  while (!entry.empty() && entry.back() == '/') entry.remove_suffix(1);
  return entry == "fd" || entry == "fdinfo" || path == "/dev/fd" ? Role::own_descriptors : Role::plain;
}

/// A file that the machine has written itself.
i64 admit_own(Call& call, i64 fd) { return fd < 0 ? fd : admit_descriptor(call, fd); }

/// open(2) and its kin. `path_index` tells which argument is the path.
i64 open_path(Call& call, int directory_fd, int path_index, int flags) {
  std::vector<char> storage, path;
  if (!read_path(call, path_index, path)) return forward(call);
  const std::string_view name(path.data(), path.size());
  const std::string_view entry = own_proc_entry(call.process, directory_fd, name, storage);
  const bool reads = (flags & O_PATH) == 0;
  if (reads && !entry.empty() && is_own_proc_file(entry))
    return admit_own(call, open_own_proc_file(call.task, entry, flags));
  if (reads && is_cpu_file(name)) return admit_own(call, open_cpu_file(call.process, name, flags));
  const i64 fd = forward(call);
  if (fd >= 0) call.process.fds->set_role(static_cast<int>(fd), role_of(call, directory_fd, name));
  return fd;
}

/// readlink(2): the guest's program instead of the engine.
i64 read_link(Call& call, int directory_fd, int path_index, int buffer_index) {
  std::vector<char> storage, path;
  if (!read_path(call, path_index, path)) return forward(call);
  const std::string_view name(path.data(), path.size());
  const int named = fd_named_by_path(call.process, directory_fd, name);
  if (call.process.fds->is_engine(named)) return -ENOENT;
  if (own_proc_entry(call.process, directory_fd, name, storage) != "exe") return forward(call);
  const auto room = static_cast<i32>(call.args[static_cast<std::size_t>(buffer_index) + 1]);
  if (room <= 0) return -EINVAL;
  const std::vector<char>& exe = call.process.exe;
  const std::size_t size = std::min(exe.size(), static_cast<std::size_t>(room));
  const u64 buffer = call.args[static_cast<std::size_t>(buffer_index)];
  if (!call.space().write(buffer, {reinterpret_cast<const u8*>(exe.data()), size})) return -EFAULT;
  return static_cast<i64>(size);
}

/// Where getdents(2) and getdents64(2) keep the size of an entry and its name.
struct EntryLayout {
  std::size_t size_at;
  std::size_t name_at;
};

bool names_engine(const FdTable& table, const char* name) {
  u64 number = 0;
  if (*name < '0' || *name > '9') return false;
  for (; *name >= '0' && *name <= '9'; ++name) number = number * 10 + static_cast<u64>(*name - '0');
  return number <= 0x7fff'ffff && table.is_engine(static_cast<int>(number));
}

/// Takes the engine's descriptors out of a listing; returns its new size.
std::size_t hide_engine(const FdTable& table, std::vector<u8>& entries, EntryLayout layout) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at + layout.name_at < entries.size();) {
    u16 size = 0;
    std::memcpy(&size, entries.data() + at + layout.size_at, sizeof size);
    if (size == 0 || at + size > entries.size()) break;
    if (!names_engine(table, reinterpret_cast<const char*>(entries.data() + at + layout.name_at))) {
      std::memmove(entries.data() + kept, entries.data() + at, size);
      kept += size;
    }
    at += size;
  }
  return kept;
}

i64 list_directory(Call& call, EntryLayout layout) {
  for (;;) {
    const i64 bytes = forward(call);
    if (bytes <= 0 || call.process.fds->role(call.fd(0)) != Role::own_descriptors) return bytes;
    std::vector<u8> entries(static_cast<std::size_t>(bytes));
    if (!call.space().read(call.args[1], entries)) return -EFAULT;
    const std::size_t kept = hide_engine(*call.process.fds, entries, layout);
    if (!call.space().write(call.args[1], {entries.data(), kept})) return -EFAULT;
    if (kept != 0) return static_cast<i64>(kept);
  }
}

u64 handle_bytes(Call& call, u64 address) {
  u32 bytes = 0;
  if (!call.space().read_value(address, bytes)) return kHandleHeaderBytes;
  return kHandleHeaderBytes + std::min(bytes, kHandleBytesMost);
}

}  // namespace

i64 sys_open(Call& call) { return open_path(call, kAtFdCwd, 0, static_cast<int>(call.args[1])); }
i64 sys_openat(Call& call) { return open_path(call, call.fd(0), 1, static_cast<int>(call.args[2])); }
i64 sys_creat(Call& call) { return open_path(call, kAtFdCwd, 0, O_CREAT | O_WRONLY | O_TRUNC); }

i64 sys_openat2(Call& call) {
  u64 flags = 0;
  if (!call.space().read_value(call.args[2], flags)) return forward(call);
  return open_path(call, call.fd(0), 1, static_cast<int>(flags));
}

i64 sys_readlink(Call& call) { return read_link(call, kAtFdCwd, 0, 1); }
i64 sys_readlinkat(Call& call) { return read_link(call, call.fd(0), 1, 2); }

// linux_dirent has no type before its name, linux_dirent64 has.
i64 sys_getdents(Call& call) { return list_directory(call, {16, 18}); }
i64 sys_getdents64(Call& call) { return list_directory(call, {16, 19}); }

i64 sys_chdir(Call& call) {
  const i64 result = forward(call);
  if (result == 0) refresh_cwd(call.process);
  return result;
}

i64 sys_fchdir(Call& call) { return sys_chdir(call); }

i64 sys_umask(Call& call) {
  const i64 result = forward(call);
  call.process.umask = static_cast<u32>(call.args[0]) & 0777;
  return result;
}

i64 sys_name_to_handle_at(Call& call) {
  const u64 flags = call.args[4];
  CallBuilder builder(call, __NR_name_to_handle_at);
  builder.fd(0, call.args[0]);
  builder.path(1, call.args[1], call.fd(0), (flags & kFlagsEmptyPath) == 0);
  builder.in_out(2, call.args[2], handle_bytes(call, call.args[2]));
  builder.out(3, call.args[3], (flags & kHandleMountIdUnique) != 0 ? 8 : 4, host::Extent::always);
  builder.value(4, flags);
  return builder.perform();
}

i64 sys_open_by_handle_at(Call& call) {
  CallBuilder builder(call, __NR_open_by_handle_at);
  builder.fd(0, call.args[0]);
  builder.in(1, call.args[1], handle_bytes(call, call.args[1]));
  builder.value(2, call.args[2]);
  const i64 fd = builder.perform();
  return fd < 0 ? fd : admit_descriptor(call, fd);
}

}  // namespace orrery::kernel
