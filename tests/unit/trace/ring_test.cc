#include "trace/ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "trace/event_view.h"
#include "trace/ring_hosted.h"

namespace orrery::trace {
namespace {

constexpr u64 kSmall = kRingCapacityLeast;

MappedRing make_ring(u64 capacity = kSmall) {
  auto ring = MappedRing::create(capacity);
  EXPECT_TRUE(ring);
  return ring.take();
}

/// Runs `body` in a child that dies with this process.
pid_t run_in_child(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    _exit(0);
  }
  return child;
}

/// A record of `bytes` that proves itself: its position in the stream, and bytes that follow from it.
void fill_record(u8* at, u64 bytes, u64 sequence) {
  std::memcpy(at, &bytes, 8);
  std::memcpy(at + 8, &sequence, 8);
  for (u64 i = 16; i < bytes; ++i) at[i] = static_cast<u8>(sequence * 31 + i);
}

bool record_is_good(const u8* at, u64 bytes, u64 sequence) {
  u64 got[2];
  std::memcpy(got, at, 16);
  if (got[0] != bytes || got[1] != sequence) return false;
  for (u64 i = 16; i < bytes; ++i)
    if (at[i] != static_cast<u8>(sequence * 31 + i)) return false;
  return true;
}

class CountingWaiter final : public Waiter {
 public:
  void wait(const u32* word, u32 expected, u64 timeout_ns) override {
    ++waits;
    inner_.wait(word, expected, timeout_ns);
  }
  void wake(u32* word) override {
    ++wakes;
    inner_.wake(word);
  }
  int waits = 0, wakes = 0;

 private:
  FutexWaiter inner_;
};

TEST(Ring, RecordsAreContiguousAcrossTheEnd) {
  MappedRing ring = make_ring();
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  Consumer consumer(ring.base(), ring.capacity_bytes());
  const u64 bytes = kSmall / 3 / 8 * 8;
  for (u64 sequence = 0; sequence < 50; ++sequence) {
    u8* room = producer.reserve(bytes);
    ASSERT_NE(room, nullptr);
    fill_record(room, bytes, sequence);
    producer.commit(bytes, waiter);
    const auto seen = consumer.peek();
    ASSERT_EQ(seen.size(), bytes);
    ASSERT_TRUE(record_is_good(seen.data(), bytes, sequence));
    consumer.consume(bytes, waiter);
  }
}

TEST(Ring, FullMeansNoRoomUntilConsumed) {
  MappedRing ring = make_ring();
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  Consumer consumer(ring.base(), ring.capacity_bytes());
  u64 written = 0;
  while (producer.reserve(1024) != nullptr) {
    producer.commit(1024, waiter);
    written += 1024;
  }
  EXPECT_EQ(written, kSmall);
  EXPECT_FALSE(producer.drained());
  consumer.consume(1024, waiter);
  EXPECT_NE(producer.reserve(1024), nullptr);
  EXPECT_EQ(producer.reserve(1032), nullptr);
  consumer.consume(consumer.peek().size(), waiter);
  EXPECT_TRUE(producer.drained());
}

TEST(Ring, ProducerWakesOnlyASleeperWhoseThresholdIsCrossed) {
  MappedRing ring = make_ring();
  CountingWaiter producers;
  Producer producer(ring.base(), ring.capacity_bytes());
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(producer.reserve(64), nullptr);
    producer.commit(64, producers);
  }
  EXPECT_EQ(producers.wakes, 0) << "nobody sleeps";

