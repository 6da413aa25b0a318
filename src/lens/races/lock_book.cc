#include "lens/races/lock_book.h"

#include <algorithm>
#include <deque>
#include <set>

namespace orrery::lens::races {

LockNumber LockBook::lock_at(u64 address) {
  LockNumber& number = by_address_[address];
  if (number == 0) {
    number = static_cast<LockNumber>(locks_.size());
    locks_.push_back({.address = address});
  }
  return number;
}

void LockBook::number_set(Held& held) {
  std::vector<LockNumber> locks;
  for (const Holding& each : held.locks) locks.push_back(each.lock);
  std::sort(locks.begin(), locks.end());
  const auto [known, is_new] = set_numbers_.try_emplace(locks, static_cast<u32>(sets_.size()));
  if (is_new) sets_.push_back(locks);
  held.set = known->second;
}

void LockBook::want(TaskNumber task, u64 address, const Place& place) {
  const LockNumber wanted = lock_at(address);
  for (const Holding& each : held(task).locks) {
    if (each.lock == wanted) continue;
    LockOrder& order = orders_[{each.lock, wanted}];
    if (order.times++ == 0)
      order = {.held = each.lock, .wanted = wanted, .held_at = each.place, .wanted_at = place, .times = 1};
  }
}

void LockBook::acquire(TaskNumber task, u64 address, bool shared, const Place& place) {
  const LockNumber number = lock_at(address);
  Lock& lock = locks_[number];
  ++lock.holders;
  lock.holder = place.task;
  lock.held_at = place;
  Held& own = held(task);
  for (Holding& each : own.locks)
    if (each.lock == number) {
      ++each.times;
      return;
    }
  own.locks.push_back({.lock = number, .shared = shared, .place = place});
  number_set(own);
}

bool LockBook::release(TaskNumber task, u64 address, const Place& place) {
  const LockNumber number = lock_at(address);
  Lock& lock = locks_[number];
  Held& own = held(task);
  const auto holding = std::find_if(own.locks.begin(), own.locks.end(),
                                    [&](const Holding& each) { return each.lock == number; });
  if (holding == own.locks.end()) {
    note(lock.holders == 0 ? MisuseKind::unlock_free : MisuseKind::unlock_others, number, place);
    // From here on it is free, as glibc has it for ordinary locks.
    if (lock.holders != 0) drop(number);
    return false;
  }
  const bool shared = holding->shared;
  if (lock.holders != 0) --lock.holders;
  if (--holding->times != 0) return shared;
  own.locks.erase(holding);
  number_set(own);
  return shared;
}

bool LockBook::holds(TaskNumber task, u64 address) {
  const LockNumber number = lock_at(address);
  const std::vector<Holding>& own = held(task).locks;
  return std::any_of(own.begin(), own.end(), [&](const Holding& each) { return each.lock == number; });
}

void LockBook::wait(TaskNumber task, u64 address, const Place& place) {
  if (!holds(task, address)) return note(MisuseKind::wait_without, lock_at(address), place);
  release(task, address, place);
}

/// Nobody holds it any more.
void LockBook::drop(LockNumber lock) {
  locks_[lock].holders = 0;
  for (Held& each : held_)
    if (std::erase_if(each.locks, [&](const Holding& holding) { return holding.lock == lock; }) != 0)
      number_set(each);
}

void LockBook::make(u64 address) {
  const auto known = by_address_.find(address);
  if (known == by_address_.end()) return;
  drop(known->second);
  by_address_.erase(known);
}

void LockBook::destroy(u64 address, const Place& place) {
  const auto known = by_address_.find(address);
  if (known == by_address_.end()) return;
  if (locks_[known->second].holders != 0) note(MisuseKind::destroy_held, known->second, place);
  make(address);
}

void LockBook::free(u64 address, u64 size_bytes, const Place& place) {
  for (auto lock = by_address_.lower_bound(address);
       lock != by_address_.end() && lock->first < address + size_bytes;) {
    if (locks_[lock->second].holders != 0) note(MisuseKind::free_held, lock->second, place);
    drop(lock->second);
    lock = by_address_.erase(lock);
  }
}

void LockBook::end(TaskNumber task, const Place& place) {
  for (const Holding& each : held(task).locks) note(MisuseKind::exit_holding, each.lock, place);
}

void LockBook::stuck(TaskNumber task, u64 address, const Place& place) {
  const LockNumber lock = lock_at(address);
  for (const Holding& each : held(task).locks)
    if (each.lock == lock && !each.shared) note(MisuseKind::lock_own, lock, place);
}

void LockBook::note(MisuseKind kind, LockNumber number, const Place& place) {
  for (Misuse& each : misuses_)
    if (each.kind == kind && each.place.pc == place.pc && each.lock == number) {
      ++each.times;
      return;
    }
  const Lock& lock = locks_[number];
  Misuse misuse{.kind = kind, .lock = number, .place = place};
  if (lock.holders != 0) {
    misuse.holder = lock.holder;
    misuse.held_at = lock.held_at;
  }
  misuses_.push_back(misuse);
}

std::vector<std::vector<LockOrder>> LockBook::circles() const {
  std::map<LockNumber, std::vector<const LockOrder*>> from;
  for (const auto& [locks, order] : orders_) from[locks.first].push_back(&order);
  std::vector<std::vector<LockOrder>> circles;
  std::set<std::set<LockNumber>> known;
  for (const auto& [locks, first] : orders_) {
    // The shortest way back from the wanted lock to the held one.
    std::map<LockNumber, const LockOrder*> reached_by{{locks.second, nullptr}};
    std::deque<LockNumber> next{locks.second};
    while (!next.empty() && !reached_by.contains(locks.first)) {
      const LockNumber at = next.front();
      next.pop_front();
      if (const auto orders = from.find(at); orders != from.end())
        for (const LockOrder* const order : orders->second)
          if (reached_by.try_emplace(order->wanted, order).second) next.push_back(order->wanted);
    }
    if (!reached_by.contains(locks.first)) continue;
    std::vector<LockOrder> circle;
    std::set<LockNumber> members;
    for (LockNumber at = locks.first; at != locks.second; at = reached_by[at]->held) {
      circle.push_back(*reached_by[at]);
      members.insert(at);
    }
    members.insert(locks.second);
    if (!known.insert(members).second) continue;
    circle.push_back(first);
    std::reverse(circle.begin(), circle.end());
    circles.push_back(std::move(circle));
  }
  return circles;
}

}  // namespace orrery::lens::races
