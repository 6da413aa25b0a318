#include "lens/errors/heap_shadow.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace orrery::lens::errors {
namespace {

constexpr u64 kTableBytes = memory::layout::kHighWindow.size_bytes() / kPageBytes * sizeof(u32);

/// The part of a range that lies in the window; empty if there is none.
memory::layout::Range in_window(u64 address, u64 size_bytes) {
  constexpr memory::layout::Range kWindow = memory::layout::kHighWindow;
  const u64 start = std::max(address, kWindow.start), end = std::min(address + size_bytes, kWindow.end);
  return {start, std::max(start, end)};
}

}  // namespace

HeapShadow::HeapShadow() : pages_(1), numbers_(1, kNoNumber) {
  void* const mapped =
      mmap(nullptr, kTableBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  table_ = static_cast<u32*>(mapped);
}

HeapShadow::HeapShadow(const HeapShadow& other) : HeapShadow() {
  pages_ = other.pages_;
  numbers_ = other.numbers_;
  unused_ = other.unused_;
  for (u32 index = 1; index < numbers_.size(); ++index)
    if (numbers_[index] != kNoNumber) table_[numbers_[index]] = index;
}

HeapShadow::~HeapShadow() { munmap(table_, kTableBytes); }

/// Of a page that was not held yet, nothing may be touched.
HeapShadow::Page& HeapShadow::held_page(u64 offset) {
  u32& index = table_[offset / kPageBytes];
  if (index == kNotHeld) {
    if (unused_.empty()) {
      unused_.push_back(static_cast<u32>(pages_.size()));
      pages_.emplace_back();
      numbers_.push_back(kNoNumber);
    }
    index = unused_.back();
    unused_.pop_back();
    numbers_[index] = offset / kPageBytes;
    pages_[index].fill(~u64{0});
  }
  return pages_[index];
}

void HeapShadow::hold(u64 address, u64 size_bytes) {
  const memory::layout::Range range = in_window(address, size_bytes);
  if (range.start >= range.end) return;
  const u64 before = page_floor(range.start);
  const bool shares_page = before < range.start && !is_held(before);
  for (u64 at = before; at < range.end; at += kPageBytes) held_page(at - kWindow.start);
  if (shares_page) set(before, range.start - before, false);
}

void HeapShadow::let_go(u64 address, u64 size_bytes) {
  const memory::layout::Range range = in_window(address, size_bytes);
  for (u64 at = page_floor(range.start); at < range.end; at += kPageBytes) {
    u32& index = table_[(at - kWindow.start) / kPageBytes];
    if (index == kNotHeld) continue;
    numbers_[index] = kNoNumber;
    unused_.push_back(index);
    index = kNotHeld;
  }
}

void HeapShadow::set(u64 address, u64 size_bytes, bool forbidden) {
  const memory::layout::Range range = in_window(address, size_bytes);
  for (u64 at = range.start; at < range.end;) {
    Page& page = held_page(at - kWindow.start);
    const u64 end = std::min(range.end, page_floor(at) + kPageBytes);
    for (; at < end;) {
      const u64 bit = at % kWordBits, count = std::min(kWordBits - bit, end - at);
      const u64 mask = (count == kWordBits ? ~u64{0} : (u64{1} << count) - 1) << bit;
      u64& word = page[at % kPageBytes / kWordBits];
      word = forbidden ? word | mask : word & ~mask;
      at += count;
    }
  }
}

bool HeapShadow::allows_byte(u64 address) const {
  const u64 offset = address - kWindow.start;
  if (offset >= kWindow.size_bytes() || table_[offset / kPageBytes] == kNotHeld) return true;
  const u64 word = pages_[table_[offset / kPageBytes]][address % kPageBytes / kWordBits];
  return (word >> address % kWordBits & 1) == 0;
}

u64 HeapShadow::first_forbidden(u64 address, u64 size_bytes) const {
  const u64 end = address + size_bytes;
  for (u64 at = address; at < end;) {
    if (!is_held(at)) {
      at = page_floor(at) + kPageBytes;
    } else if (!allows_byte(at)) {
      return at;
    } else {
      ++at;
    }
  }
  return end;
}

bool HeapShadow::allows_piecewise(u64 address, u64 size_bytes) const {
  return first_forbidden(address, size_bytes) >= address + size_bytes;
}

bool HeapShadow::allows_some(u64 address, u64 size_bytes) const {
  for (u64 at = address; at < address + size_bytes; ++at)
    if (allows_byte(at)) return true;
  return false;
}

bool HeapShadow::is_held(u64 address) const {
  const u64 offset = address - kWindow.start;
  return offset < kWindow.size_bytes() && table_[offset / kPageBytes] != kNotHeld;
}

}  // namespace orrery::lens::errors
