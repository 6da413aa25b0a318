// What allocators hold of the kernel: address space that they asked for by brk, mmap and mremap, and have not
// given back; and how much of it they may use. glibc's arenas reserve much and open it bit by bit (mprotect).
#pragma once

#include <map>
#include <vector>

#include "base/types.h"
#include "lens/lens.h"

namespace orrery::lens::heap {

class HeldMemory {
 public:
  /// What a system call changed, in bytes.
  struct Change {
    u64 address = 0;  ///< what it was about
    i64 mapped = 0;   ///< address space that the allocators hold
    i64 usable = 0;   ///< of it, readable and writable
    u64 dropped = 0;  ///< given back by madvise with its contents, and still mapped
    bool any() const { return mapped != 0 || usable != 0 || dropped != 0; }
  };

  /// A range of one kind, since when.
  struct Piece {
    u64 start = 0, end = 0;
    bool is_usable = false;
    Instant begin{};
  };

  /// Of a call that has returned, made at `now`. `by_allocator`: one made it; others only take away what is
  /// held, as where they map over it.
  Change apply(const Call& call, const Instant& now, bool by_allocator);
  /// What is held no more, or not as it was, since the last time.
  std::vector<Piece> take_gone();
  /// In order of addresses.
  std::vector<Piece> pieces() const;
  /// All that is held counts from here on: in a process that was forked.
  void begin_anew(const Instant& now);

  i64 mapped_bytes() const { return mapped_; }
  i64 usable_bytes() const { return usable_; }

 private:
  void apply_break(u64 break_now, bool by_allocator);
  void apply_move(const Call& call, bool by_allocator);
  /// No piece goes beyond the address.
  void split(u64 at);
  std::vector<Piece> within(u64 start, u64 end);
  void take_out(u64 start, u64 end);
  void put_in(u64 start, u64 end, bool is_usable);
  void protect(u64 start, u64 end, bool is_usable);
  u64 held_within(u64 start, u64 end) const;
  bool is_usable_at(u64 address) const;
  void add(const Piece& piece);
  void remove(const Piece& piece);

  std::map<u64, Piece> pieces_;  ///< by start
  u64 break_ = 0;                ///< 0: not known yet
  i64 mapped_ = 0, usable_ = 0;
  Instant now_{};
  std::vector<Piece> gone_;
};

}  // namespace orrery::lens::heap
