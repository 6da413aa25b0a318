// See path.h. Guest and host share one file system and, while recording, one process id, so nearly every
// path means the same to both. The exceptions all lie below /proc/<the process itself>.
#include "kernel/path.h"

#include <asm/unistd.h>

#include "base/text.h"

namespace orrery::kernel {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// Cuts "<name>/" off the front; false if it is not there.
bool cut(std::string_view& path, std::string_view name) {
  if (!starts_with(path, name)) return false;
  std::string_view rest = path.substr(name.size());
  if (rest.empty() || rest[0] != '/') return false;
  while (!rest.empty() && rest[0] == '/') rest.remove_prefix(1);
  path = rest;
  return true;
}

bool cut_number(std::string_view& path, u64 number) {
  Text digits;
  digits.decimal(number);
  return cut(path, digits.view());
}

/// -1 unless all of `text` is a decimal number.
int number_in(std::string_view text) {
  if (text.empty() || text.size() > 9) return -1;
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::string_view own_proc_entry(const Process& process, int directory_fd, std::string_view path,
                                std::vector<char>& storage) {
  if (path.empty()) return {};
  if (path[0] != '/') {
    const std::string_view cwd(process.cwd.data(), process.cwd.size());
    if (directory_fd != kAtFdCwd || !starts_with(cwd, "/proc/")) return {};
    Text joined;
    joined.add(cwd).character('/').add(path);
    storage = joined.take();
    path = {storage.data(), storage.size()};
  }
  while (starts_with(path, "//")) path.remove_prefix(1);
  const u64 pid = static_cast<u64>(process.id.value);
  if (!cut(path, "/proc")) return {};
  if (!cut(path, "self") && !cut(path, "thread-self") && !cut_number(path, pid)) return {};
  std::string_view task = path;
  if (cut(task, "task") && cut_number(task, pid)) return task;
  return path;
}

int fd_named_by_path(const Process& process, int directory_fd, std::string_view path) {
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  if (starts_with(path, "/dev/fd/")) return number_in(path.substr(8));
  std::vector<char> storage;
  std::string_view entry = own_proc_entry(process, directory_fd, path, storage);
  return cut(entry, "fd") ? number_in(entry) : -1;
}

bool replace_path(const Process& process, int directory_fd, std::string_view path,
                  std::vector<char>& replacement) {
  std::vector<char> storage;
  const std::string_view entry = own_proc_entry(process, directory_fd, path, storage);
  if (entry == "exe" && !process.exe.empty()) {
    replacement = process.exe;
  } else if (const int fd = fd_named_by_path(process, directory_fd, path); process.fds->is_engine(fd)) {
    replacement = Text().add("/proc/self/fd/none").take();  // no such descriptor: ENOENT
  } else {
    return false;
  }
  replacement.push_back('\0');
  return true;
}

void refresh_cwd(Process& process) {
  std::vector<char> buffer(kPathBytesMost);
  host::HostCall call;
  call.number = __NR_getcwd;
  call.args = {reinterpret_cast<u64>(buffer.data()), buffer.size()};
  call.checked_args = 0x2;
  call.out.add({reinterpret_cast<u64>(buffer.data()), buffer.size(), host::Extent::result_bytes});
  const i64 bytes = process.host.call(call);
  if (bytes <= 0) return;
  buffer.resize(static_cast<std::size_t>(bytes) - 1);
  process.cwd = std::move(buffer);
}

}  // namespace orrery::kernel
