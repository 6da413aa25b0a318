// Accesses against those before them (RaceFinder).
#include <bit>

#include "lens/races/race_finder.h"

namespace orrery::lens::races {

void RaceFinder::access(u64 address, u64 size_bytes, u64 pc, u8 flags) {
  for (const u64 end = address + size_bytes; address < end;) {
    const u64 from = address % kWordBytes;
    const u64 count = std::min(kWordBytes - from, end - address);
    const auto bytes = static_cast<u8>(((1u << count) - 1) << from);
    const ShadowWord word = shadow_.at(address);
    if ((flags & Slot::kAtomic) != 0 || word.summary().is_new(now(), bytes, (flags & Slot::kWrites) != 0))
      touch(word, address - from, bytes, pc, flags, size_bytes);
    address += count;
  }
}

/// `address`: of the word.
void RaceFinder::touch(ShadowWord word, u64 address, u8 bytes, u64 pc, u8 flags, u64 size_bytes) {
  const u64 at = (flags & Slot::kInside) != 0 ? task().call.ticks : ticks_;
  const Slot made{.segment = now(),
                  .ticks = static_cast<i32>(static_cast<i64>(at - segments_.back().ticks)),
                  .bits = Slot::bits_of(pc, bytes, flags)};
  // The kernel looks at futexes as at atomic variables.
  constexpr u8 kPlain = Slot::kModifies | Slot::kFrees;
  const bool is_atomic =
      (flags & Slot::kAtomic) != 0 || ((word.summary().atomics & bytes) != 0 && (flags & kPlain) == 0);
  if (is_atomic) return atomic(word, address, made, size_bytes);
  if (!is_own(word, made)) check(word, address, made, size_bytes);
}

/// Most words are accessed by one task alone, or by one after the other, and all of a word by each access:
/// such a one takes the place of those before. False if it is no such word, and nothing was done.
bool RaceFinder::is_own(ShadowWord word, const Slot& made) {
  if (word.summary().has_more) return false;
  for (const Slot& slot : word.slots()) {
    const bool comes_before = slot.segment == 0 || slot.segment >= turn_ || is_before(slot);
    if (!comes_before || (slot.bytes() & ~made.bytes()) != 0 || slot.is_atomic()) return false;
  }
  auto& [first, second, third, fourth] = word.slots();
  if (made.writes()) {
    first = made;
    second = third = fourth = {};
    return true;
  }
  if (third.segment != 0 || fourth.segment != 0) return false;
  if (first.segment == 0 || !first.writes()) {
    if (second.segment != 0) return false;
    first = made;
  } else {
    if (second.segment != 0 && second.writes()) return false;
    second = made;
  }
  return true;
}

bool RaceFinder::is_before(const Slot& slot) const {
  const TaskNumber by = segments_[slot.segment].task;
  return by == current_ || tasks_[current_].clock.at(by) >= slot.segment;
}

bool RaceFinder::is_race(const Slot& before, const Slot& made) const {
  return (before.bytes() & made.bytes()) != 0 && (before.writes() || made.writes()) &&
         !(before.is_atomic() && made.is_atomic()) && !is_before(before);
}

void RaceFinder::check(ShadowWord word, u64 address, const Slot& made, u64 size_bytes) {
  bool may_race = false;
  shadow_.slots_of(word,
                   [&](const Slot& before) { may_race |= before.segment < turn_ && !is_before(before); });
  if (!may_race) return replace(word, made);
  bool becomes_atomic = false;
  shadow_.slots_of(word, [&](const Slot& before) {
    if (becomes_atomic || !is_race(before, made)) return;
    constexpr u8 kPlain = Slot::kModifies | Slot::kFrees | Slot::kInside;
    if (((before.flags() | made.flags()) & kPlain) == 0 && code_.is_atomic(before.pc()) &&
        code_.is_atomic(made.pc()))
      becomes_atomic = true;
    else
      found(before, made, address, size_bytes);
  });
  if (becomes_atomic) return atomic(word, address, made, size_bytes);
  replace(word, made);
}

/// A write leaves nothing of what was there before; a read leaves reads of others that are not before it.
void RaceFinder::replace(ShadowWord word, const Slot& made) {
  bool is_there = false;
  shadow_.slots_of(word, [&](Slot& before) {
    const bool same =
        before.segment == made.segment && before.pc() == made.pc() && before.flags() == made.flags();
    if (same && !is_there) {
      before.bits |= made.bytes();
      is_there = true;
    } else if ((before.bytes() & made.bytes()) != 0 &&
               (made.writes() || (!before.writes() && is_before(before)))) {
      AccessShadow::take(before, made.bytes());
    }
  });
  if (!is_there) shadow_.add(word, made);
}

/// Releases and acquires what is at the address.
void RaceFinder::atomic(ShadowWord word, u64 address, const Slot& made, u64 size_bytes) {
  if ((word.summary().atomics & made.bytes()) != made.bytes()) make_atomic(word, address, made.bytes());
  Slot slot = made;
  slot.bits |= u64{Slot::kAtomic} << 8;
  const bool modifies = (made.flags() & Slot::kModifies) != 0;
  Sync& known = sync(address);
  if (!made.writes() || modifies) acquire(known.clock);
  shadow_.slots_of(word, [&](const Slot& before) {
    if (is_race(before, slot)) found(before, slot, address, size_bytes);
  });
  replace(word, slot);
  if (!made.writes()) return;
  if (!modifies) known.clock = {};
  release(known.clock);
}

/// Loads and stores of before were atomic, too, though it was not known.
void RaceFinder::make_atomic(ShadowWord word, u64 address, u8 bytes) {
  word.summary().atomics |= bytes;
  word.summary().is_used = true;
  shadow_.slots_of(word, [&](Slot& before) {
    if ((before.bytes() & bytes) == 0 || (before.flags() & (Slot::kModifies | Slot::kFrees)) != 0) return;
    before.bits |= u64{Slot::kAtomic} << 8;
    if (!before.writes()) return;
    const TaskNumber by = segments_[before.segment].task;
    VectorClock then = tasks_[by].clock;
    then.set(by, before.segment);
    sync(address).clock.join(then);
  });
}

RaceAccess RaceFinder::told(const Slot& slot, u64 size_bytes) const {
  const Segment& during = segments_[slot.segment];
  const u64 ticks = during.ticks + static_cast<u64>(static_cast<i64>(slot.ticks));
  return {.place = {during.event, tasks_[during.task].id, ticks, slot.pc()},
          .flags = slot.flags(),
          .size_bytes = size_bytes,
          .locks = during.locks};
}

void RaceFinder::found(const Slot& before, const Slot& made, u64 word, u64 size_bytes) {
  const auto [known, is_new] = race_numbers_.try_emplace({before.pc(), made.pc()}, races_.size());
  if (!is_new) {
    ++races_[known->second].times;
    return;
  }
  const auto both = static_cast<u8>(before.bytes() & made.bytes());
  Race race{.first = told(before, static_cast<u64>(std::popcount(before.bytes()))),
            .second = told(made, size_bytes),
            .address = word + static_cast<u64>(std::countr_zero(both))};
  if (const Block* const block = block_at(race.address)) {
    race.object.block = block->block;
    race.object.freed = !block->live;
  }
  for (const Task& each : tasks_)
    if (race.address - each.stack < each.stack_bytes) race.object.stack_of = each.id;
  races_.push_back(race);
}

// --- blocks of the heap ---

const RaceFinder::Block* RaceFinder::block_at(u64 address) const {
  auto next = blocks_.upper_bound(address);
  if (next == blocks_.begin()) return nullptr;
  const Block& block = std::prev(next)->second;
  return address - block.block.address < block.block.size_bytes ? &block : nullptr;
}

void RaceFinder::give(u64 address, u64 size_bytes, const Frame& by) {
  clear(address, size_bytes);
  blocks_.erase(blocks_.lower_bound(address), blocks_.lower_bound(address + size_bytes));
  blocks_[address] = {
      .block = {.address = address, .size_bytes = size_bytes, .made = by.call, .made_by = by.call.pc}};
}

/// That is a write of all that was accessed of it.
void RaceFinder::take_back(u64 address, const Frame& by) {
  const auto known = blocks_.find(address);
  if (address == 0 || known == blocks_.end() || !known->second.live) return;
  errors::HeapBlock& block = known->second.block;
  shadow_.visit(address, block.size_bytes, [&](u64 at, ShadowWord word, u8 bytes) {
    const WordSummary& summary = word.summary();
    if (summary.segment == now() && (summary.written & bytes) == bytes) return;
    touch(word, at / kWordBytes * kWordBytes, bytes, by.call.pc, Slot::kWrites | Slot::kFrees | Slot::kInside,
          block.size_bytes);
  });
  locks_.free(address, block.size_bytes, by.call);
  block.gone = by.call;
  block.gone_by = by.call.pc;
  known->second.live = false;
}

}  // namespace orrery::lens::races
