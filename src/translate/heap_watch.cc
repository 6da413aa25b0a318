#include "translate/heap_watch.h"

#include <algorithm>
#include <cstring>

#include "memory/guarded_copy.h"
#include "translate/slots.h"

namespace orrery::translate {
namespace {

constexpr u64 kLargeBytes = 256 << 10;
constexpr Range kWindow = memory::layout::kHighWindow;

u8& held(u64 address) {
  return *reinterpret_cast<u8*>(kHeldPages.start + (address - kWindow.start) / kPageBytes);
}

u8* shadow_at(u64 address) { return reinterpret_cast<u8*>(address + kShadowOffset); }

Range in_window(u64 address, u64 size_bytes) {
  const u64 start = std::max(address, kWindow.start), end = std::min(address + size_bytes, kWindow.end);
  return {start, std::max(start, end)};
}

/// Whether all bytes of a page of shadow have the value. What was never written is not made by being read.
bool is_all(u64 page, u8 value) {
  const u64* const words = reinterpret_cast<const u64*>(shadow_at(page));
  const u64 wanted = value * 0x0101'0101'0101'0101;
  return std::all_of(words, words + kPageBytes / sizeof(u64), [&](u64 word) { return word == wanted; });
}

/// Calls visit(start, end) for the part of the range in each page.
template <class Visit>
void each_page(Range range, Visit visit) {
  for (u64 at = range.start; at < range.end;) {
    const u64 end = std::min(range.end, page_floor(at) + kPageBytes);
    visit(at, end);
    at = end;
  }
}

void fill(u64 start, u64 end, u8 value) {
  if (end - start == kPageBytes && is_all(start, value)) return;
  std::memset(shadow_at(start), value, end - start);
}

}  // namespace

u64 HeapWatch::slots_shadow() { return slots().shadow_offset; }

void HeapWatch::use_shadow(u64 offset) {
  slots().shadow_offset = offset;
  slots().undefined_word = offset == kShadowOffset ? kUndefinedByte * 0x0101'0101'0101'0101 : 0;
}

bool HeapWatch::contains(const std::vector<Range>& code, u64 pc) {
  return std::any_of(code.begin(), code.end(), [&](const Range& each) { return each.contains(pc); });
}

void HeapWatch::inherit() {
  pending_.for_each([&](u64 task, const Pending&) { settle(*pending_.find(task), {0, 0}); });
  task_ = 0;
  functions_.clear();
  entries_.clear();
  left_out_.clear();
  vectors_.clear();
  pending_.clear();
}

void HeapWatch::watch(std::span<const AllocatorEntry> functions) {
  for (const AllocatorEntry& each : functions) {
    functions_[each.address] = static_cast<u32>(entries_.size());
    entries_.push_back(each);
  }
}

void HeapWatch::hold(i32 task, Range memory) {
  Pending& by = pending_[static_cast<u64>(task)];
  if (by.rsp != 0)
    by.held.push_back(in_window(memory.start, memory.end - memory.start));
  else
    hold_now(memory);
}

/// Of pages that were not known to be an allocator's. In the first, what lies before is somebody else's.
void HeapWatch::hold_now(Range memory) {
  const Range range = in_window(memory.start, memory.end - memory.start);
  if (range.start == range.end) return;
  each_page({range.start, page_ceil(range.end)}, [](u64 start, u64 end) {
    if (held(start) == 0) fill(start, end, kForbidden);
    held(start) = 1;
  });
}

void HeapWatch::let_go(Range memory) {
  pending_.for_each([&](u64 task, const Pending&) {
    Pending& each = *pending_.find(task);
    if (each.released.start >= memory.start && each.released.end <= memory.end) each.released = {0, 0};
    if (!each.held.empty() || each.released.end != 0) settle(each, {0, 0});
  });
  const Range range = in_window(memory.start, memory.end - memory.start);
  each_page({page_ceil(range.start), page_ceil(range.end)}, [](u64 start, u64 end) {
    if (held(start) == 0) return;
    fill(start, end, 0);
    held(start) = 0;
  });
}

/// What waits is done now, but for pages that lie in a block that is about to be given out whole.
void HeapWatch::settle(Pending& pending, Range given) {
  const Range inner{page_ceil(given.start), page_floor(given.end)};
  for (const Range& memory : pending.held) {
    if (inner.start >= inner.end || !memory.overlaps(inner.start, inner.end)) {
      hold_now(memory);
      continue;
    }
    hold_now({memory.start, std::max(memory.start, inner.start)});
    hold_now({std::min(memory.end, inner.end), memory.end});
    each_page({std::max(memory.start, inner.start), std::min(memory.end, inner.end)},
              [](u64 start, u64) { held(start) = 1; });
  }
  pending.held.clear();
  each_page(pending.released, [](u64 start, u64 end) {
    if (held(start) != 0) fill(start, end, kForbidden);
  });
  pending.released = {0, 0};
}

void HeapWatch::give(u64 address, u64 size_bytes) {
  blocks_[address] = size_bytes;
  const Range block = in_window(address, size_bytes);
  each_page(block, [](u64 start, u64 end) {
    if (held(start) == 0) fill(page_floor(start), page_floor(start) + kPageBytes, kForbidden);
    held(start) = 1;
    fill(start, end, 0);
  });
}

void HeapWatch::take_back(Pending& by, u64 address) {
  const u64* const size_bytes = blocks_.find(address);
  if (size_bytes == nullptr) return;
  if (marks_undefined()) {
    blocks_.erase(address);
    return;
  }
  by.released = in_window(address, *size_bytes);
  blocks_.erase(address);
  if (by.released.size_bytes() < kLargeBytes) settle(by, {0, 0});
}

void HeapWatch::run(i32 task) {
  if (task != task_) {
    Pending& before = pending();
    if (!before.held.empty() || before.released.end != 0) settle(before, {0, 0});
  }
  task_ = task;
  use_shadow(pending().rsp == 0 ? kShadowOffset : kNoShadowOffset);
}

bool HeapWatch::forbids(u64 address, u64 size_bytes) const {
  bool found = false;
  each_page(in_window(address, size_bytes), [&](u64 start, u64 end) {
    if (held(start) == 0) return;
    const u8* const bytes = shadow_at(start);
    found = found || std::any_of(bytes, bytes + (end - start), [](u8 byte) { return byte != 0; });
  });
  return found;
}

u64 HeapWatch::enter(const cpu::Registers& regs) {
  using cpu::Gpr;
  const u32* const function = functions_.find(regs.rip);
  if (function == nullptr) return 0;
  Pending& made = pending();
  // One that was left by longjmp or an exception does not count as being in it.
  if (made.rsp != 0 && made.rsp >= regs[Gpr::rsp]) return 0;
  u64 return_address = 0;
  memory::guarded_copy(reinterpret_cast<u8*>(&return_address), reinterpret_cast<const u8*>(regs[Gpr::rsp]),
                       sizeof return_address);
  made.rsp = regs[Gpr::rsp];
  made.function = *function;
  made.arguments[0] = regs[Gpr::rdi];
  made.arguments[1] = regs[Gpr::rsi];
  made.arguments[2] = regs[Gpr::rdx];
  use_shadow(kNoShadowOffset);
  moved_ = false;
  const AllocatorEntry& entry = entries_[*function];
  if (entry.kind == AllocatorKind::release && entry.pointer < 3)
    take_back(made, made.arguments[entry.pointer]);
  return return_address;
}

bool HeapWatch::leave(const cpu::Registers& regs) {
  using cpu::Gpr;
  Pending& made = pending();
  if (made.rsp == 0 || regs[Gpr::rsp] != made.rsp + sizeof(u64)) return false;
  made.rsp = 0;
  use_shadow(kShadowOffset);
  given_ = 0;
  if (marks_undefined()) return leave_marking(made, regs);
  const AllocatorEntry& entry = entries_[made.function];
  const auto argument = [&](u8 which) { return which < 3 ? made.arguments[which] : 0; };
  const u64 rax = regs[Gpr::rax];
  const u64 each = entry.size == AllocatorEntry::kNone ? entry.size_bytes : argument(entry.size);
  const u64 size = entry.count == AllocatorEntry::kNone ? each : each * argument(entry.count);
  if (entry.kind == AllocatorKind::allocate_to && rax == 0)
    memory::guarded_copy(reinterpret_cast<u8*>(&given_), reinterpret_cast<const u8*>(argument(entry.pointer)),
                         sizeof given_);
  if (entry.kind == AllocatorKind::allocate || entry.kind == AllocatorKind::reallocate) given_ = rax;
  if (entry.kind == AllocatorKind::reallocate && argument(entry.pointer) != 0 && (rax != 0 || size == 0))
    take_back(made, argument(entry.pointer));
  settle(made, given_ == 0 ? Range{0, 0} : Range{given_, given_ + size});
  if (given_ != 0) give(given_, size);
  const u64* const known =
      entry.kind == AllocatorKind::measure ? blocks_.find(argument(entry.pointer)) : nullptr;
  if (known != nullptr && rax > *known) give(argument(entry.pointer), rax);
  return true;
}

/// leave(), where the shadow is of undefined bits.
bool HeapWatch::leave_marking(Pending& made, const cpu::Registers& regs) {
  const AllocatorEntry& entry = entries_[made.function];
  const auto argument = [&](u8 which) { return which < 3 ? made.arguments[which] : 0; };
  const u64 rax = regs[cpu::Gpr::rax];
  const u64 each = entry.size == AllocatorEntry::kNone ? entry.size_bytes : argument(entry.size);
  const bool counts = entry.count != AllocatorEntry::kNone;
  const u64 size = counts ? each * argument(entry.count) : each;
  u64 defined_bytes = 0;
  switch (entry.kind) {
    case AllocatorKind::release:
      return true;
    case AllocatorKind::measure: {
      const u64* const known = blocks_.find(argument(entry.pointer));
      if (known != nullptr && rax > *known) {
        defined_->fill(argument(entry.pointer) + *known, rax - *known, true);
        blocks_[argument(entry.pointer)] = rax;
      }
      return true;
    }
    case AllocatorKind::allocate_to:
      defined_->fill(argument(entry.pointer), sizeof(u64), false);
      if (rax == 0)
        memory::guarded_copy(reinterpret_cast<u8*>(&given_),
                             reinterpret_cast<const u8*>(argument(entry.pointer)), sizeof given_);
      break;
    case AllocatorKind::allocate:
      given_ = rax;
      if (counts) defined_bytes = size;
      break;
    case AllocatorKind::reallocate: {
      given_ = rax;
      const u64 from = argument(entry.pointer);
      const u64* const known = blocks_.find(from);
      if (known == nullptr && from != 0) defined_bytes = size;
      if (known != nullptr && (rax != 0 || size == 0)) {
        defined_bytes = std::min(*known, size);
        if (rax != 0 && !moved_) defined_->copy(rax, from, defined_bytes);
        blocks_.erase(from);
      }
      break;
    }
  }
  if (given_ == 0) return true;
  blocks_[given_] = size;
  const bool clears = entry.kind == AllocatorKind::allocate && counts;
  if (clears) defined_->fill(given_, size, false);
  if (size > defined_bytes) defined_->fill(given_ + defined_bytes, size - defined_bytes, true);
  return true;
}

}  // namespace orrery::translate
