// What a kept copy has no bytes for (a hole) gets no memory either: a program may have mapped a file of
// gigabytes to use a page of it.
#include "cli/shared_copies.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace orrery::cli {
namespace {

bool copy_range(int from, int to, off_t start, off_t end) {
  char bytes[65536];
  while (start < end) {
    const auto wanted = std::min<off_t>(end - start, sizeof bytes);
    const ssize_t got = pread(from, bytes, static_cast<std::size_t>(wanted), start);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || pwrite(to, bytes, static_cast<std::size_t>(got), start) != got) return false;
    start += got;
  }
  return true;
}

bool copy_data(int from, int to, off_t size_bytes) {
  for (off_t at = 0; at < size_bytes;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0) return errno == ENXIO;  // a hole up to the end
    const off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0 || !copy_range(from, to, data, hole)) return false;
    at = hole;
  }
  return true;
}

}  // namespace

int SharedCopies::get(u32 file_number) {
  const auto [at, added] = files_.try_emplace(file_number);
  if (added) at->second = make(file_number);
  return at->second.get();
}

Fd SharedCopies::make(u32 file_number) const {
  const std::string path = recording_ + "/files/" + std::to_string(file_number);
  const Fd from(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!from || fstat(from.get(), &status) != 0 || !S_ISREG(status.st_mode)) return Fd();
  Fd to(memfd_create("orrery-scratch", MFD_CLOEXEC));
  if (!to || ftruncate(to.get(), status.st_size) != 0) return Fd();
  return copy_data(from.get(), to.get(), status.st_size) ? std::move(to) : Fd();
}

}  // namespace orrery::cli
