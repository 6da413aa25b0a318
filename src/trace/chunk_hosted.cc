// Chunks and their compression.
//
// Events are 72-byte headers with few payload bytes behind them. Compressed as they stand, a million
// cheap system calls cost about 13 bytes each, because every header breaks the match with the one before at
// time, ticks and hash. So the headers are turned into columns: the numbers are left out (they count
// up), ticks, pc and time are replaced by their difference to the event before, and each column is stored
// byte plane by byte plane (all lowest bytes, then all second ones, ...), which puts the zero
// bytes together. The payloads follow in order, without padding. zstd does the rest, at its fastest
// levels, since one writer must keep up with the program.
//
// Columns stand only for events that are regular: padding of zeros, sizes that follow from the payload.
// The ring's producer writes no others, but what cannot be restored exactly is stored without columns.
#include "trace/chunk_hosted.h"

#include <immintrin.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/hash.h"

namespace orrery::trace {
namespace {

/// A reader of columns takes so many events at a time, and may look so many bytes behind the last plane.
constexpr u64 kEventsAtOnce = 64;

/// Bytes an event takes in the columns, without payload; in those of kind and detail; and up to its result.
constexpr u64 kColumnBytes = 2 + 2 + 4 + 4 + 6 * 8;
constexpr u64 kKindColumnBytes = 2 + 2;
constexpr u64 kResultColumnEnd = 2 + 2 + 4 + 4 + 4 * 8;

/// Writes numbers of a column as byte planes.
template <class Number>
class PlaneWriter {
 public:
  PlaneWriter(u8*& out, u64 count) : planes_(out), count_(count) { out += count * sizeof(Number); }
  void put(u64 index, Number value) {
    for (u64 plane = 0; plane < sizeof(Number); ++plane)
      planes_[plane * count_ + index] = static_cast<u8>(value >> (8 * plane));
  }

 private:
  u8* planes_;
  u64 count_;
};

/// Reads them back, many at a time: their bytes are interleaved in registers, as every reader of a trace
/// comes by here for each event.
template <class Number>
class PlaneReader {
 public:
  PlaneReader(const u8*& in, u64 count) : planes_(in), count_(count) { in += count * sizeof(Number); }
  /// Makes those from `index` on ready, kEventsAtOnce of them; behind the last one there are any.
  void load(u64 index) {
    for (u64 at = 0; at < kEventsAtOnce; at += kLanes) load_lanes(index + at, values_ + at);
  }
  Number at(u64 index) const { return values_[index % kEventsAtOnce]; }

 private:
  static constexpr u64 kLanes = sizeof(__m128i);
  static constexpr u64 kPlanes = sizeof(Number);

  /// Bytes of two planes make words of 16 bits, two of those words of 32 bits, and so on.
  void load_lanes(u64 index, Number* out) const {
    __m128i bytes[kPlanes], words[kPlanes], doubles[kPlanes], quads[kPlanes];
    for (u64 plane = 0; plane < kPlanes; ++plane)
      bytes[plane] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(planes_ + plane * count_ + index));
    for (u64 pair = 0; pair < kPlanes; pair += 2) {
      words[pair] = _mm_unpacklo_epi8(bytes[pair], bytes[pair + 1]);
      words[pair + 1] = _mm_unpackhi_epi8(bytes[pair], bytes[pair + 1]);
    }
    if constexpr (kPlanes == 2) return store(words, out);
    for (u64 four = 0; four + 4 <= kPlanes; four += 4)
      for (u64 half = 0; half < 2; ++half) {
        doubles[four + 2 * half] = _mm_unpacklo_epi16(words[four + half], words[four + 2 + half]);
        doubles[four + 2 * half + 1] = _mm_unpackhi_epi16(words[four + half], words[four + 2 + half]);
      }
    if constexpr (kPlanes == 4) return store(doubles, out);
    for (u64 four = 0; four + 4 < kPlanes; ++four) {
      quads[2 * four] = _mm_unpacklo_epi32(doubles[four], doubles[4 + four]);
      quads[2 * four + 1] = _mm_unpackhi_epi32(doubles[four], doubles[4 + four]);
    }
    store(quads, out);
  }

  static void store(const __m128i (&lanes)[kPlanes], Number* out) {
    for (u64 part = 0; part < kPlanes; ++part)
      _mm_store_si128(reinterpret_cast<__m128i*>(out) + part, lanes[part]);
  }

