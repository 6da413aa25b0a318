// struct sigevent as timer_create(2) reads it (include/uapi/asm-generic/siginfo.h).
#pragma once

#include "base/types.h"

namespace orrery::abi {

struct SignalEvent {
  u64 value = 0;
  i32 number = 0;
  i32 notify = 0;
  i32 task = 0;  ///< of SIGEV_THREAD_ID
  u8 rest[44] = {};
};
static_assert(sizeof(SignalEvent) == 64);

}  // namespace orrery::abi
