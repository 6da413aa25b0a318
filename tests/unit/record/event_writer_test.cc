// Events in the ring: layout, splitting, what happens when nobody drains it.
#include "record/event_writer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "trace/event_view.h"
#include "trace/ring_hosted.h"

namespace orrery::record {
namespace {

constexpr u64 kRingBytes = u64{16} << 20;

class EventWriterTest : public testing::Test {
 protected:
  EventWriterTest()
      : ring_(trace::MappedRing::create(kRingBytes).take()),
        producer_(ring_.base(), kRingBytes),
        consumer_(ring_.base(), kRingBytes),
        writer_(producer_, waiter_, host::TscClock{.base_ns = 77}) {}

  /// Everything in the ring, event by event.
  std::vector<trace::EventHeader> headers() {
    std::vector<trace::EventHeader> found;
    std::span<const u8> bytes = consumer_.peek();
    trace::EventView view;
    while (trace::parse_event(bytes, view) == trace::ParseResult::event) {
      found.push_back(*view.header);
      payload_.insert(payload_.end(), view.payload.begin(), view.payload.end());
      bytes = bytes.subspan(view.header->size_bytes);
    }
    EXPECT_TRUE(bytes.empty());
    return found;
  }

  trace::MappedRing ring_;
  trace::FutexWaiter waiter_;
  trace::Producer producer_;
  trace::Consumer consumer_;
  EventWriter writer_;
  std::vector<u8> payload_;
};

TEST_F(EventWriterTest, SaysWhereAndWhen) {
  writer_.write({.task = 3, .ticks = 40, .pc = 0x5000},
                {.kind = trace::EventKind::syscall, .detail = 12, .request_hash = 99, .result = -2});
  writer_.write({.task = 3, .ticks = 41, .pc = 0x6000}, {.kind = trace::EventKind::tsc, .result = 5});
  const auto found = headers();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].number, 0u);
  EXPECT_EQ(found[0].detail, 12);
  EXPECT_EQ(found[0].task, 3);
  EXPECT_EQ(found[0].ticks, 40u);
  EXPECT_EQ(found[0].pc, 0x5000u);
  EXPECT_EQ(found[0].request_hash, 99u);
  EXPECT_EQ(found[0].result, -2);
  EXPECT_EQ(found[0].time_ns, 77u);
  EXPECT_EQ(found[1].number, 1u);
}

TEST_F(EventWriterTest, PayloadOfEverySizeComesBackWhole) {
  std::vector<u8> sent;
  for (u64 size = 0; size < 300; ++size) {
    std::vector<u8> payload(size);
    for (u64 i = 0; i < size; ++i) payload[i] = static_cast<u8>(size * 7 + i);
    sent.insert(sent.end(), payload.begin(), payload.end());
    writer_.write({}, {.kind = trace::EventKind::random}, payload);
  }
  EXPECT_EQ(headers().size(), 300u);
  EXPECT_EQ(payload_, sent);
}

TEST_F(EventWriterTest, LargePayloadIsSplitAtTheLimit) {
  const u64 most = trace::kEventBytesMost - sizeof(trace::EventHeader);
  for (const u64 size : {most - 1, most, most + 1, 2 * most}) {
    payload_.clear();
    std::vector<u8> payload(size, 0x5a);
    payload.back() = 1;
    const u64 before = writer_.next_number();
    writer_.write({.task = 1, .ticks = 2, .pc = 3}, {.kind = trace::EventKind::syscall}, payload);
    const auto found = headers();
    ASSERT_EQ(found.size(), (size + most - 1) / most) << size;
    EXPECT_EQ(writer_.next_number(), before + found.size());
    for (std::size_t i = 1; i < found.size(); ++i) {
      EXPECT_EQ(found[i].kind, trace::EventKind::more);
      EXPECT_EQ(found[i].number, found[0].number + i);
      EXPECT_EQ(found[i].pc, 3u);
    }
    EXPECT_EQ(payload_, payload);
    consumer_.consume(consumer_.peek().size(), waiter_);
  }
}

TEST_F(EventWriterTest, AReaderThatIsGoneEndsTheRecording) {
  consumer_.close(waiter_);
  const std::vector<u8> payload(1 << 20);
  for (int i = 0; i < 40 && writer_.alive(); ++i)
    writer_.write({}, {.kind = trace::EventKind::random}, payload);
  EXPECT_FALSE(writer_.alive());
  EXPECT_TRUE(consumer_.lost());
  writer_.write({}, {.kind = trace::EventKind::tsc});  // and is no trouble afterwards
}

TEST_F(EventWriterTest, IsCheap) {
  const auto start = std::chrono::steady_clock::now();
  constexpr int kEvents = 100'000;  // 6.4 MB: the ring is not drained meanwhile
  for (int i = 0; i < kEvents; ++i)
    writer_.write({.task = 1, .ticks = static_cast<u64>(i), .pc = 3}, {.kind = trace::EventKind::syscall});
  const auto ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start);
  RecordProperty("ns_per_event", std::to_string(ns.count() / kEvents));
  EXPECT_LT(ns.count() / kEvents,
            2'000);  // loose: the machine may be busy, but a system call each would show
}

}  // namespace
}  // namespace orrery::record
