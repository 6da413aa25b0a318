// The first time each page is read and written, filtered from the stream of memory accesses (translate/
// access_stream.h) within the engine, so that only what is new leaves it.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "machine/control.h"
#include "translate/access_stream.h"

namespace orrery::machine {

class FirstTouches {
 public:
  void take_in(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
    reader_.read(records, points, *this);
  }
  std::vector<ControlTouch>& found() { return found_; }

  void forget(u64 address, u64 size_bytes);
  /// What was touched there counts as touched here.
  void move(u64 from, u64 from_bytes, u64 to);
  /// Pages that were written are noted again with the next write.
  void forget_writes();
  void clear();

  // --- what the reader calls ---
  void block(translate::AccessHeader header, const translate::AccessPoint& block) {
    if (header.guest_bytes() != 0)
      see(kExecuted, {.address = block.pc, .size_bytes = header.guest_bytes(), .pc = block.pc});
  }
  void access(const translate::Access& access) { see(static_cast<u8>(access.kind), access); }

 private:
  static constexpr u8 kWritten = 2, kExecuted = 4;
  static constexpr u64 kRecentPages = 256;
  struct Recent {
    u64 page = 1;  ///< of which none begins there
    u8 how = 0;
  };

  void see(u8 how, const translate::Access& access) {
    const u64 first = page_floor(access.address);
    const u64 last = page_floor(access.address + access.size_bytes - 1);
    Recent& recent = recent_[first / kPageBytes % kRecentPages];
    if (first == last && recent.page == first && (recent.how & how) == how) [[likely]]
      return;
    for (u64 page = first;; page += kPageBytes) {
      touch(page, how, access);
      if (page == last) break;
    }
  }
  void touch(u64 page, u8 how, const translate::Access& access);

  translate::AccessReader reader_;
  HashMap<u8> touched_;  ///< by page: ControlTouch::how of all so far
  Recent recent_[kRecentPages];
  std::vector<ControlTouch> found_;
};

}  // namespace orrery::machine
