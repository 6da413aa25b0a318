// A recording that a stranger made: not a damaged good one (trace_fuzz.cc) but wrong contents under right
// checksums, so that the fuzzer gets past them, into columns, numbers and sizes. Whatever the bytes say,
// the decoder yields whole events with the numbers its header promised, or says what is wrong.
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/hash.h"
#include "lens/process_tree.h"
#include "trace/chunk_hosted.h"
#include "trace/recordings_hosted.h"

namespace {

namespace trace = orrery::trace;
using orrery::u16;
using orrery::u32;
using orrery::u64;
using orrery::u8;

void require(bool condition) {
  if (!condition) std::abort();
}

/// What the decoder let through must be what it promises.
void check_events(const trace::ChunkHeader& header, std::span<const u8> events) {
  u64 count = 0;
  while (!events.empty()) {
    trace::EventView event;
    require(trace::parse_event(events, event) == trace::ParseResult::event);
    require(event.header->number == header.first_number + count);
    u64 sum = 0;
    for (const u8 byte : event.payload) sum += byte;
    asm volatile("" : : "r"(sum));
    events = events.subspan(event.header->size_bytes);
    ++count;
  }
  require(count == header.event_count);
}

/// One chunk: 16 bytes for the header, the rest is its contents before compression.
void try_chunk(const u8* data, std::size_t size) {
  if (size < 16) return;
  trace::ChunkHeader header;
  header.codec = static_cast<trace::Codec>(data[0] % trace::kCodecCount);
  header.first_number = data[1];
  u16 count;
  std::memcpy(&count, data + 2, 2);
  header.event_count = count;
  std::memcpy(&header.raw_bytes, data + 4, 4);
  header.raw_bytes %= 16384;
  const std::span<const u8> contents(data + 16, size - 16);
  std::vector<u8> stored(contents.begin(), contents.end());
  if (header.codec != trace::Codec::plain) {
    stored.resize(ZSTD_compressBound(contents.size()));
    stored.resize(ZSTD_compress(stored.data(), stored.size(), contents.data(), contents.size(), -5));
  }
  if ((data[8] & 1) != 0) header.raw_bytes = static_cast<u32>(contents.size());
  header.stored_bytes = static_cast<u32>(stored.size());
  header.stored_checksum = orrery::xxh64(stored);
  header.raw_checksum = orrery::xxh64(contents);
  header.checksum = trace::checksum_of(header);
  static trace::ChunkDecoder decoder;
  std::vector<u8> events;
  if (decoder.decode(header, stored, events).empty()) check_events(header, events);

  // What decodes is encoded again to the same.
  if (!events.empty() && decoder.decode(header, stored, events).empty()) {
    static trace::ChunkEncoder encoder;
    const auto again = encoder.encode(events, 1);
    trace::ChunkHeader again_header;
    std::memcpy(&again_header, again.data(), sizeof again_header);
    std::vector<u8> back;
    require(decoder.decode(again_header, again.subspan(sizeof again_header), back).empty());
    require(back == events);
  }
}

/// REC/info or REC/launch as these bytes.
void try_file(const char* name, const u8* data, std::size_t size) {
  static const std::string directory = [] {
    char pattern[] = "/tmp/orrery-recording-fuzz-XXXXXX";
    require(mkdtemp(pattern) != nullptr);
    return std::string(pattern);
  }();
  std::ofstream(directory + "/" + name, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  if (name[0] == 'i') {
    if (auto info = trace::read_info(directory))
      require(static_cast<bool>(trace::write_info(directory, info.value())));
  } else {
    (void)trace::read_launch(directory);
  }
}

/// Whole events of up to four processes that tell of forks, execs and ends as a stranger would have them.
void try_tree(const u8* data, std::size_t size) {
  constexpr trace::EventKind kKinds[] = {trace::EventKind::start,   trace::EventKind::fork,
                                         trace::EventKind::exec,    trace::EventKind::exit,
                                         trace::EventKind::syscall, trace::EventKind::signal};
  const std::string path = "/tmp/orrery-recording-fuzz-tree-" + std::to_string(getpid());
  unlink(path.c_str());
  auto created = trace::TraceAppender::create(path, 1);
  require(static_cast<bool>(created));
  auto appender = created.take();
  u64 numbers[4] = {};
  while (size >= 8) {
    trace::EventHeader header;
    const u32 process = data[0] % 4;
    header.kind = kKinds[data[1] % std::size(kKinds)];
    header.detail = data[2] % 2 == 0 ? 61 : 247;  // wait4, waitid
    header.number = numbers[process]++;
    header.result = static_cast<orrery::i8>(data[3]);
    header.time_ns = data[4];
    const std::size_t payload = std::min<std::size_t>(data[5], size - 8);
    header.payload_bytes = static_cast<u32>(payload);
    header.size_bytes = static_cast<u32>(trace::event_bytes(payload));
    std::vector<u8> event(header.size_bytes);
    std::memcpy(event.data(), &header, sizeof header);
    std::memcpy(event.data() + sizeof header, data + 8, payload);
    require(static_cast<bool>(appender.append(event, 1, process)));
    data += 8 + payload;
    size -= 8 + payload;
  }
  require(static_cast<bool>(appender.finish()));
  std::string trouble;
  const auto tree = orrery::lens::read_process_tree(trace::OpenedTrace::open(path, trouble), {});
  std::size_t with_parents = 0, children = 0;
  for (const auto& [number, process] : tree) {
    require(process.process == number);
    with_parents += process.parent ? 1 : 0;
    children += process.children.size();
    if (process.parent) require(*process.parent < number && tree.contains(*process.parent));
  }
  require(with_parents == children);
  unlink(path.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  switch (data[0] % 8) {
    case 0:
      try_file("info", data + 1, size - 1);
      break;
    case 1:
      try_file("launch", data + 1, size - 1);
      break;
    case 2:
      try_tree(data + 1, size - 1);
      break;
    default:
      try_chunk(data + 1, size - 1);
  }
  return 0;
}
