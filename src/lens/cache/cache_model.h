// Caches and translation buffers as cachegrind models them (Valgrind manual, 5): set-associative, least
// recently used out first, allocating on writes, each access to one line of it or two. Two first levels for
// instructions and data, behind them one or two levels for both.
#pragma once

#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "base/types.h"

namespace orrery::lens::cache {

/// Where a shape is from: what is common, the processor of the recording, or the user.
enum class ShapeOrigin : u8 { usual, recorded, given };

struct CacheShape {
  u64 size_bytes = 0;  ///< 0: there is none
  u32 ways = 1;
  u32 line_bytes = 64;  ///< of a translation buffer: of a page
  ShapeOrigin origin = ShapeOrigin::usual;
};

struct CacheShapes {
  CacheShape i1{32 << 10, 8, 64}, d1{32 << 10, 8, 64}, l2{}, ll{8 << 20, 16, 64};
  CacheShape itlb{128 * kPageBytes, 8, kPageBytes}, dtlb{64 * kPageBytes, 4, kPageBytes};
};

/// "SIZE,WAYS,LINE" in bytes, or "none", of the user's. A failure says what is wrong with it.
Fallible<CacheShape> parse_cache_shape(const std::string& text);
/// "ENTRIES,WAYS", or "none".
Fallible<CacheShape> parse_buffer_shape(const std::string& text);
/// "32 KB, 8 ways, lines of 64 bytes"
std::string words_of(const CacheShape& shape);
/// "i1, d1, ll of the recorded processor; itlb, dtlb as is usual"
std::string origins_of(const CacheShapes& shapes);

class Cache {
 public:
  explicit Cache(const CacheShape& shape);
  bool is_there() const { return is_there_; }
  u32 line_shift() const { return line_shift_; }

  void prefetch(u64 line) const { __builtin_prefetch(sets_.data() + (line & set_mask_) * ways_); }
  /// Takes over what BatchCache::save() or BatchBuffer::save() says: lines of each set in order, kNoLine
  /// where none is known. All of them are here already.
  void settle(const std::vector<u64>& known);
  /// Whether the line was not there; it is then. Never, of a cache that is not there.
  bool misses(u64 line) {
    u64* const set = sets_.data() + (line & set_mask_) * ways_;
    return *set != line && misses_beyond_first(set, line);
  }

 private:
  bool misses_beyond_first(u64* set, u64 line);

  bool is_there_ = false;
  u32 ways_ = 1, line_shift_ = 63;
  u64 set_mask_ = 0;
  std::vector<u64> sets_{
      0};  ///< all lines of each set, the last used first; of none, a line of all addresses
};

/// Where an access was not found: bits.
using Misses = u32;
inline constexpr Misses kMissesFirst = 1, kMissesSecond = 2, kMissesLast = 4, kMissesBuffer = 8;

class CacheModel {
 public:
  explicit CacheModel(const CacheShapes& shapes);

  Misses data(u64 address, u64 size_bytes) { return access(d1_, dtlb_, address, size_bytes); }
  Misses instructions(u64 address) { return access(i1_, itlb_, address, 1); }
  u64 data_line_bytes() const { return data_line_bytes_; }

  // Where first levels and buffers are modelled elsewhere.
  Cache& i1() { return i1_; }
  Cache& d1() { return d1_; }
  Cache& itlb() { return itlb_; }
  Cache& dtlb() { return dtlb_; }
  /// Of a line that missed its first level.
  Misses behind_first(u64 address);
  void prefetch(u64 address) const {
    l2_.prefetch(address >> l2_.line_shift());
    ll_.prefetch(address >> ll_.line_shift());
  }

 private:
  Misses access(Cache& first, Cache& buffer, u64 address, u64 size_bytes) {
    const u64 end = address + size_bytes - 1;
    u64 line = address >> first.line_shift();
    const u64 last_line = end >> first.line_shift();
    Misses misses = first.misses(line) ? behind_first(line << first.line_shift()) : 0;
    while (line != last_line)
      if (first.misses(++line)) misses |= behind_first(line << first.line_shift());
    if (!buffer.is_there()) return misses;
    u64 page = address >> buffer.line_shift();
    const u64 last_page = end >> buffer.line_shift();
    if (buffer.misses(page)) misses |= kMissesBuffer;
    while (page != last_page)
      if (buffer.misses(++page)) misses |= kMissesBuffer;
    return misses;
  }
  Cache i1_, d1_, l2_, ll_, itlb_, dtlb_;
  u64 data_line_bytes_;
};

}  // namespace orrery::lens::cache
