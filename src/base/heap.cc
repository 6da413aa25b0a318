// Two levels. Pages are handed out in runs of 2^k by a binary buddy system whose only book-keeping
// outside the free runs themselves is one byte a page. Blocks up to 8 KiB are cut from 64 KiB runs
// ("spans") of one size class, with an intrusive list of freed blocks for each class. The byte of a
// page says which class or order it belongs to, so a block needs no header and a free needs no size:
// `operator delete(void*)` and the sized form cost the same.
//
// A buddy system rounds large requests up to a power of two. That costs address space and not
// memory, because pages of a run that nobody touches are never made real by the host.
//
// Spans are not given back to the buddy system: the engine's small blocks come and go in the same
// few classes, and counting live blocks in each span would touch one more line at every free.
//
// Rejected: dlmalloc-style boundary tags (a stray write of eight bytes before a block then corrupts
// the heap, and a free must read its neighbours), and a bump arena without free (the guest decides
// how long the engine runs).
#include "base/heap.h"

#include <bit>
#include <new>

#include "base/check.h"

namespace orrery {

namespace {

constexpr u64 kGrowthPages = 256;  // 1 MiB at a time keeps host calls rare

constexpr int order_for_pages(u64 pages) {
  return pages <= 1 ? 0 : static_cast<int>(std::bit_width(pages - 1));
}

}  // namespace

Heap* Heap::create(u64 start, u64 reserved_bytes, HeapPages& pages) {
  CHECK(start % kAlignBytesMost == 0, "a heap starts at a multiple of its largest alignment");
  const u64 page_count = reserved_bytes >> kPageShift;
  const u64 header_bytes = page_ceil(sizeof(Heap) + page_count);
  if (header_bytes >= reserved_bytes || !pages.commit(start, header_bytes)) return nullptr;
  return new (reinterpret_cast<void*>(start)) Heap(start, page_count, pages);
}

Heap::Heap(u64 start, u64 page_count, HeapPages& pages)
    : start_(start),
      page_count_(page_count),
      pages_committed_(page_ceil(sizeof(Heap) + page_count) >> kPageShift),
      pages_(&pages),
      page_kind_(reinterpret_cast<u8*>(this + 1)) {}

void* Heap::allocate(u64 bytes, u64 align) {
  CHECK(std::has_single_bit(align) && align <= kAlignBytesMost, "alignment of a heap block");
  // Spans and runs are aligned to their size, so a block whose size is a power of two is, too.
  if (align > 16) bytes = bytes <= align ? align : (bytes < kSmallBytesMost ? std::bit_ceil(bytes) : bytes);
  if (bytes <= kSmallBytesMost && align <= kSmallBytesMost) return allocate_small(class_of(bytes));
  const u64 page_count = (bytes >> kPageShift) + ((bytes & (kPageBytes - 1)) != 0);
  if (page_count > page_count_) return nullptr;
  const int order = order_for_pages(page_count);
  void* const block = allocate_run(order, static_cast<u8>(kUsedRun + order));
  if (block != nullptr) bytes_in_use_ += kPageBytes << order;
  return block;
}

void Heap::free(void* block) {
  if (block == nullptr) return;
  const u64 page = page_of(block);
  const u8 kind = page_kind_[page];
  if (kind >= kSpan) {
    const int size_class = kind & kNumberMask;
    SizeClass& to = classes_[static_cast<u64>(size_class)];
    CHECK(block != to.free, "block freed twice");
    bytes_in_use_ -= class_bytes(size_class);
    to.free = new (block) FreeBlock{to.free};
    return;
  }
  CHECK(kind >= kUsedRun && address_of(page) == reinterpret_cast<u64>(block), "free of no block of the heap");
  const int order = kind & kNumberMask;
  bytes_in_use_ -= kPageBytes << order;
  free_run(page, order);
}

void Heap::free(void* block, u64 bytes) {
  CHECK(block == nullptr || bytes <= usable_bytes(block), "free with a size larger than the block");
  free(block);
}

u64 Heap::usable_bytes(const void* block) const {
  const u8 kind = page_kind_[page_of(block)];
  CHECK(kind >= kUsedRun, "size of no block of the heap");
  return kind >= kSpan ? class_bytes(kind & kNumberMask) : kPageBytes << (kind & kNumberMask);
}

int Heap::class_of(u64 bytes) {
  if (bytes <= 128) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / 16);
  const u64 last = bytes - 1;
  const int width = static_cast<int>(std::bit_width(last));
  return 8 + (width - 8) * 4 + static_cast<int>((last >> (width - 3)) & 3);
}

