// One chunk of a trace: whole events in, header and stored bytes out, and back. Reading believes nothing.
#pragma once

#include <bitset>
#include <span>
#include <string>
#include <vector>

#include "trace/event_view.h"
#include "trace/format.h"

namespace orrery::trace {

/// Compresses chunks; keeps its buffers and the compressor between them.
class ChunkEncoder {
 public:
  ChunkEncoder();
  ChunkEncoder(const ChunkEncoder&) = delete;
  ChunkEncoder& operator=(const ChunkEncoder&) = delete;
  ~ChunkEncoder();

  /// Precondition: `events` is one or more whole events with consecutive numbers, at most
  /// kChunkBytesMost. Returns the ChunkHeader and the stored bytes; valid until the next call.
  std::span<const u8> encode(std::span<const u8> events, int zstd_level, u32 process = 0);

 private:
  struct State;
  State* state_;
};

/// Some kinds of events; of system calls, some.
struct EventChoice {
  std::span<const EventKind> kinds;
  std::span<const u16> calls{};  ///< besides
};

/// What kinds of events are in a chunk, and which system calls. The ends of quanta, which are events of
/// signal 0, do not count: there are some in nearly every chunk.
struct ChunkKinds {
  bool any = false;  ///< it is not known: there may be any
  u32 kinds = 0;     ///< a bit for each EventKind
  std::bitset<512> calls{};

  bool may_hold(const EventChoice& choice) const {
    for (const EventKind each : choice.kinds)
      if ((kinds >> static_cast<u32>(each) & 1) != 0) return true;
    for (const u16 each : choice.calls)
      if (each >= calls.size() || calls.test(each)) return true;
    return any;
  }
};
static_assert(kEventKindCount <= 32);

class ChunkDecoder {
 public:
  ChunkDecoder();
  ChunkDecoder(const ChunkDecoder&) = delete;
  ChunkDecoder& operator=(const ChunkDecoder&) = delete;
  ~ChunkDecoder();

  /// Checks everything and leaves the events in `events`, 8-byte aligned and each one known to parse; what it
  /// leaves after a failure is nothing to read.
  /// Returns an empty string, or what is wrong.
  std::string decode(const ChunkHeader& header, std::span<const u8> stored, std::vector<u8>& events);
  /// At a small part of the cost of decoding it.
  ChunkKinds kinds_in(const ChunkHeader& header, std::span<const u8> stored);

 private:
  struct State;
  State* state_;
};

/// XXH64 of a struct up to its `checksum` member.
template <class T>
u64 checksum_of(const T& value);

/// An empty string, or what is wrong with the header of a chunk.
std::string judge_chunk_header(const ChunkHeader& header);

}  // namespace orrery::trace
