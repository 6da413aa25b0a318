// What functions of threads order (RaceFinder).
#include "lens/races/race_finder.h"

namespace orrery::lens::races {

using enum ThreadFunctionKind;

namespace {

/// A robust lock whose holder died is held by the caller all the same (pthread_mutex_lock(3)).
constexpr i64 kOwnerDead = 130;

}  // namespace

RaceFinder::Sync& RaceFinder::sync(u64 address) {
  u32& number = sync_numbers_[address];
  if (number == 0) {
    number = static_cast<u32>(syncs_.size());
    syncs_.emplace_back();
  }
  return syncs_[number];
}

/// What the task did so far comes before those who acquire the clock; what it does next does not.
void RaceFinder::release(VectorClock& clock) {
  clock.join(task().clock);
  begin_segment();
}

void RaceFinder::enter(const ThreadFunction& function, Frame& frame) {
  const u64 object = frame.arguments[0];
  switch (function.kind) {
    case lock:
    case read_lock:
      if (!function.tries) locks_.want(current_, object, frame.call);
      return;
    case unlock_or_make:
      if (!locks_.holds(current_, object)) return locks_.make(object);
      return release_lock(frame);
    case unlock:
      return release_lock(frame);
    case make_lock:
      return locks_.make(object);
    case destroy_lock:
      return locks_.destroy(object, frame.call);
    case wait_condition:
      return wait(frame);
    case signal:
    case post:
      return release(sync(object).clock);
    case make_barrier:
      sync(object) = Sync{};
      sync(object).parties = frame.arguments[2] & 0xffff'ffff;
      return;
    case wait_barrier:
      return arrive(frame);
    case guard_begin:
    case guard_end:
      // Others look at it before they ask for it.
      make_atomic(shadow_.at(object), object, 0xff);
      if (function.kind == guard_end) release(sync(object).clock);
      return;
    case once:
    case join:
    case create:
    case wait_semaphore:
      return;
  }
}

/// The program's code runs while the task is in the function.
void RaceFinder::runs_program(Frame& frame) {
  frame.ran_program = true;
  const ThreadFunction* const function = by_number_[frame.function].thread;
  if (function != nullptr && function->kind == once) sync(frame.arguments[0]).runner = current_;
}

void RaceFinder::leave(const ThreadFunction& function, const Frame& frame, i64 result) {
  const u64 object = frame.arguments[0];
  result = static_cast<i32>(result);
  const bool done = result == function.success;
  switch (function.kind) {
    case join:
      if (done) join_thread(object);
      return;
    case lock:
    case read_lock:
      if (!done && result != kOwnerDead) return;
      acquire(sync(object).clock);
      if (function.kind == lock) acquire(sync(object).readers);
      locks_.acquire(current_, object, function.kind == read_lock, frame.call);
      return begin_segment();
    case wait_condition:
      acquire(sync(frame.arguments[1]).clock);
      if (done) acquire(sync(object).clock);
      locks_.acquire(current_, frame.arguments[1], false, frame.call);
      return begin_segment();
    case wait_semaphore:
      if (done) acquire(sync(object).clock);
      return;
    case wait_barrier:
      return acquire(sync(object).rounds[frame.round % 2]);
    case once: {
      Sync& made = sync(object);
      if (frame.ran_program) {
        made.runner.reset();
        return release(made.clock);
      }
      acquire(made.clock);
      // Who makes it has done so, and need not have come back yet.
      if (made.runner) acquire(tasks_[*made.runner].clock);
      return;
    }
    case guard_begin:
      if (!done) acquire(sync(object).clock);
      return;
    default:
      return;
  }
}

void RaceFinder::release_lock(const Frame& frame) {
  const u64 address = frame.arguments[0];
  const bool shared = locks_.release(current_, address, frame.call);
  Sync& known = sync(address);
  release(shared ? known.readers : known.clock);
}

void RaceFinder::wait(const Frame& frame) {
  locks_.wait(current_, frame.arguments[1], frame.call);
  release(sync(frame.arguments[1]).clock);
}

/// A barrier is left when all have come; who is in its next round has nothing to say to who still leaves
/// this.
void RaceFinder::arrive(Frame& frame) {
  Sync& barrier = sync(frame.arguments[0]);
  frame.round = barrier.round;
  VectorClock& round = barrier.rounds[barrier.round % 2];
  if (barrier.arrived == 0 && barrier.parties != 0) round = {};
  if (++barrier.arrived == barrier.parties) {
    barrier.arrived = 0;
    ++barrier.round;
  }
  release(round);
}

void RaceFinder::join_thread(u64 thread) {
  const auto known = threads_.find(thread);
  if (known != threads_.end()) acquire(tasks_[known->second].clock);
}

}  // namespace orrery::lens::races
