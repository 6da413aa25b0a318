// Which bytes of the heap a program may touch: those of blocks that it was given. A bit for each byte, in
// pages; only pages that are known to be an allocator's have bits, all others may be touched.
#pragma once

#include <array>
#include <vector>

#include "base/types.h"
#include "memory/layout.h"

namespace orrery::lens::errors {

class HeapShadow {
 public:
  /// Throws std::bad_alloc if there is no room for the table of pages.
  HeapShadow();
  ~HeapShadow();
  HeapShadow(const HeapShadow& other);
  HeapShadow& operator=(const HeapShadow&) = delete;

  /// An allocator has got these bytes from the kernel: nobody may touch what it has not given out. What lies
  /// before them in their first page is somebody else's.
  void hold(u64 address, u64 size_bytes);
  /// They are no allocator's any more.
  void let_go(u64 address, u64 size_bytes);
  /// A block was given out, or taken back. What else lies in its pages is the allocator's.
  void give(u64 address, u64 size_bytes) { set(address, size_bytes, false); }
  void take_back(u64 address, u64 size_bytes) { set(address, size_bytes, true); }

  /// Whether all of these bytes may be touched.
  bool allows(u64 address, u64 size_bytes) const {
    const u64 offset = address - kWindow.start;
    if (offset >= kWindow.size_bytes()) return true;
    const u32 page = table_[offset / kPageBytes];
    const u64 in_page = address % kPageBytes, last = in_page + size_bytes - 1;
    if (last >= kPageBytes || (in_page ^ last) >= kWordBits) return allows_piecewise(address, size_bytes);
    if (page == kNotHeld) return true;
    const u64 wanted = (size_bytes == kWordBits ? ~u64{0} : (u64{1} << size_bytes) - 1)
                       << in_page % kWordBits;
    return (pages_[page][in_page / kWordBits] & wanted) == 0;
  }
  /// Whether one of them at least may be.
  bool allows_some(u64 address, u64 size_bytes) const;
  /// The first that may not be; the end of the range if there is none.
  u64 first_forbidden(u64 address, u64 size_bytes) const;
  bool is_held(u64 address) const;

 private:
  static constexpr memory::layout::Range kWindow = memory::layout::kHighWindow;
  static constexpr u64 kWordBits = 64;
  static constexpr u32 kNotHeld = 0;
  static constexpr u64 kNoNumber = ~u64{0};
  using Page = std::array<u64, kPageBytes / kWordBits>;  ///< a bit is set if its byte may not be touched

  bool allows_piecewise(u64 address, u64 size_bytes) const;
  bool allows_byte(u64 address) const;
  void set(u64 address, u64 size_bytes, bool forbidden);
  Page& held_page(u64 offset);

  u32* table_;  ///< by page of the window: index of pages_, or kNotHeld
  std::vector<Page> pages_;
  std::vector<u64> numbers_;  ///< of the pages in the window, those that are held
  std::vector<u32> unused_;
};

}  // namespace orrery::lens::errors
