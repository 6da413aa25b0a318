// A ring of bytes in shared memory, one producer and one consumer, used both ways: while recording
// the engine produces events and the writer process consumes them; while replaying the `orrery`
// process feeds them and the engine consumes. It owns the layout of the memfd and the protocol of its
// words; it makes no system call itself but asks the `Waiter` that its user gives it.
//
// Layout of the memfd: one header page, then `capacity` bytes of data. A process maps header and data at
// `base`, and the data once more right behind (ring_pieces()), so that every record is contiguous.
//
// Positions only grow; a byte at position p lies at data[p % capacity]. The producer alone stores `head`,
// the consumer alone `tail`, each keeps its own position in private memory and believes of the other's
// word only what is possible: the peer may have been killed anywhere, and what lies in a ring on
// replay comes from a stranger's recording. A record becomes visible as a whole by the store of `head`,
// so a SIGKILL in the midst of writing one leaves nothing half written.
//
// Why no wake-up is lost: a side that will sleep reads the futex word, stores the position it waits
// for, and then looks at the other's position once more; the other stores its position and then looks
// at the wanted one. All four are sequentially consistent, so at least one of them sees the other.
// The waker resets the wanted position before it changes the futex word: if that erases a newer wish, the
// sleeper's FUTEX_WAIT sees a changed word and returns at once. All waits have timeouts nevertheless.
#pragma once

#include <array>
#include <span>

#include "base/check.h"
#include "base/types.h"

namespace orrery::trace {

inline constexpr u64 kRingMagic = 0x676e'6972'7972'726f;  // "orryring"
inline constexpr u32 kRingVersion = 1;
inline constexpr u64 kRingHeaderBytes = kPageBytes;
inline constexpr u64 kRingCapacityDefault = u64{16} << 20;
inline constexpr u64 kRingCapacityLeast = u64{64} << 10;
inline constexpr u64 kRingCapacityMost = u64{1} << 30;
/// FUTEX_OWNER_DIED of <linux/futex.h>: set by the kernel in a robust futex whose owner died.
inline constexpr u32 kFutexOwnerDied = 0x4000'0000;

/// The first page. Each cache line has one writer.
struct RingHeader {
  alignas(64) u64 magic = kRingMagic;
  u32 version = kRingVersion;
  u32 reserved = 0;
  u64 capacity_bytes = 0;

  alignas(64) u64 head = 0;  ///< producer's: bytes committed since the beginning
  u32 producer_closed = 0;   ///< producer's: nothing follows
  u32 lost = 0;              ///< producer's: 1 when records were dropped (the consumer had gone)

  alignas(64) u64 tail = 0;  ///< consumer's: bytes consumed since the beginning
  u32 consumer_closed = 0;   ///< consumer's: nothing more is wanted (disk full)

  alignas(64) u64 wake_consumer_at = ~u64{0};  ///< wake the consumer when head reaches this
  u32 consumer_word = 0;                       ///< futex the consumer sleeps on

  alignas(64) u64 wake_producer_at = ~u64{0};  ///< wake the producer when tail reaches this
  u32 producer_word = 0;                       ///< futex the producer sleeps on

  /// A robust, process-shared pthread mutex that the hosted peer holds for life (ring_hosted.cc). Its
  /// first word is the futex: 0 until the peer has come, then its tid, with kFutexOwnerDied after
  /// its death, however it died. So the engine learns of it without a system call.
  alignas(64) u8 hosted_peer[64] = {};
};
static_assert(sizeof(RingHeader) <= kRingHeaderBytes);

constexpr bool ring_capacity_is_valid(u64 bytes) {
  return bytes >= kRingCapacityLeast && bytes <= kRingCapacityMost && (bytes & (bytes - 1)) == 0;
}
constexpr u64 ring_file_bytes(u64 capacity) { return kRingHeaderBytes + capacity; }
constexpr u64 ring_mapped_bytes(u64 capacity) { return kRingHeaderBytes + 2 * capacity; }
/// The capacity of the ring in a memfd of this size; 0 if it cannot be one.
constexpr u64 ring_capacity_of_file(u64 file_bytes) {
  return file_bytes > kRingHeaderBytes && ring_capacity_is_valid(file_bytes - kRingHeaderBytes)
             ? file_bytes - kRingHeaderBytes
             : 0;
}

/// One mmap(address, bytes, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, ring memfd, file_offset).
struct RingPiece {
  u64 address;
  u64 size_bytes;
  u64 file_offset;
};
/// The two mappings that make up a ring at `base`, in ring_mapped_bytes(capacity) of address space.
constexpr std::array<RingPiece, 2> ring_pieces(u64 base, u64 capacity) {
  return {{{base, kRingHeaderBytes + capacity, 0},
           {base + kRingHeaderBytes + capacity, capacity, kRingHeaderBytes}}};
}

/// How a ring sleeps and wakes: shared (not private) futexes.
class Waiter {
 public:
  /// Sleeps while *word == expected, at most timeout_ns. May return early for any reason.
  virtual void wait(const u32* word, u32 expected, u64 timeout_ns) = 0;
  virtual void wake(u32* word) = 0;

