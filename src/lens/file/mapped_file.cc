#include "lens/file/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace orrery::lens::file {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Fallible<MappedFile> MappedFile::open(const std::string& path) {
  // Without O_NONBLOCK a FIFO would wait for its writer.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return Failure(Error{"cannot be opened", errno});
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return Failure(Error{"cannot be looked at", errno});
  if (S_ISDIR(status.st_mode)) return Failure("is a directory");
  if (!S_ISREG(status.st_mode)) return Failure("is not a regular file");
  MappedFile file;
  file.mode_ = status.st_mode;
  if (status.st_size == 0) return file;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (bytes == MAP_FAILED) return Failure(Error{"cannot be mapped", errno});
  file.bytes_ = {static_cast<const u8*>(bytes), size};
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), mode_(other.mode_) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<u8*>(bytes_.data()), bytes_.size());
}

}  // namespace orrery::lens::file