  const u8* planes_;
  u64 count_;
  alignas(16) Number values_[kEventsAtOnce];
};

/// The columns in the order in which they stand in a chunk; one list for both directions.
template <template <class> class Plane, class Cursor>
struct Columns {
  Columns(Cursor& cursor, u64 count)
      : kind(cursor, count),
        detail(cursor, count),
        task(cursor, count),
        payload_bytes(cursor, count),
        ticks(cursor, count),
        pc(cursor, count),
        request_hash(cursor, count),
        result(cursor, count),
        time_ns(cursor, count),
        waited_ns(cursor, count) {}
  void load(u64 index) {
    kind.load(index), detail.load(index), task.load(index), payload_bytes.load(index);
    ticks.load(index), pc.load(index), request_hash.load(index), result.load(index);
    time_ns.load(index), waited_ns.load(index);
  }
  Plane<u16> kind, detail;
  Plane<u32> task, payload_bytes;
  Plane<u64> ticks, pc, request_hash, result, time_ns, waited_ns;
};

bool padding_is_zero(const EventView& event) {
  const u8* at = event.payload.data() + event.payload.size();
  const u8* end = reinterpret_cast<const u8*>(event.header) + event.header->size_bytes;
  for (; at != end; ++at)
    if (*at != 0) return false;
  return true;
}

/// Calls `visit(event, index)` for each event. Precondition: they were checked.
template <class Visit>
u64 for_each_event(std::span<const u8> events, Visit visit) {
  u64 index = 0;
  for (u64 at = 0; at < events.size(); ++index) {
    EventView event;
    CHECK(parse_event(events.subspan(at), event) == ParseResult::event, "trace: chunk of broken events");
    visit(event, index);
    at += event.header->size_bytes;
  }
  return index;
}

void write_columns(std::span<const u8> events, u64 count, std::vector<u8>& columns) {
  columns.resize(events.size());
  u8* out = columns.data();
  Columns<PlaneWriter, u8*> planes(out, count);
  EventHeader before;
  for_each_event(events, [&](const EventView& event, u64 index) {
    const EventHeader& header = *event.header;
    planes.kind.put(index, static_cast<u16>(header.kind));
    planes.detail.put(index, header.detail);
    planes.task.put(index, static_cast<u32>(header.task));
    planes.payload_bytes.put(index, header.payload_bytes);
    planes.ticks.put(index, header.ticks - before.ticks);
    planes.pc.put(index, header.pc - before.pc);
    planes.request_hash.put(index, header.request_hash);
    planes.result.put(index, static_cast<u64>(header.result));
    planes.time_ns.put(index, header.time_ns - before.time_ns);
    planes.waited_ns.put(index, header.waited_ns);
    before = header;
    if (!event.payload.empty()) std::memcpy(out, event.payload.data(), event.payload.size());
    out += event.payload.size();
  });
  columns.resize(static_cast<u64>(out - columns.data()));
}

/// False if the columns do not make up exactly `header.raw_bytes` of events that parse. Behind `columns`
/// kEventsAtOnce more bytes can be read.
bool read_columns(std::span<const u8> columns, const ChunkHeader& header, std::vector<u8>& events) {
  const u64 count = header.event_count;
  if (columns.size() < count * kColumnBytes) return false;
  const u8* in = columns.data();
  Columns<PlaneReader, const u8*> planes(in, count);
  std::span<const u8> payloads = columns.subspan(count * kColumnBytes);
  events.resize(header.raw_bytes);
  EventHeader event;
  u64 at = 0;
  for (u64 index = 0; index < count; ++index) {
    if (index % kEventsAtOnce == 0) planes.load(index);
    event.payload_bytes = planes.payload_bytes.at(index);
    const u64 size_bytes = event_bytes(event.payload_bytes);
    if (event.payload_bytes > payloads.size() || size_bytes > events.size() - at ||
        size_bytes > kEventBytesMost)
      return false;
    event.size_bytes = static_cast<u32>(size_bytes);
    event.kind = static_cast<EventKind>(planes.kind.at(index));
    event.detail = planes.detail.at(index);
    event.number = header.first_number + index;
    event.task = static_cast<i32>(planes.task.at(index));
    event.ticks += planes.ticks.at(index);
    event.pc += planes.pc.at(index);
    event.request_hash = planes.request_hash.at(index);
    event.result = static_cast<i64>(planes.result.at(index));
    event.time_ns += planes.time_ns.at(index);
    event.waited_ns = planes.waited_ns.at(index);
    std::memcpy(events.data() + at, &event, sizeof event);
    if (event.payload_bytes != 0) {
      constexpr u64 kPadding = 8;
      std::memset(events.data() + at + size_bytes - kPadding, 0, kPadding);
      std::memcpy(events.data() + at + sizeof event, payloads.data(), event.payload_bytes);
      payloads = payloads.subspan(event.payload_bytes);
    }
    at += size_bytes;
  }
  return at == events.size() && payloads.empty();
}

/// Decompresses a chunk's first columns, as many bytes of them as are asked for.
class Front {
 public:
  Front(ZSTD_DCtx* context, std::vector<u8>& columns, std::span<const u8> stored)
      : context_(context), columns_(columns), in_{stored.data(), stored.size(), 0}, out_{nullptr, 0, 0} {
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
  }
  /// False if it has not so many.
  bool extend(u64 bytes) {
    columns_.resize(bytes + kEventsAtOnce);
    out_.dst = columns_.data();
    out_.size = bytes;
    while (out_.pos < out_.size) {
      const std::size_t before = out_.pos + in_.pos;
      if (ZSTD_isError(ZSTD_decompressStream(context_, &out_, &in_)) != 0) return false;
      if (out_.pos + in_.pos == before) return false;
    }
    return true;
  }

