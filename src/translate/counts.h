// Counting instructions. Nothing of it is emitted unless a replay is asked for exact counts.
//
// How many instructions lead from a block's beginning to a way out is known when it is translated, so they
// are counted in one addition on each way out. It must touch neither flags nor a general register, like a
// tick's: with the ticks in the low half of xmm31 (ticks.h) the instructions are in its high half, and one
// vpaddq adds to both, from a table of all sums that occur. A fault inside a block finds in its
// InstructionMark how many were done and not counted.
//
// An instruction counts when it has been completed: one that faults does not, and a rep string instruction
// counts once. Those that the engine performs itself (system calls, gates) count when they leave for it.
#pragma once

#include "memory/layout.h"
#include "translate/emitter.h"
#include "translate/stretches.h"
#include "translate/ticks.h"

namespace orrery::translate {

/// One addition: what it adds to the ticks, and what to the instructions.
struct Sum {
  u64 ticks, instructions;
};
inline constexpr u32 kSumsMost = 256;  ///< more than instructions in a block

/// The sums without a tick, then those with one, by number of instructions; in the engine's state.
inline constexpr u64 kSums = memory::layout::kEngineState.start + 0x4000;
constexpr u64 sum_address(u32 instructions, bool tick) {
  return kSums + ((tick ? kSumsMost : 0) + instructions) * sizeof(Sum);
}

inline void fill_sums() {
  for (u32 count = 0; count < kSumsMost; ++count) {
    *reinterpret_cast<Sum*>(sum_address(count, false)) = {0, count};
    *reinterpret_cast<Sum*>(sum_address(count, true)) = {1, count};
  }
}

/// What is counted on a way out of a block.
struct Counts {
  u32 instructions = 0;
  u32 stretch = kNone;  ///< its counter grows by one; kNone: there is none
  bool tick = false;
};

/// The counters in memory; rcx is destroyed.
inline void emit_counts_with_rcx(Emitter& emit, const Counts& counts) {
  if (counts.stretch != kNone) emit_stretch(emit, TickHome::memory, counts.stretch);
  if (counts.instructions != 0)
    emit.add_to_slot(ORRERY_SLOT_INSTRUCTIONS, Gpr::rcx, static_cast<i32>(counts.instructions));
  if (counts.tick) emit.add_to_slot(ORRERY_SLOT_TICKS, Gpr::rcx, 1);
}

/// All of it. Memory home borrows rcx (spill_rcx), once.
inline void emit_counts(Emitter& emit, TickHome home, const Counts& counts) {
  if (counts.instructions == 0 && counts.stretch == kNone) {
    if (counts.tick) emit_tick(emit, home);
    return;
  }
  if (home == TickHome::memory) {
    emit.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
    emit_counts_with_rcx(emit, counts);
    return emit.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
  }
  if (counts.stretch != kNone) emit_stretch(emit, home, counts.stretch);
  if (counts.instructions == 0) return counts.tick ? emit_tick(emit, home) : void();
  static constexpr u8 kVpaddq[] = {0x62, 0x61, 0x85, 0x00, 0xd4, 0x3c, 0x25};  // vpaddq xmm31, xmm31, [sum]
  emit.bytes(kVpaddq);
  emit.word32(static_cast<u32>(sum_address(counts.instructions, counts.tick)));
}

}  // namespace orrery::translate
