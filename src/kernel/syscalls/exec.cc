// execve and execveat: copies the strings out of the guest before anything changes, then exec.cc does it.
#include "kernel/exec.h"

#include <asm/unistd.h>
#include <fcntl.h>

#include <cerrno>

#include "base/text.h"
#include "kernel/fd_table.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kPathBytes = 4096;
constexpr u64 kAtEmptyPath = 0x1000, kAtSymlinkNofollow = 0x100;

/// A NULL-terminated array of strings; a null array is empty, as on Linux alone. 0 or -errno.
i64 read_strings(memory::AddressSpace& space, u64 address, StringList& out) {
  constexpr u64 kTotalBytesMost = u64{8} << 20;  // beyond what any stack limit lets through (exec_stack.h)
  if (address == 0) return 0;
  std::vector<char> text;
  for (;; address += sizeof(u64)) {
    u64 pointer = 0;
    if (!space.read_value(address, pointer)) return -EFAULT;
    if (pointer == 0) return 0;
    const i64 length = space.read_string(pointer, kArgumentBytesMost - 1, text);
    if (length == -ENAMETOOLONG) return -E2BIG;
    if (length < 0) return length;
    out.push_back({text.data(), static_cast<std::size_t>(length)});
    if (out.bytes.size() + out.count * sizeof(u64) > kTotalBytesMost) return -E2BIG;
  }
}

/// do_execveat_common: what AT_EXECFN and a script's argv show of a program given by descriptor.
void name_by_descriptor(ExecRequest& request) {
  Text name;
  name.add("/dev/fd/").integer(request.path.directory_fd);
  if (!request.path.view().empty()) name.add("/").add(request.path.view());
  request.executed_path = name.take();
}

bool closes_on_exec(Process& process, int fd) {
  host::HostCall call;
  call.number = __NR_fcntl;
  call.args = {static_cast<u64>(static_cast<i64>(fd)), F_GETFD};
  const i64 flags = process.host.call(call);
  return flags > 0 && (flags & FD_CLOEXEC) != 0;
}

i64 exec_at(Call& call, int directory_fd, u64 path, u64 arguments, u64 environment, u64 flags) {
  if ((flags & ~(kAtEmptyPath | kAtSymlinkNofollow)) != 0) return -EINVAL;
  ExecRequest request;
  const i64 length = call.space().read_string(path, kPathBytes - 1, request.path.text);
  if (length < 0) return length;
  request.path.text.resize(static_cast<std::size_t>(length));
  request.path.text.push_back('\0');
  request.path.directory_fd = directory_fd;
  request.path.follow_links = (flags & kAtSymlinkNofollow) == 0;
  if (length == 0 && (flags & kAtEmptyPath) == 0) return -ENOENT;
  const bool by_descriptor = directory_fd != AT_FDCWD && (length == 0 || request.path.text[0] != '/');
  if (by_descriptor && call.process.fds->is_engine(directory_fd)) return -EBADF;
  if (by_descriptor) {
    name_by_descriptor(request);
    request.path_closes = closes_on_exec(call.process, directory_fd);
  } else {
    request.executed_path.assign(request.path.view().begin(), request.path.view().end());
  }
  if (const i64 error = read_strings(call.space(), arguments, request.arguments); error < 0) return error;
  if (const i64 error = read_strings(call.space(), environment, request.environment); error < 0) return error;
  const i64 result = execute(call.task, request, nullptr);
  if (result == 0 && !call.process.exit) close_on_exec(call.process);
  return result;
}

}  // namespace

i64 sys_execve(Call& call) { return exec_at(call, AT_FDCWD, call.args[0], call.args[1], call.args[2], 0); }

i64 sys_execveat(Call& call) {
  return exec_at(call, call.fd(0), call.args[1], call.args[2], call.args[3], call.args[4]);
}

}  // namespace orrery::kernel
