#include "trace/ring.h"

#include <algorithm>
#include <new>

namespace orrery::trace {
namespace {

constexpr u64 kNever = ~u64{0};
/// A sleeping producer looks this often whether its consumer still lives.
constexpr u64 kLookAgainNs = 50'000'000;

template <class T>
T load(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
}

template <class T>
void store(T& word, T value) {
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}

/// Changes the futex word and wakes its sleeper. `wish` is reset first; see the header for why.
void wake_sleeper(u64& wish, u32& word, Waiter& waiter) {
  store(wish, kNever);
  __atomic_fetch_add(&word, 1u, __ATOMIC_SEQ_CST);
  waiter.wake(&word);
}

}  // namespace

bool ring_is_valid(const void* base, u64 capacity) {
  const auto* header = static_cast<const RingHeader*>(base);
  return ring_capacity_is_valid(capacity) && header->magic == kRingMagic && header->version == kRingVersion &&
         header->capacity_bytes == capacity;
}

void initialize_ring(void* base, u64 capacity) {
  CHECK(ring_capacity_is_valid(capacity), "ring: capacity is no power of two in range");
  auto* header = new (base) RingHeader;
  header->capacity_bytes = capacity;
}

RingEnd::RingEnd(void* base, u64 capacity)
    : header_(static_cast<RingHeader*>(base)),
      data_(static_cast<u8*>(base) + kRingHeaderBytes),
      capacity_(capacity) {
  CHECK(ring_is_valid(base, capacity), "ring: not a ring of this capacity");
}

bool RingEnd::hosted_peer_died() const {
  const auto* word = reinterpret_cast<const u32*>(header_->hosted_peer);
  return (__atomic_load_n(word, __ATOMIC_ACQUIRE) & kFutexOwnerDied) != 0;
}

Producer::Producer(void* base, u64 capacity)
    : RingEnd(base, capacity), head_(load(header_->head)), tail_seen_(load(header_->tail)) {
  broken_ = head_ - tail_seen_ > capacity_;
}

bool Producer::see_tail() {
  const u64 tail = __atomic_load_n(&header_->tail, __ATOMIC_ACQUIRE);
  // A tail that moves back or beyond the head is a broken peer; its room must not be believed.
  if (broken_ || tail > head_ || head_ - tail > capacity_ || tail < tail_seen_) {
    broken_ = true;
    return false;
  }
  tail_seen_ = tail;
  return true;
}

void Producer::wake(Waiter& waiter) {
  wake_sleeper(header_->wake_consumer_at, header_->consumer_word, waiter);
}

void Producer::wait_for_space(u64 bytes, Waiter& waiter, u64 timeout_ns) {
  // Sleep until a quarter of the ring is free, so that a slow consumer costs few switches.
  const u64 room = std::max(bytes, capacity_ / 4);
  const u32 word = load(header_->producer_word);
  store(header_->wake_producer_at, head_ + room - capacity_);
  if (reserve(bytes) == nullptr && peer() == PeerState::present)
    waiter.wait(&header_->producer_word, word, timeout_ns);
  store(header_->wake_producer_at, kNever);
}

u8* Producer::reserve_waiting(u64 bytes, Waiter& waiter) {
  for (;;) {
    // A consumer that has gone is told by a full ring at the latest; asking each time would cost a
    // shared cache line a record.
    if (u8* room = reserve(bytes)) return room;
    if (peer() != PeerState::present) return nullptr;
    wait_for_space(bytes, waiter, kLookAgainNs);
  }
}

PeerState Producer::peer() const {
  if (broken_) return PeerState::broken;
  if (load(header_->consumer_closed) != 0) return PeerState::closed;
  return hosted_peer_died() ? PeerState::died : PeerState::present;
}

void Producer::set_lost() { store(header_->lost, 1u); }

void Producer::close(Waiter& waiter) {
  store(header_->producer_closed, 1u);
  wake(waiter);
}

bool Producer::drained() const { return load(header_->tail) == head_; }

Consumer::Consumer(void* base, u64 capacity) : RingEnd(base, capacity), tail_(load(header_->tail)) {}

void Consumer::wake(Waiter& waiter) {
  wake_sleeper(header_->wake_producer_at, header_->producer_word, waiter);
}

void Consumer::wait(u64 wanted, Waiter& waiter, u64 timeout_ns) {
  wanted = std::clamp<u64>(wanted, 1, capacity_ / 2);
  const u32 word = load(header_->consumer_word);
  store(header_->wake_consumer_at, tail_ + wanted);
  if (load(header_->head) - tail_ < wanted && peer() == PeerState::present)
    waiter.wait(&header_->consumer_word, word, timeout_ns);
  store(header_->wake_consumer_at, kNever);
}

PeerState Consumer::peer() const {
  if (broken_) return PeerState::broken;
  if (load(header_->producer_closed) != 0) return PeerState::closed;
  return hosted_peer_died() ? PeerState::died : PeerState::present;
}

void Consumer::close(Waiter& waiter) {
  store(header_->consumer_closed, 1u);
  wake(waiter);
}

}  // namespace orrery::trace
