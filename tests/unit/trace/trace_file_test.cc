#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "events.h"
#include "trace/feeder_hosted.h"
#include "trace/processes_hosted.h"
#include "trace/ring_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {
namespace {

std::vector<u8> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::span<const u8> bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// All events a reader yields, as they stood in the ring.
std::vector<u8> read_all(TraceReader& reader) {
  std::vector<u8> all;
  EventView event;
  while (reader.next(event) == ReadStatus::event) {
    const auto* bytes = reinterpret_cast<const u8*>(event.header);
    all.insert(all.end(), bytes, bytes + event.header->size_bytes);
  }
  return all;
}

struct Written {
  std::vector<u8> events;        ///< of all chunks
  std::vector<u64> chunk_ends;   ///< in the file
  std::vector<u64> events_ends;  ///< in `events`, after each chunk
};

Written write_trace(const std::string& path, u64 seed, int chunks, u64 events_a_chunk, bool finish) {
  Written written;
  auto created = TraceAppender::create(path, 12345);
  EXPECT_TRUE(created);
  TraceAppender appender = created.take();
  for (int i = 0; i < chunks; ++i) {
    const auto events =
        random_events(seed + static_cast<u64>(i), 1 + static_cast<u64>(i) * events_a_chunk, events_a_chunk);
    EXPECT_TRUE(appender.append(events, 1));
    written.events.insert(written.events.end(), events.begin(), events.end());
    written.chunk_ends.push_back(appender.stored_bytes());
    written.events_ends.push_back(written.events.size());
  }
  if (finish) {
    EXPECT_TRUE(appender.finish());
  }
  return written;
}

bool is_prefix(const std::vector<u8>& part, const std::vector<u8>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(Chunk, EveryCodecGivesTheSameBytesBack) {
  ChunkEncoder encoder;
  ChunkDecoder decoder;
  const auto expect_round_trip = [&](const std::vector<u8>& events, Codec codec) {
    const auto chunk = encoder.encode(events, 1);
    ChunkHeader header;
    std::memcpy(&header, chunk.data(), sizeof header);
    EXPECT_EQ(header.codec, codec);
    std::vector<u8> back;
    EXPECT_EQ(decoder.decode(header, chunk.subspan(sizeof header), back), "");
    EXPECT_EQ(back, events);
  };
  for (u64 seed = 0; seed < 50; ++seed)
    expect_round_trip(random_events(seed, seed * 7, 1 + seed * 3), Codec::columns);

  std::vector<u8> dirty_padding = random_events(1, 1, 100);
  add_event(dirty_padding, {.kind = EventKind::random, .number = 101}, {1, 2, 3});
  dirty_padding.back() = 9;
  expect_round_trip(dirty_padding, Codec::zstd);

  std::mt19937 random(1);
  std::vector<u8> noise(5000);
  for (u8& byte : noise) byte = static_cast<u8>(random());
  std::vector<u8> incompressible;
  add_event(incompressible,
            {.kind = EventKind::random,
             .number = ~u64{0} - 5,
             .ticks = 0x123456789abcdef,
             .request_hash = random()},
            noise);
  const auto chunk = encoder.encode(incompressible, 1);
  ChunkHeader header;
  std::memcpy(&header, chunk.data(), sizeof header);
  std::vector<u8> back;
  EXPECT_EQ(decoder.decode(header, chunk.subspan(sizeof header), back), "");
  EXPECT_EQ(back, incompressible);
  EXPECT_LE(header.stored_bytes, header.raw_bytes);
}

TEST(Chunk, CheapSystemCallsAreSmall) {
  // A million getppid: the same pc and hash, ticks and time that go on in small steps.
  std::mt19937_64 random(3);
  ChunkEncoder encoder;
  EventHeader header;
  u64 stored = 0;
  const u64 count = 100'000;
  for (u64 at = 0; at < count;) {
    std::vector<u8> events;
    for (; events.size() < kChunkBytesAim - 64 && at < count; ++at) {
      header = {.kind = EventKind::syscall,
                .detail = 110,
                .number = at,
                .task = 77,
                .ticks = header.ticks + 3,
                .pc = 0x1470'2345'6789,
                .request_hash = 0x1234,
                .result = 4242,
                .time_ns = header.time_ns + 300 + random() % 64};
      add_event(events, header);
    }
    stored += encoder.encode(events, 1).size();
  }
  EXPECT_LT(stored, count * 2) << "bytes for " << count << " events";
}

TEST(Chunk, HostileHeadersAndBodiesAreRefused) {
  ChunkEncoder encoder;
  ChunkDecoder decoder;
  const auto encoded = encoder.encode(random_events(5, 1, 40), 1);
  const std::vector<u8> chunk(encoded.begin(), encoded.end());
  ChunkHeader good;
  std::memcpy(&good, chunk.data(), sizeof good);
  const std::span<const u8> body = std::span(chunk).subspan(sizeof good);
  std::vector<u8> events;
  EXPECT_EQ(decoder.decode(good, body, events), "");
  // A stranger writes right checksums over a wrong header.
  const auto refuse = [&](auto change) {
    ChunkHeader header = good;
    change(header);
    header.checksum = checksum_of(header);
    EXPECT_NE(decoder.decode(header, body, events), "");
  };
  refuse([](ChunkHeader& header) { header.magic = 1; });
  refuse([](ChunkHeader& header) { header.codec = Codec::plain; });
  refuse([](ChunkHeader& header) { header.codec = Codec::zstd; });
  refuse([](ChunkHeader& header) { header.codec = static_cast<Codec>(3); });
  refuse([](ChunkHeader& header) { header.event_count = 0; });
  refuse([](ChunkHeader& header) { ++header.event_count; });
  refuse([](ChunkHeader& header) { --header.event_count; });
  refuse([](ChunkHeader& header) { header.event_count = 0xffff'ffff; });
  refuse([](ChunkHeader& header) { header.first_number = ~u64{0}; });
  refuse([](ChunkHeader& header) { header.raw_bytes += 8; });
  refuse([](ChunkHeader& header) { header.raw_bytes -= 8; });
  refuse([](ChunkHeader& header) { header.raw_bytes = 0xffff'ffff; });
  refuse([](ChunkHeader& header) { header.stored_bytes -= 1; });
  refuse([](ChunkHeader& header) { header.raw_checksum ^= 1; });
}

TEST(TraceFile, ReadsBackWhatWasWritten) {
  const TemporaryDirectory directory;
  for (const bool finish : {true, false}) {
    const std::string path = directory.path() + (finish ? "/closed" : "/open");
    const Written written = write_trace(path, 1, 9, 300, finish);
    std::string trouble;
    auto reader = TraceReader::open(path, trouble);
    ASSERT_NE(reader, nullptr) << trouble;
    EXPECT_EQ(reader->event_count(), 2700u);
    EXPECT_EQ(reader->first_number(), 1u);
    EXPECT_EQ(read_all(*reader), written.events);
    EXPECT_EQ(reader->ending(), finish ? Ending::clean : Ending::cut);
    EXPECT_EQ(reader->trouble().empty(), finish);
    EventView event;
    EXPECT_EQ(reader->next(event), ReadStatus::end);
    for (const u64 number : {1, 2, 299, 300, 301, 1234, 2700}) {
      ASSERT_TRUE(reader->seek(number));
      ASSERT_EQ(reader->next(event), ReadStatus::event);
      EXPECT_EQ(event.header->number, number);
    }
    EXPECT_FALSE(reader->seek(0));
    EXPECT_FALSE(reader->seek(2701));
  }
}

TEST(TraceFile, AnEmptyTraceIsATrace) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  write_trace(path, 1, 0, 0, true);
  std::string trouble;
  auto reader = TraceReader::open(directory.path(), trouble);
  ASSERT_NE(reader, nullptr);
  EventView event;
  EXPECT_EQ(reader->next(event), ReadStatus::end);
  EXPECT_EQ(reader->ending(), Ending::clean);
  EXPECT_EQ(reader->event_count(), 0u);
}

TEST(TraceFile, CutAtEveryByteReadsToTheLastWholeChunk) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const Written written = write_trace(path, 4, 5, 6, true);
  const std::vector<u8> whole = read_file(path);
  for (u64 size = 0; size < whole.size(); ++size) {
    write_file(path, std::span(whole).first(size));
    std::string trouble;
    auto reader = TraceReader::open(path, trouble);
    if (size < sizeof(TraceFileHeader)) {
      ASSERT_EQ(reader, nullptr);
      ASSERT_NE(trouble, "");
      continue;
    }
    ASSERT_NE(reader, nullptr) << size << ": " << trouble;
    u64 expected = 0;
    for (u64 i = 0; i < written.chunk_ends.size(); ++i)
      if (written.chunk_ends[i] <= size) expected = written.events_ends[i];
    const auto events = read_all(*reader);
    ASSERT_EQ(events.size(), expected) << "cut at " << size;
    ASSERT_TRUE(is_prefix(events, written.events));
    ASSERT_NE(reader->ending(), Ending::clean);
    ASSERT_NE(reader->trouble(), "");
  }
}

TEST(TraceFile, EveryFlippedBitIsSeenOrHarmless) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const Written written = write_trace(path, 5, 3, 5, true);
  const std::vector<u8> whole = read_file(path);
  for (u64 bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<u8> damaged = whole;
    damaged[bit / 8] = static_cast<u8>(damaged[bit / 8] ^ (1 << (bit % 8)));
    write_file(path, damaged);
    std::string trouble;
    auto reader = TraceReader::open(path, trouble);
    if (reader == nullptr) {
      ASSERT_LT(bit / 8, sizeof(TraceFileHeader)) << trouble;
      continue;
    }
    const auto events = read_all(*reader);
    ASSERT_TRUE(is_prefix(events, written.events)) << "bit " << bit;
    u64 expected = written.events.size();
    for (u64 i = written.chunk_ends.size(); i-- > 0;)
      if (bit / 8 < written.chunk_ends[i]) expected = i == 0 ? 0 : written.events_ends[i - 1];
    ASSERT_EQ(events.size(), expected) << "bit " << bit;
    ASSERT_EQ(reader->ending(), Ending::damaged) << "bit " << bit;
    ASSERT_NE(reader->trouble().find("byte "), std::string::npos) << reader->trouble();
  }
}

TEST(TraceFile, RandomDamageNeverCrashesAndNeverInvents) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const Written written = write_trace(path, 6, 20, 50, true);
  const std::vector<u8> whole = read_file(path);
  const u64 seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::vector<u8> damaged = whole;
    for (u64 hits = random() % 8; hits > 0; --hits)
      damaged[random() % damaged.size()] = static_cast<u8>(random());
    if (random() % 3 == 0) damaged.resize(random() % damaged.size());
    write_file(path, damaged);
    std::string trouble;
    auto reader = TraceReader::open(path, trouble);
    if (reader == nullptr) continue;
    ASSERT_TRUE(is_prefix(read_all(*reader), written.events)) << "seed " << seed << " round " << round;
    reader->seek(random() % 1100);
  }
}

/// Chunks of many processes, interleaved: what each process wrote, and where its chunks end in the file.
struct ManyWritten {
  struct Chunk {
    u32 process;
    u64 end_in_file, end_in_events;
  };
  std::map<u32, std::vector<u8>> events;
  std::vector<Chunk> chunks;
};

ManyWritten write_many(const std::string& path, u64 seed, u32 processes, int rounds, bool finish) {
  ManyWritten written;
  auto created = TraceAppender::create(path, 1);
  EXPECT_TRUE(created);
  TraceAppender appender = created.take();
  std::mt19937_64 random(seed);
  std::map<u32, u64> numbers;
  for (int i = 0; i < rounds; ++i) {
    const u32 process = static_cast<u32>(random() % processes);
    const u64 count = 1 + random() % 9;
    const auto events = random_events(random(), numbers[process], count);
    numbers[process] += count;
    EXPECT_TRUE(appender.append(events, 1, process));
    auto& all = written.events[process];
    all.insert(all.end(), events.begin(), events.end());
    written.chunks.push_back({process, appender.stored_bytes(), all.size()});
  }
  if (finish) {
    EXPECT_TRUE(appender.finish());
  }
  return written;
}

std::vector<u8> read_process(const std::string& path, u32 process) {
  std::string trouble;
  const auto reader = TraceReader::open(path, trouble, process);
  return reader ? read_all(*reader) : std::vector<u8>{};
}

TEST(ManyProcesses, EachIsReadByItself) {
  const TemporaryDirectory directory;
  for (const bool finish : {true, false}) {
    const std::string path = directory.path() + (finish ? "/closed" : "/open");
    const ManyWritten written = write_many(path, 7, 9, 200, finish);
    std::string trouble;
    const auto trace = OpenedTrace::open(path, trouble);
    ASSERT_NE(trace, nullptr) << trouble;
    EXPECT_EQ(trace->processes().size(), written.events.size());
    for (const auto& [process, events] : written.events) {
      TraceReader reader(trace, process);
      EXPECT_EQ(read_all(reader), events);
      EXPECT_EQ(reader.ending(), finish ? Ending::clean : Ending::cut);
      EventView event;
      ASSERT_TRUE(reader.seek(reader.end_number() / 2));
      ASSERT_EQ(reader.next(event), ReadStatus::event);
      EXPECT_EQ(event.header->number, reader.end_number() / 2);
    }
    EXPECT_EQ(read_process(path, 77), std::vector<u8>{});
  }
}

TEST(ManyProcesses, DamageCostsOneProcessTheRestOfItsEvents) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const u64 seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (const bool finish : {true, false}) {
    const ManyWritten written =
        write_many(path + (finish ? "closed" : "open"), seed + (finish ? 1 : 0), 5, 60, finish);
    const std::vector<u8> whole = read_file(path + (finish ? "closed" : "open"));
    for (int round = 0; round < 300; ++round) {
      const u64 victim = random() % written.chunks.size();
      const u64 begin = victim == 0 ? sizeof(TraceFileHeader) : written.chunks[victim - 1].end_in_file;
      const u64 at = begin + random() % (written.chunks[victim].end_in_file - begin);
      std::vector<u8> damaged = whole;
      damaged[at] = static_cast<u8>(damaged[at] ^ (1 << (random() % 8)));
      write_file(path, damaged);
      for (const auto& [process, events] : written.events) {
        std::string trouble;
        const auto reader = TraceReader::open(path, trouble, process);
        ASSERT_NE(reader, nullptr);
        u64 expected = events.size();
        if (process == written.chunks[victim].process) {
          expected = 0;
          for (u64 i = 0; i < victim; ++i)
            if (written.chunks[i].process == process) expected = written.chunks[i].end_in_events;
        }
        const auto got = read_all(*reader);
        ASSERT_EQ(got.size(), expected) << "seed " << seed << " byte " << at << " process " << process;
        ASSERT_TRUE(is_prefix(got, events));
        if (expected != events.size()) {
          ASSERT_EQ(reader->ending(), Ending::damaged);
          ASSERT_NE(reader->trouble().find("byte " + std::to_string(begin) + " "), std::string::npos)
              << reader->trouble();
        }
      }
    }
  }
}

