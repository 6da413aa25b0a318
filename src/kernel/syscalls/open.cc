// Opening and naming files: the calls whose path may lead to the guest's own /proc, and those that move the
// working directory. All else about paths is in path.cc.
#include <asm/unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "kernel/cpu_view.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/outer_view.h"
#include "kernel/path.h"
#include "kernel/proc_others.h"
#include "kernel/proc_self.h"
#include "kernel/scheduler.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/open_file.h"

namespace orrery::kernel {
namespace {

constexpr u64 kFlagsEmptyPath = 0x1000;    // AT_EMPTY_PATH
constexpr u64 kHandleMountIdUnique = 0x1;  // AT_HANDLE_MNT_ID_UNIQUE
constexpr u32 kHandleBytesMost = 128;      // MAX_HANDLE_SZ
constexpr u64 kHandleHeaderBytes = 8;      // struct file_handle: handle_bytes, handle_type

bool read_path(Call& call, int index, std::vector<char>& path) {
  return call.space().read_string(call.args[static_cast<std::size_t>(index)], kPathBytesMost, path) >= 0;
}

std::string_view view(const std::vector<char>& text) { return {text.data(), text.size()}; }

/// Where a path leads in /proc, if it leads there. A descriptor of the guest's for such a file stands for it.
std::vector<char> target_in_proc(Process& process, int directory_fd, std::string_view path) {
  std::vector<char> absolute = proc_path(process, directory_fd, path);
  const int named = fd_named_by_path(process, directory_fd, path);
  const ProcFile* const file = process.fds->proc_file(named);
  return file != nullptr ? file->path : absolute;
}

/// /proc/thread-self with the task in its place, whoever reads the file later.
std::vector<char> task_named(Process& process, const std::vector<char>& in_proc) {
  constexpr std::string_view kOfCaller = "/proc/thread-self";
  if (view(in_proc).substr(0, kOfCaller.size()) != kOfCaller) return in_proc;
  return Text()
      .add("/proc/self/task/")
      .integer(process.scheduler.current().id.value)
      .add(view(in_proc).substr(kOfCaller.size()))
      .take();
}

/// Notes what a new descriptor is: a place in /proc that leads to the process itself, or a copy of one that
/// is known already.
void note_role(Process& process, int fd, int directory_fd, std::string_view path,
               const std::vector<char>& in_proc, int flags) {
  const auto entry = own_proc_entry(process, view(in_proc));
  const std::string_view name = entry.value_or("");
  if (const auto kind = own_proc_kind(name); entry && kind) {
    process.fds->set_proc_file(fd, {.kind = *kind, .path = task_named(process, in_proc), .flags = flags});
    return;
  }
  const bool leads_to_own = view(in_proc) == "/" || view(in_proc) == "/proc" || (entry && name.empty());
  if (leads_to_own) {
    process.fds->set_proc_file(fd, {.kind = ProcKind::directory, .path = in_proc, .flags = flags});
    return;
  }
  if (const auto kind = others_proc_kind(process, view(in_proc))) {
    process.fds->set_proc_file(fd, {.kind = *kind, .path = in_proc, .flags = flags});
    return;
  }
  const int named = fd_named_by_path(process, directory_fd, path);
  if (named >= 0) process.fds->set_role(fd, process.fds->role(named));
}

/// A file that the machine has written itself.
i64 admit_own(Call& call, i64 fd) { return fd < 0 ? fd : admit_descriptor(call, fd); }

bool names_graphics(std::string_view path) {
  const auto begins = [&](std::string_view start) { return path.substr(0, start.size()) == start; };
  return begins("/dev/dri/") || begins("/dev/nvidia") || begins("/dev/kfd") || begins("/dev/fb");
}

/// A graphics device shares memory with the program: programs draw by themselves when they do not get it.
i64 keep_graphics_out(Call& call, i64 fd, std::string_view path) {
  OpenFileStatus status{};
  if (fd < 0 || open_file_status(call, static_cast<int>(fd), status) < 0 || !status.is_device()) return fd;
  host::HostCall close;
  close.number = __NR_close;
  close.args[0] = static_cast<u64>(fd);
  call.host().call(close);
  Text words;
  words.add(path).add(" is refused: the program gets EACCES, since what a device writes to memory");
  call.process.say(words.add(" cannot be recorded").view());
  return -EACCES;
}

/// open(2) and its kin. `path_index` tells which argument is the path.
i64 open_path(Call& call, int directory_fd, int path_index, int flags) {
  std::vector<char> path;
  if (!read_path(call, path_index, path)) return forward(call);
  const std::string_view name = view(path);
  if ((flags & O_PATH) == 0 && is_cpu_file(name))
    return admit_own(call, open_cpu_file(call.process, name, flags));
  const std::vector<char> in_proc = target_in_proc(call.process, directory_fd, name);
  const auto entry = own_proc_entry(call.process, view(in_proc));
  if (entry && is_refused_proc_entry(*entry)) {
    call.process.say(
        Text().add("/proc/self/").add(*entry).add(" is refused: the program gets EACCES").view());
    return -EACCES;
  }
  i64 fd = forward(call);
  if ((flags & O_PATH) == 0 && names_graphics(name)) fd = keep_graphics_out(call, fd, name);
  if (fd >= 0) note_role(call.process, static_cast<int>(fd), directory_fd, name, in_proc, flags);
  return fd;
}

i64 give_link(Call& call, int buffer_index, std::string_view target) {
  const auto room = static_cast<i32>(call.args[static_cast<std::size_t>(buffer_index) + 1]);
  if (room <= 0) return -EINVAL;
  const std::size_t size = std::min(target.size(), static_cast<std::size_t>(room));
  const u64 buffer = call.args[static_cast<std::size_t>(buffer_index)];
  if (!call.space().write(buffer, {reinterpret_cast<const u8*>(target.data()), size})) return -EFAULT;
  return static_cast<i64>(size);
}

/// readlink(2): the guest's program instead of the engine, and its own number.
i64 read_link(Call& call, int directory_fd, int path_index, int buffer_index) {
  std::vector<char> path;
  if (!read_path(call, path_index, path)) return forward(call);
  const std::vector<char> in_proc = proc_path(call.process, directory_fd, view(path));
  const auto entry = own_proc_entry(call.process, view(in_proc));
  if (std::vector<char> others, target;
      !entry && find_others_program(call.process, view(in_proc), others, target))
    return give_link(call, buffer_index, view(target));
  if (!entry) return forward(call);
  if (call.process.fds->is_engine(fd_named_by_entry(*entry))) return -ENOENT;
  const u64 pid = static_cast<u64>(call.process.id.value);
  if (view(in_proc) == "/proc/self") return give_link(call, buffer_index, Text().decimal(pid).view());
  if (view(in_proc) == "/proc/thread-self")
    return give_link(call, buffer_index,
                     Text().decimal(pid).add("/task/").integer(call.task.id.value).view());
  if (*entry != "exe") return forward(call);
  return give_link(call, buffer_index, view(call.process.exe));
}

/// Where getdents(2) and getdents64(2) keep the size of an entry and its name.
struct EntryLayout {
  std::size_t size_at;
  std::size_t name_at;
};

bool names_engine(const DescriptorRange& engines, const char* name) {
  u64 number = 0;
  if (*name < '0' || *name > '9') return false;
  for (; *name >= '0' && *name <= '9'; ++name) number = number * 10 + static_cast<u64>(*name - '0');
  return number >= engines.first && number < engines.end;
}

/// Which descriptors that the directory lists are the engine's.
DescriptorRange engines_in(Process& process, const ProcFile& directory) {
  if (!own_proc_entry(process, directory.name())) return others_engine_descriptors(process, directory.name());
  return {process.fds->engine_fd_first(), process.fds->engine_fd_end()};
}

/// Takes the engine's descriptors out of a listing; returns its new size.
std::size_t hide_engine(const DescriptorRange& engines, std::vector<u8>& entries, EntryLayout layout) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at + layout.name_at < entries.size();) {
    u16 size = 0;
    std::memcpy(&size, entries.data() + at + layout.size_at, sizeof size);
    if (size == 0 || at + size > entries.size()) break;
    if (!names_engine(engines, reinterpret_cast<const char*>(entries.data() + at + layout.name_at))) {
      std::memmove(entries.data() + kept, entries.data() + at, size);
      kept += size;
    }
    at += size;
  }
  return kept;
}

i64 list_directory(Call& call, EntryLayout layout) {
  if (ProcFile* const file = call.process.fds->proc_file(call.fd(0));
      file != nullptr && file->kind == ProcKind::tasks && (file->flags & O_PATH) == 0)
    return list_tasks(call.task, *file, call.args[1], call.args[2] & 0xffff'ffff, layout.name_at == 18);
  for (;;) {
    const i64 bytes = forward(call);
    const ProcFile* const listed = call.process.fds->proc_file(call.fd(0));
    if (bytes <= 0 || listed == nullptr || listed->kind != ProcKind::descriptors) return bytes;
    std::vector<u8> entries(static_cast<std::size_t>(bytes));
    if (!call.space().read(call.args[1], entries)) return -EFAULT;
    const std::size_t kept = hide_engine(engines_in(call.process, *listed), entries, layout);
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