 private:
  ZSTD_DCtx* context_;
  std::vector<u8>& columns_;
  ZSTD_inBuffer in_;
  ZSTD_outBuffer out_;
};

std::string judge_events(const ChunkHeader& header, std::span<const u8> events) {
  u64 at = 0;
  for (u64 index = 0; index < header.event_count; ++index) {
    EventView event;
    if (parse_event(events.subspan(at), event) != ParseResult::event) return "an event does not parse";
    if (event.header->number != header.first_number + index) return "the events are not numbered in order";
    at += event.header->size_bytes;
  }
  return at == events.size() ? "" : "bytes are left over behind the last event";
}

}  // namespace

template <class T>
u64 checksum_of(const T& value) {
  return xxh64({reinterpret_cast<const u8*>(&value), offsetof(T, checksum)});
}
template u64 checksum_of(const TraceFileHeader&);
template u64 checksum_of(const ChunkHeader&);
template u64 checksum_of(const IndexHeader&);
template u64 checksum_of(const Trailer&);

/// The library's own allocations tell a failure by null; ours by this exception.
template <class T>
T* allocated(T* made) {
  if (made == nullptr) throw std::bad_alloc();
  return made;
}

struct ChunkEncoder::State {
  ZSTD_CCtx* context = allocated(ZSTD_createCCtx());
  std::vector<u8> columns;
  std::vector<u8> chunk;
};

ChunkEncoder::ChunkEncoder() : state_(new State) {}
ChunkEncoder::~ChunkEncoder() {
  ZSTD_freeCCtx(state_->context);
  delete state_;
}

std::span<const u8> ChunkEncoder::encode(std::span<const u8> events, int zstd_level, u32 process) {
  CHECK(!events.empty() && events.size() <= kChunkBytesMost, "trace: chunk of a wrong size");
  ChunkHeader header;
  header.process = process;
  bool regular = true;
  header.event_count = static_cast<u32>(for_each_event(events, [&](const EventView& event, u64 index) {
    if (index == 0) {
      header.first_number = event.header->number;
      header.first_time_ns = event.header->time_ns;
      header.first_ticks = event.header->ticks;
    }
    header.last_time_ns = event.header->time_ns;
    regular = regular && padding_is_zero(event);
  }));
  header.raw_bytes = static_cast<u32>(events.size());
  header.raw_checksum = xxh64(events);

  std::span<const u8> input = events;
  if (regular) {
    write_columns(events, header.event_count, state_->columns);
    input = state_->columns;
  }
  std::vector<u8>& chunk = state_->chunk;
  chunk.resize(sizeof header + ZSTD_compressBound(input.size()));
  u8* stored = chunk.data() + sizeof header;
  const std::size_t compressed = ZSTD_compressCCtx(state_->context, stored, chunk.size() - sizeof header,
                                                   input.data(), input.size(), zstd_level);
  if (ZSTD_isError(compressed) != 0 || compressed >= events.size()) {
    header.codec = Codec::plain;
    header.stored_bytes = header.raw_bytes;
    chunk.resize(sizeof header + events.size());
    std::memcpy(chunk.data() + sizeof header, events.data(), events.size());
  } else {
    header.codec = regular ? Codec::columns : Codec::zstd;
    header.stored_bytes = static_cast<u32>(compressed);
  }
  header.stored_checksum = xxh64({chunk.data() + sizeof header, header.stored_bytes});
  header.checksum = checksum_of(header);
  std::memcpy(chunk.data(), &header, sizeof header);
  return {chunk.data(), sizeof header + header.stored_bytes};
}

