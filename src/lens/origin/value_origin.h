// Where a value came from: backwards from a register or a piece of memory at an instant, through copies,
// memory and other threads, to what made it.
//
// The run is replayed up to the instant while what it executes and accesses is noted, and the notes are gone
// through backwards (PathWindow): the last instruction that wrote the register, where that had it from, and
// so on. For what lies before the part that is kept, another replay finds who wrote the memory last.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/instants.h"

namespace orrery::lens {

/// A value's place at some instant: a register of a task, or memory.
struct ValuePlace {
  i32 task = 0;
  std::string reg{};  ///< "rax", "zmm0": the whole register; "" if in memory
  u64 address = 0;    ///< in memory; of a register: the first byte of it
  u64 size_bytes = 8;
  bool is_memory() const { return reg.empty(); }
};

enum class OriginKind : u8 {
  copied,    ///< from one register to another
  loaded,    ///< from memory
  stored,    ///< into memory
  saved,     ///< pushed on the stack, for a call
  restored,  ///< popped from there
  changed,   ///< a constant was added to it, or the like: where it comes from is where that comes from
  // The ends.
  constant,     ///< the instruction holds it
  address,      ///< the address of a variable, or of code
  computed,     ///< from other values
  allocated,    ///< an allocator returned it
  system_call,  ///< the kernel returned or wrote it
  untouched,    ///< nobody wrote it since the program's memory was made
  unknown,      ///< it cannot be followed: the code is gone, or only part of it was written
};
constexpr bool is_end(OriginKind kind) { return kind >= OriginKind::constant; }

/// One step of the way back.
struct OriginStep {
  OriginKind kind = OriginKind::unknown;
  i32 task = 0;
  u64 event = 0, ticks = 0, pc = 0;  ///< before the instruction
  std::string instruction{};         ///< disassembled
  std::string function{}, file{}, image{};
  int line = 0;
  ValuePlace from{};  ///< where it had it from; not at an end
};

/// A new replay of the process, at its start. The one before it is gone.
using ReplayStarter = std::function<Fallible<ReplaySession*>()>;

/// The steps back from `place` at the instant; the last one is an end.
Fallible<std::vector<OriginStep>> find_origin(const ReplayStarter& start, const ExactInstant& instant,
                                              const ValuePlace& place);

}  // namespace orrery::lens
