// The hosted ends' way to a ring: makes the memfd, maps it, waits on futexes through libc.
#pragma once

#include "base/result.h"
#include "trace/ring.h"

namespace orrery::trace {

/// Futex waits through the ordinary system call.
class FutexWaiter final : public Waiter {
 public:
  void wait(const u32* word, u32 expected, u64 timeout_ns) override;
  void wake(u32* word) override;
};

/// A ring mapped into this process. Owns the mapping and the descriptor.
class MappedRing {
 public:
  /// A new ring in a memfd (close-on-exec; its size is sealed).
  static Result<MappedRing> create(u64 capacity_bytes = kRingCapacityDefault);
  /// Maps the ring behind `fd`, which stays the caller's.
  static Result<MappedRing> map(int fd);

  MappedRing(MappedRing&& other) noexcept;
  MappedRing(const MappedRing&) = delete;
  MappedRing& operator=(const MappedRing&) = delete;
  MappedRing& operator=(MappedRing&&) = delete;
  ~MappedRing();

  /// Marks this thread as the ring's hosted peer, so that the engine sees its death. Call in the
  /// process that will drain or feed (after fork), once a ring.
  Status become_hosted_peer();
  /// Takes the mark back, in the same thread. Whoever unmaps a ring before its thread ends must: the mark is
  /// on the thread's list of robust futexes.
  void leave_hosted_peer();
  /// Once the other end has its own.
  void close_descriptor();

  void* base() const { return base_; }
  u64 capacity_bytes() const { return capacity_; }
  int fd() const { return fd_; }

 private:
  MappedRing(void* base, u64 capacity, int fd) : base_(base), capacity_(capacity), fd_(fd) {}

  void* base_;
  u64 capacity_;
  int fd_;
};

}  // namespace orrery::trace