  std::thread sleeper([&] {
    FutexWaiter waiter;
    Consumer consumer(ring.base(), ring.capacity_bytes());
    while (consumer.peek().size() < 6400 + 8192) consumer.wait(6400 + 8192, waiter, 5'000'000'000);
  });
  auto* header = static_cast<RingHeader*>(ring.base());
  while (__atomic_load_n(&header->wake_consumer_at, __ATOMIC_SEQ_CST) == ~u64{0}) std::this_thread::yield();
  for (int i = 0; i < 127; ++i) {
    ASSERT_NE(producer.reserve(64), nullptr);
    producer.commit(64, producers);
  }
  EXPECT_EQ(producers.wakes, 0) << "the threshold is not reached";
  ASSERT_NE(producer.reserve(64), nullptr);
  producer.commit(64, producers);
  EXPECT_EQ(producers.wakes, 1);
  sleeper.join();
  producer.reserve(64);
  producer.commit(64, producers);
  EXPECT_EQ(producers.wakes, 1);
}

TEST(Ring, CloseWakesTheConsumerAtOnce) {
  MappedRing ring = make_ring();
  Producer producer(ring.base(), ring.capacity_bytes());
  std::thread closer([&] {
    FutexWaiter waiter;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    producer.close(waiter);
  });
  FutexWaiter waiter;
  Consumer consumer(ring.base(), ring.capacity_bytes());
  const auto start = std::chrono::steady_clock::now();
  while (consumer.peer() == PeerState::present) consumer.wait(1, waiter, 10'000'000'000);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_EQ(consumer.peer(), PeerState::closed);
  closer.join();
}

TEST(Ring, ProducerGoesOnWhenTheConsumerCloses) {
  MappedRing ring = make_ring();
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  Consumer consumer(ring.base(), ring.capacity_bytes());
  consumer.close(waiter);
  while (producer.reserve(4096) != nullptr) producer.commit(4096, waiter);
  EXPECT_EQ(producer.reserve_waiting(4096, waiter), nullptr);
  EXPECT_EQ(producer.peer(), PeerState::closed);
  producer.set_lost();
  EXPECT_TRUE(consumer.lost());
}

TEST(Ring, DeathOfTheHostedPeerIsSeenWithoutAnyCall) {
  MappedRing ring = make_ring();
  const pid_t peer = run_in_child([&] {
    if (!ring.become_hosted_peer()) _exit(1);
    for (;;) pause();
  });
  const auto* word = reinterpret_cast<const u32*>(static_cast<RingHeader*>(ring.base())->hosted_peer);
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) std::this_thread::yield();
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  EXPECT_EQ(producer.peer(), PeerState::present);
  kill(peer, SIGKILL);
  waitpid(peer, nullptr, 0);
  EXPECT_EQ(producer.peer(), PeerState::died);
  while (producer.reserve(4096) != nullptr) producer.commit(4096, waiter);
  EXPECT_EQ(producer.reserve_waiting(4096, waiter), nullptr) << "it must not sleep for ever";
}

TEST(Ring, HostilePositionsAreBrokenNotBelieved) {
  FutexWaiter waiter;
  for (const u64 head : {kSmall + 1, ~u64{0}, u64{1} << 63}) {
    MappedRing ring = make_ring();
    Consumer consumer(ring.base(), ring.capacity_bytes());
    static_cast<RingHeader*>(ring.base())->head = head;
    EXPECT_TRUE(consumer.peek().empty());
    EXPECT_EQ(consumer.peer(), PeerState::broken);
  }
  for (const u64 tail : {kSmall + 8, ~u64{0}, u64{1} << 63}) {
    MappedRing ring = make_ring();
    Producer producer(ring.base(), ring.capacity_bytes());
    for (u64 written = 0; written < kSmall; written += 2048)
      if (producer.reserve(2048) != nullptr && written < 2048) producer.commit(2048, waiter);
    static_cast<RingHeader*>(ring.base())->tail = tail;
    while (producer.reserve(2048) != nullptr) producer.commit(2048, waiter);
    EXPECT_EQ(producer.reserve_waiting(2048, waiter), nullptr);
    EXPECT_EQ(producer.peer(), PeerState::broken);
  }
}

TEST(Ring, OnlyARingIsMapped) {
  const int fd = memfd_create("not-a-ring", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(fd, 12345), 0);
  EXPECT_FALSE(MappedRing::map(fd));
  ASSERT_EQ(ftruncate(fd, static_cast<off_t>(ring_file_bytes(kSmall))), 0);
  EXPECT_FALSE(MappedRing::map(fd)) << "no magic";
  close(fd);
}

/// Produces records of random size until killed, or `count` of them and closes.
void produce(const MappedRing& ring, u64 seed, u64 count) {
  std::mt19937_64 random(seed);
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  for (u64 sequence = 0; sequence < count; ++sequence) {
    const u64 bytes = 16 + 8 * (random() % (random() % 16 == 0 ? 3000 : 20));
    u8* room = producer.reserve_waiting(bytes, waiter);
    if (room == nullptr) _exit(2);
    fill_record(room, bytes, sequence);
    producer.commit(bytes, waiter);
  }
  producer.close(waiter);
}

/// Consumes until the ring is closed and drained, or the producer is gone. Returns the records seen, or ~0
/// if one was bad.
u64 consume(Consumer& consumer, const std::function<bool()>& producer_gone) {
  FutexWaiter waiter;
  u64 sequence = 0;
  for (;;) {
    const bool over = consumer.peer() != PeerState::present || producer_gone();
    const auto bytes = consumer.peek();
    if (bytes.empty()) {
      if (over) return sequence;
      consumer.wait(sequence % 3 == 0 ? 1 : 4096, waiter, 5'000'000);
      continue;
    }
    u64 at = 0;
    while (at < bytes.size()) {
      u64 size = 0;
      if (bytes.size() - at < 16) return ~u64{0};
      std::memcpy(&size, bytes.data() + at, 8);
      if (size > bytes.size() - at || !record_is_good(bytes.data() + at, size, sequence)) return ~u64{0};
      ++sequence;
      at += size;
    }
    consumer.consume(at, waiter);
  }
}

TEST(RingStress, EveryRecordArrivesOnceAndInOrder) {
  MappedRing ring = make_ring();
  const u64 count = 200'000;
  const pid_t child = run_in_child([&] { produce(ring, 7, count); });
  Consumer consumer(ring.base(), ring.capacity_bytes());
  EXPECT_EQ(consume(consumer, [] { return false; }), count);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(RingStress, AKilledProducerLeavesWholeRecords) {
  std::mt19937_64 random(std::random_device{}());
  for (int round = 0; round < 60; ++round) {
    MappedRing ring = make_ring();
    const u64 seed = random();
    const pid_t child = run_in_child([&] { produce(ring, seed, ~u64{0}); });
    bool gone = false;
    const auto kill_at = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 8000);
    Consumer consumer(ring.base(), ring.capacity_bytes());
    const u64 seen = consume(consumer, [&] {
      if (!gone && std::chrono::steady_clock::now() >= kill_at) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        gone = true;
      }
      return gone;
    });
    ASSERT_NE(seen, ~u64{0}) << "seed " << seed;
  }
}

