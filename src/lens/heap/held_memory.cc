#include "lens/heap/held_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace orrery::lens::heap {
namespace {

bool is_usable(u64 protection) { return (protection & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE); }

}  // namespace

HeldMemory::Change HeldMemory::apply(const Call& call, const Instant& now, bool by_allocator) {
  if (!call.returned || call.failed()) return {};
  now_ = now;
  const i64 mapped = mapped_, usable = usable_;
  const auto& arguments = call.arguments;
  const u64 start = arguments[0], end = page_ceil(arguments[0] + arguments[1]);
  const u64 result = static_cast<u64>(call.result);
  Change change{.address = start};
  if (call.name == "brk") {
    change.address = result;
    apply_break(result, by_allocator);
  } else if (call.name == "mmap") {
    change.address = result;
    take_out(result, page_ceil(result + arguments[1]));
    if (by_allocator) put_in(result, page_ceil(result + arguments[1]), is_usable(arguments[2]));
  } else if (call.name == "munmap") {
    take_out(start, end);
  } else if (call.name == "mprotect") {
    protect(start, end, is_usable(arguments[2]));
  } else if (call.name == "mremap") {
    change.address = result;
    apply_move(call, by_allocator);
  } else if (call.name == "madvise") {
    const bool drops =
        arguments[2] == MADV_DONTNEED || arguments[2] == MADV_FREE || arguments[2] == MADV_REMOVE;
    change.dropped = drops ? held_within(start, end) : 0;
  }
  change.mapped = mapped_ - mapped;
  change.usable = usable_ - usable;
  return change;
}

/// The break need not be at a page; what is held is counted as it was asked for.
void HeldMemory::apply_break(u64 break_now, bool by_allocator) {
  if (break_ != 0 && break_now > break_ && by_allocator) put_in(break_, break_now, true);
  if (break_ != 0 && break_now < break_) take_out(break_now, break_);
  break_ = break_now;
}

void HeldMemory::apply_move(const Call& call, bool by_allocator) {
  const u64 old = call.arguments[0], old_end = page_ceil(old + call.arguments[1]);
  const u64 now = static_cast<u64>(call.result), now_end = page_ceil(now + call.arguments[2]);
  const bool was_held = held_within(old, old_end) != 0;
  const bool was_usable = was_held ? is_usable_at(old) : true;
  take_out(old, old_end);
  take_out(now, now_end);
  if (was_held || by_allocator) put_in(now, now_end, was_usable);
}

std::vector<HeldMemory::Piece> HeldMemory::take_gone() { return std::exchange(gone_, {}); }

std::vector<HeldMemory::Piece> HeldMemory::pieces() const {
  std::vector<Piece> all;
  for (const auto& [start, piece] : pieces_) all.push_back(piece);
  return all;
}

void HeldMemory::begin_anew(const Instant& now) {
  for (auto& [start, piece] : pieces_) piece.begin = now;
}

void HeldMemory::add(const Piece& piece) {
  pieces_[piece.start] = piece;
  const i64 bytes = static_cast<i64>(piece.end - piece.start);
  mapped_ += bytes;
  usable_ += piece.is_usable ? bytes : 0;
}

void HeldMemory::remove(const Piece& piece) {
  const i64 bytes = static_cast<i64>(piece.end - piece.start);
  mapped_ -= bytes;
  usable_ -= piece.is_usable ? bytes : 0;
  gone_.push_back(piece);
  pieces_.erase(piece.start);
}

void HeldMemory::split(u64 at) {
  const auto above = pieces_.upper_bound(at);
  if (above == pieces_.begin()) return;
  Piece& low = std::prev(above)->second;
  if (low.start == at || low.end <= at) return;
  Piece high = low;
  high.start = at;
  low.end = at;
  pieces_[at] = high;
}

std::vector<HeldMemory::Piece> HeldMemory::within(u64 start, u64 end) {
  split(start);
  split(end);
  std::vector<Piece> found;
  for (auto each = pieces_.lower_bound(start); each != pieces_.end() && each->first < end; ++each)
    found.push_back(each->second);
  return found;
}

void HeldMemory::take_out(u64 start, u64 end) {
  for (const Piece& each : within(start, end)) remove(each);
}

void HeldMemory::put_in(u64 start, u64 end, bool is_usable) {
  if (start < end) add({.start = start, .end = end, .is_usable = is_usable, .begin = now_});
}

void HeldMemory::protect(u64 start, u64 end, bool is_usable) {
  for (const Piece& each : within(start, end)) {
    if (each.is_usable == is_usable) continue;
    remove(each);
    put_in(each.start, each.end, is_usable);
  }
}

u64 HeldMemory::held_within(u64 start, u64 end) const {
  u64 bytes = 0;
  auto each = pieces_.upper_bound(start);
  if (each != pieces_.begin()) --each;
  for (; each != pieces_.end() && each->first < end; ++each) {
    const u64 from = std::max(start, each->first), to = std::min(end, each->second.end);
    bytes += to > from ? to - from : 0;
  }
  return bytes;
}

bool HeldMemory::is_usable_at(u64 address) const {
  const auto above = pieces_.upper_bound(address);
  return above != pieces_.begin() && std::prev(above)->second.end > address &&
         std::prev(above)->second.is_usable;
}

}  // namespace orrery::lens::heap