std::string judge_chunk_header(const ChunkHeader& header) {
  if (header.magic != kChunkMagic) return "no chunk begins here";
  if (header.checksum != checksum_of(header)) return "the chunk header's checksum is wrong";
  if (static_cast<u16>(header.codec) >= kCodecCount) return "the chunk's codec is unknown";
  if (header.raw_bytes > kChunkBytesMost || header.stored_bytes > kChunkBytesMost)
    return "the chunk is too large";
  if (header.event_count == 0 || header.raw_bytes / sizeof(EventHeader) < header.event_count)
    return "the chunk's event count is impossible";
  if (header.first_number + header.event_count < header.first_number) return "the event numbers overflow";
  return "";
}

struct ChunkDecoder::State {
  ZSTD_DCtx* context = allocated(ZSTD_createDCtx());
  std::vector<u8> columns;
};

ChunkDecoder::ChunkDecoder() : state_(new State) {}
ChunkDecoder::~ChunkDecoder() {
  ZSTD_freeDCtx(state_->context);
  delete state_;
}

std::string ChunkDecoder::decode(const ChunkHeader& header, std::span<const u8> stored,
                                 std::vector<u8>& events) {
  if (std::string trouble = judge_chunk_header(header); !trouble.empty()) return trouble;
  if (stored.size() != header.stored_bytes || xxh64(stored) != header.stored_checksum)
    return "the chunk's checksum is wrong";
  if (header.codec == Codec::plain) {
    if (header.stored_bytes != header.raw_bytes) return "the chunk's sizes contradict each other";
    events.assign(stored.begin(), stored.end());
  } else {
    const bool has_columns = header.codec == Codec::columns;
    std::vector<u8>& out = has_columns ? state_->columns : events;
    // Columns are never larger than their events.
    out.resize(header.raw_bytes + (has_columns ? kEventsAtOnce : 0));
    const std::size_t size =
        ZSTD_decompressDCtx(state_->context, out.data(), header.raw_bytes, stored.data(), stored.size());
    if (ZSTD_isError(size) != 0)
      return std::string("the chunk does not decompress: ") + ZSTD_getErrorName(size);
    if (!has_columns)
      out.resize(size);
    else if (!read_columns(std::span(out).first(size), header, events))
      return "the chunk's columns are broken";
  }
  if (events.size() != header.raw_bytes || xxh64(events) != header.raw_checksum)
    return "the chunk's events have a wrong checksum";
  return header.codec == Codec::columns ? "" : judge_events(header, events);
}

ChunkKinds ChunkDecoder::kinds_in(const ChunkHeader& header, std::span<const u8> stored) {
  constexpr ChunkKinds kUnknown{.any = true};
  constexpr u32 kSignal = 1U << static_cast<u32>(EventKind::signal);
  if (header.codec != Codec::columns) return kUnknown;
  const u64 count = header.event_count;
  Front front(state_->context, state_->columns, stored);
  if (!front.extend(count * kKindColumnBytes)) return kUnknown;
  const u8* at = state_->columns.data();
  PlaneReader<u16> kind(at, count), detail(at, count);
  ChunkKinds found;
  std::vector<u64> signals;
  for (u64 index = 0; index < count; ++index) {
    if (index % kEventsAtOnce == 0) kind.load(index), detail.load(index);
    const u16 is = kind.at(index), call = detail.at(index);
    if (is >= kEventKindCount) return kUnknown;
    const bool is_call = static_cast<EventKind>(is) == EventKind::syscall;
    if (is_call && call >= found.calls.size()) return kUnknown;
    if (is_call) found.calls.set(call);
    found.kinds |= 1U << is;
    if (static_cast<EventKind>(is) == EventKind::signal) signals.push_back(index);
  }
  if (signals.empty()) return found;
  if (!front.extend(count * kResultColumnEnd)) return kUnknown;
  at = state_->columns.data() + count * (kResultColumnEnd - sizeof(EventHeader::result));
  PlaneReader<u64> result(at, count);
  const bool has_signal = std::any_of(signals.begin(), signals.end(), [&](u64 index) {
    result.load(index - index % kEventsAtOnce);
    return result.at(index) != 0;
  });
  if (!has_signal) found.kinds &= ~kSignal;
  return found;
}

}  // namespace orrery::trace