TEST(ManyProcesses, AZeroedPageIsPassedOver) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const ManyWritten written = write_many(path, 3, 3, 400, false);
  std::vector<u8> bytes = read_file(path);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), 4096, u8{0});
  write_file(path, bytes);
  for (const auto& [process, events] : written.events) {
    const auto got = read_process(path, process);
    EXPECT_TRUE(is_prefix(got, events));
    EXPECT_GT(got.size(), events.size() / 4);
  }
}

/// A process with events at these times.
std::vector<u8> events_at(std::initializer_list<u64> times, u64 first = 0) {
  std::vector<u8> events;
  for (const u64 time : times)
    add_event(events, {.kind = EventKind::syscall, .number = first++, .time_ns = time});
  return events;
}

TEST(ManyProcesses, AreMergedByTimeAndThenByNumber) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  auto created = TraceAppender::create(path, 1);
  TraceAppender appender = created.take();
  ASSERT_TRUE(appender.append(events_at({10, 20, 30}), 1, 0));
  ASSERT_TRUE(appender.append(events_at({15, 20, 60}), 1, 2));
  ASSERT_TRUE(appender.append(events_at({20, 50}), 1, 1));
  ASSERT_TRUE(appender.append(events_at({40, 70}, 3), 1, 0));
  ASSERT_TRUE(appender.finish());
  const auto order_of = [&](const std::set<u32>& only) {
    std::string trouble;
    MergedReader reader(OpenedTrace::open(path, trouble), only);
    std::vector<std::pair<u64, u32>> order;
    EventView event;
    while (reader.next(event) == ReadStatus::event)
      order.emplace_back(event.header->time_ns, reader.process());
    EXPECT_FALSE(reader.damaged());
    EXPECT_TRUE(reader.troubles().empty());
    return order;
  };
  using Order = std::vector<std::pair<u64, u32>>;
  EXPECT_EQ(
      order_of({}),
      (Order{{10, 0}, {15, 2}, {20, 0}, {20, 1}, {20, 2}, {30, 0}, {40, 0}, {50, 1}, {60, 2}, {70, 0}}));
  EXPECT_EQ(order_of({1, 2}), (Order{{15, 2}, {20, 1}, {20, 2}, {50, 1}, {60, 2}}));
}

