#include "lens/sched/sync_object.h"

#include <pthread.h>

#include <cstddef>

namespace orrery::lens::sched {
namespace {

// glibc 2.25 and later, sysdeps/nptl/bits/struct_rwlock.h and thread-shared-types.h: the layout is part of
// the ABI, since static initialisers hold it.
constexpr u64 kWriterPhase = offsetof(pthread_rwlock_t, __data.__wrphase_futex);
constexpr u64 kWriters = offsetof(pthread_rwlock_t, __data.__writers_futex);
constexpr u64 kCurrentWriter = offsetof(pthread_rwlock_t, __data.__cur_writer);
constexpr u64 kSignals = offsetof(pthread_cond_t, __data.__g_signals);
constexpr u64 kRound = 4;  // of struct pthread_barrier

/// The word is one of two neighbours, and the object is aligned to 8.
u64 begin_of(u64 futex, u64 even, u64 odd) { return futex - (futex % 8 == even % 8 ? even : odd); }

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

SyncObject sync_object(ReplaySession& session, std::string_view function, u64 futex) {
  if (has(function, "rwlock")) {
    SyncObject found{.kind = SyncKind::rwlock, .address = begin_of(futex, kWriterPhase, kWriters)};
    u8 writer[4] = {};
    if (session.read(found.address + kCurrentWriter, writer) == sizeof writer)
      found.owner = static_cast<i32>(writer[0] | writer[1] << 8 | writer[2] << 16 | writer[3] << 24);
    return found;
  }
  if (has(function, "cond_wait") || has(function, "cond_timedwait") || has(function, "cond_clockwait"))
    return {.kind = SyncKind::condition, .address = begin_of(futex, kSignals, kSignals + 4)};
  if (has(function, "sem_wait") || has(function, "sem_timedwait") || has(function, "sem_clockwait"))
    return {.kind = SyncKind::semaphore, .address = futex};
  if (has(function, "barrier_wait"))
    return {.kind = SyncKind::barrier, .address = begin_of(futex, 0, kRound)};
  return {.address = futex};
}

}  // namespace orrery::lens::sched
