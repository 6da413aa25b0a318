// Which of glibc's objects a thread sleeps on: a futex word lies somewhere in one, and the function that the
// program called tells which. So the two words of one condition are one object, and who holds a rwlock for
// writing is known.
#pragma once

#include <optional>
#include <string_view>

#include "lens/replay_session.h"

namespace orrery::lens::sched {

enum class SyncKind : u8 { unknown, rwlock, condition, semaphore, barrier };

struct SyncObject {
  SyncKind kind = SyncKind::unknown;
  u64 address = 0;  ///< where it begins; the futex word if nothing is known
  i32 owner = 0;    ///< who holds it for writing; 0: nobody, or not known
};

/// `function`: glibc's, in which the thread waits.
SyncObject sync_object(ReplaySession& session, std::string_view function, u64 futex);

}  // namespace orrery::lens::sched