TEST(ManyProcesses, AreListedWithTheirStartAndEnd) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  auto created = TraceAppender::create(path, 1);
  TraceAppender appender = created.take();
  ASSERT_TRUE(appender.append(events_at({10, 20}), 1, 0));
  const ProcessStart start{.process = 3, .parent_event = 1, .pid = 77, .parent_pid = 70};
  std::vector<u8> payload(sizeof start), events;
  std::memcpy(payload.data(), &start, sizeof start);
  add_event(events, {.kind = EventKind::start, .number = 0, .time_ns = 21}, payload);
  add_event(events, {.kind = EventKind::exit, .number = 1, .result = 5, .time_ns = 40});
  ASSERT_TRUE(appender.append(events, 1, 3));
  std::string trouble;
  const auto all = read_processes(OpenedTrace::open(path, trouble));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_FALSE(all[0].start);
  EXPECT_FALSE(all[0].has_ended());
  EXPECT_EQ(all[0].last_time_ns, 20u);
  EXPECT_EQ(all[1].process, 3u);
  ASSERT_TRUE(all[1].start);
  EXPECT_EQ(all[1].start->pid, 77);
  EXPECT_EQ(all[1].start->parent_event, 1u);
  EXPECT_TRUE(all[1].has_ended());
  EXPECT_EQ(all[1].last->result, 5);
  EXPECT_EQ(all[1].first_time_ns, 21u);
  EXPECT_EQ(all[1].event_count, 2u);
  EXPECT_EQ(all[1].ending, Ending::cut);
}

