#include "host/fd_path.h"

#include <asm/unistd.h>
#include <fcntl.h>

#include "host/raw_syscall.h"
#include "trace/store.h"

namespace orrery::host {

std::string_view fd_path(int fd, std::span<char> buffer) {
  constexpr std::string_view kDirectory = "/proc/self/fd/";
  const trace::StoreName number = trace::file_name(static_cast<u32>(fd));
  char link[kDirectory.size() + sizeof number.text];
  std::size_t used = 0;
  for (const char c : kDirectory) link[used++] = c;
  for (const char* c = number.text; *c != 0; ++c) link[used++] = *c;
  link[used] = 0;
  const i64 bytes = raw_syscall(__NR_readlinkat, AT_FDCWD, link, buffer.data(), buffer.size());
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

}  // namespace orrery::host
