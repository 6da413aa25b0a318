// The recording's file format as types: what docs/format.md specifies. Everything is little-endian and
// the structs have no padding, so they are read and written as they stand.
#pragma once

#include "base/types.h"

namespace orrery::trace {

inline constexpr u32 kTraceVersion = 3;

inline constexpr u64 kTraceMagic = 0x0a0d'7972'6572'726f;       // "orrery\r\n"
inline constexpr u32 kChunkMagic = 0x4b48'434f;                 // "OCHK"
inline constexpr u32 kIndexMagic = 0x5844'494f;                 // "OIDX"
inline constexpr u64 kTrailerMagic = 0x0a44'4e45'7972'726f;     // "orryEND\n"
inline constexpr u64 kLaunchFileMagic = 0x686e'7561'6c79'726f;  // "orylaunh"

/// A chunk is cut at the first event that would make it larger than this; one larger event is a chunk of
/// its own.
inline constexpr u32 kChunkBytesAim = 1 << 20;
/// A reader refuses chunks that claim more.
inline constexpr u32 kChunkBytesMost = 8 << 20;

struct TraceFileHeader {
  u64 magic = kTraceMagic;
  u32 version = kTraceVersion;
  u32 header_bytes = 64;
  u64 started_ns = 0;  ///< CLOCK_REALTIME when the file was made
  u64 reserved[4] = {};
  u64 checksum = 0;  ///< XXH64 of all before it; so in every struct below
};
static_assert(sizeof(TraceFileHeader) == 64);

enum class Codec : u16 {
  plain = 0,    ///< events as they stand in the ring
  zstd = 1,     ///< the same, compressed
  columns = 2,  ///< headers split into columns (chunk_hosted.cc), compressed
};
inline constexpr u16 kCodecCount = 3;

struct ChunkHeader {
  u32 magic = kChunkMagic;
  Codec codec = Codec::plain;
  u16 reserved = 0;
  u64 first_number = 0;  ///< a process's events are numbered without holes, also from chunk to chunk
  u32 event_count = 0;
  u32 raw_bytes = 0;     ///< of the events as they stood in the ring
  u32 stored_bytes = 0;  ///< that follow this header
  u32 process = 0;       ///< whose events these are; the first of a recording is 0
  u64 first_time_ns = 0;
  u64 last_time_ns = 0;
  u64 first_ticks = 0;
  u64 raw_checksum = 0;     ///< XXH64 of the events as they stood in the ring
  u64 stored_checksum = 0;  ///< XXH64 of the stored bytes
  u64 checksum = 0;
};
static_assert(sizeof(ChunkHeader) == 80);

struct IndexHeader {
  u32 magic = kIndexMagic;
  u32 entry_count = 0;
  u64 entries_checksum = 0;  ///< XXH64 of the IndexEntry array that follows
  u64 checksum = 0;
};
static_assert(sizeof(IndexHeader) == 24);

struct IndexEntry {
  u64 offset = 0;  ///< of the ChunkHeader in the file
  u64 first_number = 0;
  u64 first_time_ns = 0;
  u64 last_time_ns = 0;
  u64 first_ticks = 0;
  u32 event_count = 0;
  u32 raw_bytes = 0;
  u32 process = 0;
  u32 reserved = 0;
};
static_assert(sizeof(IndexEntry) == 56);

/// The last bytes of a trace that was closed.
struct Trailer {
  u64 index_offset = 0;
  u64 event_count = 0;
  u64 checksum = 0;
  u64 magic = kTrailerMagic;  ///< not in the checksum
};
static_assert(sizeof(Trailer) == 32);

/// Front of REC/launch; the launch block follows.
struct LaunchFileHeader {
  u64 magic = kLaunchFileMagic;
  u32 version = kTraceVersion;
  u32 reserved = 0;
  u64 size_bytes = 0;
  u64 checksum = 0;  ///< XXH64 of the block
};
static_assert(sizeof(LaunchFileHeader) == 32);

}  // namespace orrery::trace