TEST(TraceFile, OneWriterAtATime) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  auto first = TraceAppender::create(path, 0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(TraceAppender::create(path, 0));
}

TEST(TraceFile, DirectoriesDevicesAndOtherFilesAreRefused) {
  const TemporaryDirectory directory;
  std::string trouble;
  EXPECT_EQ(TraceReader::open(directory.path() + "/nothing", trouble), nullptr);
  EXPECT_EQ(TraceReader::open("/dev/zero", trouble), nullptr);
  EXPECT_EQ(TraceReader::open("/proc/self/exe", trouble), nullptr);
  EXPECT_NE(trouble.find("no orrery trace"), std::string::npos) << trouble;
}

TEST(Feeder, TheRingGetsTheEventsOfTheTrace) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/trace";
  const Written written = write_trace(path, 9, 30, 200, true);
  std::string trouble;
  auto reader = TraceReader::open(path, trouble);
  ASSERT_NE(reader, nullptr);
  auto made = MappedRing::create(kRingCapacityLeast);
  ASSERT_TRUE(made);
  MappedRing ring = made.take();
  FutexWaiter waiter;
  Producer producer(ring.base(), ring.capacity_bytes());
  Consumer consumer(ring.base(), ring.capacity_bytes());
  RingFeeder feeder(*reader, producer, waiter);
  std::vector<u8> got;
  bool finished = false;
  while (!finished) {
    const auto state = feeder.feed();
    ASSERT_NE(state, RingFeeder::State::refused);
    finished = state == RingFeeder::State::finished;
    const auto bytes = consumer.peek();
    got.insert(got.end(), bytes.begin(), bytes.end());
    consumer.consume(bytes.size(), waiter);
  }
  EXPECT_EQ(got, written.events);
  EXPECT_EQ(consumer.peer(), PeerState::closed);
}

}  // namespace
}  // namespace orrery::trace
