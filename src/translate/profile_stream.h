// The stream of calls that a profile is made from: which function was entered and left when, by the number of
// instructions executed. Like call_stream.h's, but all records have one size, and the instructions are in
// each. Nothing of it is emitted unless somebody asks.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::translate {

// A call that leads straight to a watched function is one record with its entry, and enters the function
// behind its own. Where it cannot (the function's code is not there yet, or it leaves before it), that
// one follows, which says nothing new.
enum class ProfileRecord : u8 {
  turn,   ///< whose code runs now: task in place of pc, the number of the next event in place of rsp
  call,   ///< by the instruction at pc; rsp before the return address is pushed
  ret,    ///< by the instruction at pc; rsp points at the return address
  entry,  ///< the watched function at pc; rsp points at the return address, if it was called
  enter,  ///< by the call at pc, straight to the watched function `callee`; rsp as of a call
};

struct ProfileNote {
  u64 header = 0;
  u64 rsp = 0;
  u64 counted = 0;
  u64 callee = 0;  ///< of `enter` only; of others this word is not written

  static constexpr u64 header_of(ProfileRecord record, u64 pc, u32 uncounted) {
    return pc << 16 | u64{uncounted} << 8 | static_cast<u64>(record);
  }
  ProfileRecord record() const { return static_cast<ProfileRecord>(header & 0xff); }
  u64 pc() const { return header >> 16; }
  /// Of all tasks, before the entry's first, or with the call or return.
  u64 instructions() const { return counted + (header >> 8 & 0xff); }
};
inline constexpr u64 kProfileNoteWords = sizeof(ProfileNote) / sizeof(u64);
static_assert(kPageBytes % sizeof(ProfileNote) == 0, "the stream ends with a whole record");

}  // namespace orrery::translate