TEST(RingStress, AKilledConsumerFreesTheProducer) {
  std::mt19937_64 random(std::random_device{}());
  for (int round = 0; round < 40; ++round) {
    MappedRing ring = make_ring();
    const pid_t producer = run_in_child([&] { produce(ring, 3, ~u64{0}); });
    const pid_t consumer = run_in_child([&] {
      if (!ring.become_hosted_peer()) _exit(1);
      Consumer end(ring.base(), ring.capacity_bytes());
      consume(end, [] { return false; });
    });
    usleep(static_cast<useconds_t>(500 + random() % 5000));
    const auto* word = reinterpret_cast<const u32*>(static_cast<RingHeader*>(ring.base())->hosted_peer);
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) std::this_thread::yield();
    kill(consumer, SIGKILL);
    waitpid(consumer, nullptr, 0);
    int status = 0;
    ASSERT_EQ(waitpid(producer, &status, 0), producer);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << "it must notice that nobody reads";
  }
}

TEST(EventView, SizesAreCheckedBeforeAnythingIsRead) {
  alignas(8) u8 bytes[256] = {};
  auto& header = *reinterpret_cast<EventHeader*>(bytes);
  header.payload_bytes = 13;
  constexpr u32 kHeader = sizeof(EventHeader), kAll = kHeader + 16;
  header.size_bytes = kAll;
  EventView view;
  EXPECT_EQ(parse_event({bytes, kAll}, view), ParseResult::event);
  EXPECT_EQ(view.payload.size(), 13u);
  EXPECT_EQ(parse_event({bytes, kAll - 1}, view), ParseResult::incomplete);
  EXPECT_EQ(parse_event({bytes, kHeader - 1}, view), ParseResult::incomplete);
  for (const u32 size :
       {0u, 8u, kHeader, kHeader + 8, kAll - 1, kAll + 1, kAll + 8, 0xffff'fff8u, 0xffff'ffffu}) {
    header.size_bytes = size;
    EXPECT_EQ(parse_event({bytes, 256}, view), ParseResult::invalid) << size;
  }
  header.payload_bytes = 0xffff'ffff;
  header.size_bytes = kHeader;
  EXPECT_EQ(parse_event({bytes, 256}, view), ParseResult::invalid);
  header.payload_bytes = kEventBytesMost;
  header.size_bytes = kEventBytesMost + kHeader;
  EXPECT_EQ(parse_event({bytes, 256}, view), ParseResult::invalid);
}

}  // namespace
}  // namespace orrery::trace
