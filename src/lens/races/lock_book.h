// Which task holds which locks, in which order they were taken, and what was done to them that may not be.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "base/hash_map.h"
#include "lens/errors/heap_blocks.h"
#include "lens/races/vector_clock.h"

namespace orrery::lens::races {

using errors::Place;

/// A number of its own for each lock: an address may be that of several, one after another.
using LockNumber = u32;

struct Holding {
  LockNumber lock = 0;
  bool shared = false;  ///< with others, for reading
  u32 times = 1;        ///< how often it was taken and not given back
  Place place{};        ///< where it was taken first
};

/// A lock was wanted while another was held.
struct LockOrder {
  LockNumber held = 0, wanted = 0;
  Place held_at{}, wanted_at{};  ///< the first time
  u64 times = 0;
};

enum class MisuseKind : u8 {
  unlock_free,    ///< nobody holds it
  unlock_others,  ///< another task holds it
  wait_without,   ///< a condition is waited for with a lock that the task does not hold
  destroy_held,
  free_held,  ///< the heap block that it lies in is given back
  exit_holding,
  lock_own,  ///< the task holds it, and waits for itself
};

struct Misuse {
  MisuseKind kind = MisuseKind::unlock_free;
  LockNumber lock = 0;
  Place place{};
  u64 times = 1;
  i32 holder = 0;   ///< 0: none
  Place held_at{};  ///< if there is a holder
};

class LockBook {
 public:
  // `place`: of the call; its task is the task's.
  void want(TaskNumber task, u64 address, const Place& place);
  void acquire(TaskNumber task, u64 address, bool shared, const Place& place);
  /// Whether it was held for reading.
  bool release(TaskNumber task, u64 address, const Place& place);
  /// A condition is about to be waited for: the lock is given back, and taken again by acquire().
  void wait(TaskNumber task, u64 address, const Place& place);
  void make(u64 address);
  bool holds(TaskNumber task, u64 address);
  void destroy(u64 address, const Place& place);
  /// The block at that address is given back.
  void free(u64 address, u64 size_bytes, const Place& place);
  void end(TaskNumber task, const Place& place);
  /// It waits for the lock when the program ends.
  void stuck(TaskNumber task, u64 address, const Place& place);

  /// What a task holds, as a number that is the same for the same locks.
  u32 held_by(TaskNumber task) const { return task < held_.size() ? held_[task].set : 0; }
  std::span<const LockNumber> set(u32 number) const { return sets_[number]; }
  u64 address_of(LockNumber lock) const { return locks_[lock].address; }

  const std::vector<Misuse>& misuses() const { return misuses_; }
  /// Circles in the order of locks, each as the steps from one lock to the next and back; none twice.
  std::vector<std::vector<LockOrder>> circles() const;

 private:
  struct Lock {
    u64 address = 0;
    u32 holders = 0;
    i32 holder = 0;  ///< the last that took it
    Place held_at{};
  };
  struct Held {
    std::vector<Holding> locks;
    u32 set = 0;
  };

  Held& held(TaskNumber task) {
    if (task >= held_.size()) held_.resize(task + 1);
    return held_[task];
  }
  LockNumber lock_at(u64 address);
  void number_set(Held& held);
  void drop(LockNumber lock);
  void note(MisuseKind kind, LockNumber lock, const Place& place);

  std::vector<Lock> locks_{1};
  std::map<u64, LockNumber> by_address_;
  std::vector<Held> held_;
  std::vector<std::vector<LockNumber>> sets_{1};
  std::map<std::vector<LockNumber>, u32> set_numbers_{{{}, 0}};
  std::map<std::pair<LockNumber, LockNumber>, LockOrder> orders_;
  std::vector<Misuse> misuses_;
};

}  // namespace orrery::lens::races
