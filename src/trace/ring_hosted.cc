#include "trace/ring_hosted.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace orrery::trace {

static_assert(kFutexOwnerDied == FUTEX_OWNER_DIED);
static_assert(sizeof(pthread_mutex_t) <= sizeof(RingHeader::hosted_peer));

void FutexWaiter::wait(const u32* word, u32 expected, u64 timeout_ns) {
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000);
  syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void FutexWaiter::wake(u32* word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

Result<MappedRing> MappedRing::create(u64 capacity_bytes) {
  if (!ring_capacity_is_valid(capacity_bytes)) return Error{"choosing the ring's size", EINVAL};
  const int fd = memfd_create("orrery-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return Error{"creating the event ring", errno};
  if (ftruncate(fd, static_cast<off_t>(ring_file_bytes(capacity_bytes))) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const int error = errno;
    close(fd);
    return Error{"sizing the event ring", error};
  }
  {
    void* page = mmap(nullptr, kRingHeaderBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
      const int error = errno;
      close(fd);
      return Error{"mapping the event ring", error};
    }
    initialize_ring(page, capacity_bytes);
    munmap(page, kRingHeaderBytes);
  }
  auto mapped = map(fd);
  close(fd);
  return mapped;
}

Result<MappedRing> MappedRing::map(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return Error{"looking at the event ring", errno};
  const u64 capacity = ring_capacity_of_file(static_cast<u64>(status.st_size));
  if (capacity == 0) return Error{"looking at the event ring's size", EINVAL};
  const int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own_fd < 0) return Error{"duplicating the event ring", errno};
  void* base = mmap(nullptr, ring_mapped_bytes(capacity), PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    close(own_fd);
    return Error{"reserving room for the event ring", error};
  }
  MappedRing ring(base, capacity, own_fd);
  for (const RingPiece& piece : ring_pieces(reinterpret_cast<u64>(base), capacity)) {
    void* at = mmap(reinterpret_cast<void*>(piece.address), piece.size_bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_FIXED, own_fd, static_cast<off_t>(piece.file_offset));
    if (at == MAP_FAILED) return Error{"mapping the event ring", errno};
  }
  if (!ring_is_valid(base, capacity)) return Error{"reading the event ring's header", EINVAL};
  return ring;
}

MappedRing::MappedRing(MappedRing&& other) noexcept
    : base_(other.base_), capacity_(other.capacity_), fd_(other.fd_) {
  other.base_ = nullptr;
  other.fd_ = -1;
}

MappedRing::~MappedRing() {
  if (base_ != nullptr) munmap(base_, ring_mapped_bytes(capacity_));
  if (fd_ >= 0) close(fd_);
}

Status MappedRing::become_hosted_peer() {
  auto* mutex = reinterpret_cast<pthread_mutex_t*>(static_cast<RingHeader*>(base_)->hosted_peer);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int initialized = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (initialized != 0) return Error{"marking the ring's peer", initialized};
  if (const int locked = pthread_mutex_lock(mutex); locked != 0)
    return Error{"marking the ring's peer", locked};
  return Nothing{};
}

void MappedRing::leave_hosted_peer() {
  pthread_mutex_unlock(reinterpret_cast<pthread_mutex_t*>(static_cast<RingHeader*>(base_)->hosted_peer));
}

void MappedRing::close_descriptor() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace orrery::trace