 protected:
  ~Waiter() = default;
};

enum class PeerState : u8 {
  present,  ///< or not yet come
  closed,   ///< said that it is done
  died,     ///< the hosted peer was killed
  broken,   ///< its words make no sense
};

/// What both ends share: where the ring is, and the judgement of the other end.
class RingEnd {
 public:
  u64 capacity_bytes() const { return capacity_; }
  /// The largest record. Half the ring, so that a full ring always has woken its reader.
  u64 record_bytes_most() const { return capacity_ / 2; }

 protected:
  RingEnd(void* base, u64 capacity);
  bool hosted_peer_died() const;

  RingHeader* header_ = nullptr;
  u8* data_ = nullptr;
  u64 capacity_ = 0;
};

/// True if the mapping at `base` holds a ring of this version and capacity. Call before making an end.
bool ring_is_valid(const void* base, u64 capacity);
/// Writes the header of a new ring; the memory is zero.
void initialize_ring(void* base, u64 capacity);

class Producer : public RingEnd {
 public:
  Producer(void* base, u64 capacity);

  /// Room for a record, or null when there is none now. Never blocks. Precondition: bytes is a multiple
  /// of 8 and at most record_bytes_most().
  u8* reserve(u64 bytes) {
    CHECK((bytes & 7) == 0 && bytes <= capacity_ / 2, "ring: record too large");
    if (head_ + bytes - tail_seen_ > capacity_) [[unlikely]] {
      if (!see_tail() || head_ + bytes - tail_seen_ > capacity_) return nullptr;
    }
    return data_ + (head_ & (capacity_ - 1));
  }

  /// Makes the first `bytes` of what was reserved visible to the consumer.
  void commit(u64 bytes, Waiter& waiter) {
    head_ += bytes;
    __atomic_store_n(&header_->head, head_, __ATOMIC_SEQ_CST);
    if (head_ >= __atomic_load_n(&header_->wake_consumer_at, __ATOMIC_SEQ_CST)) [[unlikely]]
      wake(waiter);
  }

  /// Like reserve(), but sleeps until there is room. Null when the consumer is not there any more
  /// (see peer()); `set_lost()` then says so to whoever looks at the ring later.
  u8* reserve_waiting(u64 bytes, Waiter& waiter);
  /// Sleeps until `bytes` may be reserved, the peer has gone or the time is over.
  void wait_for_space(u64 bytes, Waiter& waiter, u64 timeout_ns);

  PeerState peer() const;
  void set_lost();
  void close(Waiter& waiter);
  u64 committed_bytes() const { return head_; }
  bool drained() const;  ///< the consumer has taken everything

 private:
  bool see_tail();
  void wake(Waiter& waiter);

  u64 head_ = 0;
  u64 tail_seen_ = 0;
  bool broken_ = false;
};

class Consumer : public RingEnd {
 public:
  Consumer(void* base, u64 capacity);

  /// All committed bytes not yet consumed; contiguous. Empty when there are none, or when the ring is broken.
  std::span<const u8> peek() {
    const u64 head = __atomic_load_n(&header_->head, __ATOMIC_ACQUIRE);
    if (head - tail_ > capacity_) [[unlikely]] {
      broken_ = true;
      return {};
    }
    return {data_ + (tail_ & (capacity_ - 1)), head - tail_};
  }

  /// Gives the first `bytes` of peek() back to the producer.
  void consume(u64 bytes, Waiter& waiter) {
    CHECK(bytes <= capacity_, "ring: consumed more than there is");
    tail_ += bytes;
    __atomic_store_n(&header_->tail, tail_, __ATOMIC_SEQ_CST);
    if (tail_ >= __atomic_load_n(&header_->wake_producer_at, __ATOMIC_SEQ_CST)) [[unlikely]]
      wake(waiter);
  }

  /// Sleeps until `wanted` bytes (at most half the ring) can be peeked, the producer has closed, or
  /// the time is over.
  void wait(u64 wanted, Waiter& waiter, u64 timeout_ns);

  PeerState peer() const;
  /// The producer dropped records because nobody took them.
  bool lost() const { return __atomic_load_n(&header_->lost, __ATOMIC_ACQUIRE) != 0; }
  /// Tells the producer that nothing more is wanted; it goes on without.
  void close(Waiter& waiter);

 private:
  void wake(Waiter& waiter);

  u64 tail_ = 0;
  bool broken_ = false;
};

}  // namespace orrery::trace
