// The allocator of a fixed address range: what `operator new` of the engine uses. All of its state,
// its own header included, lies inside the range, so the pages of the range are the whole heap: a
// snapshot copies them and every pointer in them stays true (design.md, invariant 9).
// One owner thread; no locks. allocate and free are O(1) up to 8 KiB and O(log range) above.
#pragma once

#include <array>

#include "base/types.h"

namespace orrery {

/// Makes more of the reserved range usable. Called with rising, adjacent, page aligned pieces.
class HeapPages {
 public:
  /// [address, address + size_bytes) becomes readable, writable and zero. False if the memory cannot be had.
  virtual bool commit(u64 address, u64 size_bytes) = 0;

 protected:
  ~HeapPages() = default;
};

class Heap {
 public:
  /// Builds a heap in [start, start + reserved_bytes); `start` is a multiple of kAlignBytesMost. Its header
  /// is at `start`. Null if `pages` refuses even the header.
  static Heap* create(u64 start, u64 reserved_bytes, HeapPages& pages);

  /// After the range was restored from a snapshot: says where more pages come from now. The only outside
  /// pointer.
  void attach(HeapPages& pages) { pages_ = &pages; }

  /// Null when the range is full or `pages` refuses. `align` is a power of two, at most kAlignBytesMost.
  /// A request for 0 bytes gives a unique pointer.
  [[nodiscard]] void* allocate(u64 bytes, u64 align = 16);
  /// Null is ignored. A pointer that allocate did not return is a CHECK where that can be seen cheaply.
  void free(void* block);
  /// The same where the caller knows the size it asked for, which is then checked to fit the block.
  void free(void* block, u64 bytes);
  /// How many bytes of `block` may be used: at least what was asked for.
  u64 usable_bytes(const void* block) const;

  bool contains(const void* pointer) const {
    const u64 address = reinterpret_cast<u64>(pointer);
    return address >= start_ && address < start_ + (pages_committed_ << kPageShift);
  }
  u64 start() const { return start_; }
  u64 bytes_in_use() const { return bytes_in_use_; }  ///< as rounded to blocks
  u64 bytes_committed() const { return pages_committed_ << kPageShift; }

  static constexpr u64 kAlignBytesMost = u64{1} << 20;

 private:
  static constexpr int kPageShift = 12;
  static constexpr int kOrderCount = 36;  ///< runs of 2^0 .. 2^35 pages
  static constexpr int kSpanOrder = 4;    ///< small blocks are cut from runs of 64 KiB
  static constexpr u64 kSmallBytesMost = 8192;
  static constexpr int kClassCount = 32;  ///< 16..128 by 16, then four a doubling to 8 KiB

  struct FreeBlock {
    FreeBlock* next;
  };
  struct FreeRun {
    FreeRun* next;
    FreeRun* previous;
  };
  /// One size class: freed blocks first, then the untouched rest of the newest span.
  struct SizeClass {
    FreeBlock* free = nullptr;
    u64 fresh = 0, fresh_end = 0;
  };
  // What a page is, one byte each in `page_kind_`: kInside, or one of the groups with a number added.
  static constexpr u8 kInside = 0;      ///< not the first page of a run, or beyond the frontier
  static constexpr u8 kFreeRun = 0x40;  ///< first page of a free run, + order
  static constexpr u8 kUsedRun = 0x80;  ///< first page of a large block, + order
  static constexpr u8 kSpan = 0xc0;     ///< any page of a span, + size class
  static constexpr u8 kNumberMask = 0x3f;

  Heap(u64 start, u64 page_count, HeapPages& pages);

  static int class_of(u64 bytes);
  static u64 class_bytes(int size_class);
  u64 page_of(const void* pointer) const;
  u64 address_of(u64 page) const { return start_ + (page << kPageShift); }

  void* allocate_small(int size_class);
  void* allocate_run(int order, u8 kind);
  void free_run(u64 page, int order);
  void push_run(u64 page, int order);
  void unlink_run(u64 page, int order);
  bool grow(int order);
  void release_pages(u64 from, u64 to);

  u64 start_;
  u64 page_count_;           ///< of the whole range
  u64 pages_committed_ = 0;  ///< the frontier
  u64 bytes_in_use_ = 0;
  HeapPages* pages_;
  u8* page_kind_;        ///< behind the header, one byte a page of the range
  u64 orders_free_ = 0;  ///< bit k: runs_[k] is not empty
  std::array<SizeClass, kClassCount> classes_{};
  std::array<FreeRun*, kOrderCount> runs_{};
};

}  // namespace orrery