u64 Heap::class_bytes(int size_class) {
  if (size_class < 8) return static_cast<u64>(size_class + 1) * 16;
  const int doubling = (size_class - 8) / 4;
  return (u64{5} + static_cast<u64>((size_class - 8) % 4)) << (doubling + 5);
}

u64 Heap::page_of(const void* pointer) const {
  CHECK(contains(pointer), "pointer is not of this heap");
  return (reinterpret_cast<u64>(pointer) - start_) >> kPageShift;
}

void* Heap::allocate_small(int size_class) {
  SizeClass& from = classes_[static_cast<u64>(size_class)];
  const u64 bytes = class_bytes(size_class);
  if (from.free != nullptr) {
    FreeBlock* const block = from.free;
    from.free = block->next;
    bytes_in_use_ += bytes;
    return block;
  }
  if (from.fresh_end - from.fresh < bytes) {
    void* const span = allocate_run(kSpanOrder, static_cast<u8>(kSpan + size_class));
    if (span == nullptr) return nullptr;
    const u64 first = page_of(span);
    for (u64 page = first; page < first + (u64{1} << kSpanOrder); ++page)
      page_kind_[page] = static_cast<u8>(kSpan + size_class);
    from.fresh = reinterpret_cast<u64>(span);
    from.fresh_end = from.fresh + (kPageBytes << kSpanOrder);
  }
  void* const block = reinterpret_cast<void*>(from.fresh);
  from.fresh += bytes;
  bytes_in_use_ += bytes;
  return block;
}

void* Heap::allocate_run(int order, u8 kind) {
  if (order >= kOrderCount) return nullptr;
  u64 fitting = orders_free_ >> order;
  if (fitting == 0) {
    if (!grow(order)) return nullptr;
    fitting = orders_free_ >> order;
  }
  int have = order + std::countr_zero(fitting);
  const u64 page = page_of(runs_[static_cast<u64>(have)]);
  unlink_run(page, have);
  while (have > order) {
    --have;
    push_run(page + (u64{1} << have), have);
  }
  page_kind_[page] = kind;
  return reinterpret_cast<void*>(address_of(page));
}

/// Merges with the buddy as long as that is free and whole.
void Heap::free_run(u64 page, int order) {
  page_kind_[page] = kInside;
  while (order + 1 < kOrderCount) {
    const u64 buddy = page ^ (u64{1} << order);
    if (buddy >= pages_committed_ || page_kind_[buddy] != kFreeRun + order) break;
    unlink_run(buddy, order);
    page &= ~(u64{1} << order);
    ++order;
  }
  push_run(page, order);
}

void Heap::push_run(u64 page, int order) {
  FreeRun*& head = runs_[static_cast<u64>(order)];
  auto* const run = new (reinterpret_cast<void*>(address_of(page))) FreeRun{head, nullptr};
  if (head != nullptr) head->previous = run;
  head = run;
  page_kind_[page] = static_cast<u8>(kFreeRun + order);
  orders_free_ |= u64{1} << order;
}

void Heap::unlink_run(u64 page, int order) {
  auto* const run = reinterpret_cast<FreeRun*>(address_of(page));
  FreeRun*& head = runs_[static_cast<u64>(order)];
  if (run->next != nullptr) run->next->previous = run->previous;
  if (run->previous != nullptr)
    run->previous->next = run->next;
  else
    head = run->next;
  if (head == nullptr) orders_free_ &= ~(u64{1} << order);
  page_kind_[page] = kInside;
}

/// Moves the frontier so far that a run of 2^order pages, aligned to its size, becomes free.
bool Heap::grow(int order) {
  const u64 run_pages = u64{1} << order;
  const u64 aligned = (pages_committed_ + run_pages - 1) & ~(run_pages - 1);
  const u64 needed = aligned + run_pages;
  if (needed > page_count_) return false;
  u64 target = (needed + kGrowthPages - 1) & ~(kGrowthPages - 1);
  if (target > page_count_) target = page_count_;
  const u64 from = pages_committed_;
  if (!pages_->commit(address_of(from), (target - from) << kPageShift)) return false;
  pages_committed_ = target;
  release_pages(from, target);
  return true;
}

/// Frees [from, to) as the largest aligned runs it holds.
void Heap::release_pages(u64 from, u64 to) {
  while (from < to) {
    int order = from == 0 ? kOrderCount - 1 : std::countr_zero(from);
    if (order >= kOrderCount) order = kOrderCount - 1;
    while ((u64{1} << order) > to - from) --order;
    free_run(from, order);
    from += u64{1} << order;
  }
}

}  // namespace orrery
