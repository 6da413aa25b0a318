// Exact execution counts, for a replay that is asked for a profile. Nothing of it is emitted unless one is.
//
// A stretch leads from the beginning of a block to one of the ways out of it. Its counter grows by one where
// its instructions are counted (counts.h), so counts times lengths are the number of instructions, exactly.
// The conditional jumps in it have fallen through.
//
// What leaves a block otherwise gets rows of its own: the instructions before one that faulted, an
// instruction taken back, and the elements of a repeated string instruction.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "base/types.h"
#include "memory/layout.h"
#include "translate/emitter.h"
#include "translate/ticks.h"

namespace orrery::translate {

enum class StretchKind : u8 {
  whole,     ///< instructions executed count times
  taken,     ///< the same; the last is a conditional jump, which was taken
  elements,  ///< of the repeated string instruction at pc: see emit_elements_end()
};

struct Stretch {
  u64 pc = 0;
  u16 guest_bytes = 0;
  u16 instructions = 0;
  StretchKind kind = StretchKind::whole;
};

/// A row with its count, as a reader gets it.
struct StretchCount {
  u64 pc = 0;
  i64 count = 0;
  u16 guest_bytes = 0, instructions = 0;
  StretchKind kind = StretchKind::whole;
  u8 reserved[3] = {};
};

inline constexpr u64 kStretchesMost = memory::layout::kCounters.size_bytes() / sizeof(u64);
constexpr u64 counter_address(u32 stretch) { return memory::layout::kCounters.start + stretch * sizeof(u64); }
inline i64& counter(u32 stretch) { return *reinterpret_cast<i64*>(counter_address(stretch)); }

/// Counters of all stretches that were translated since the table was cleared. The memory of the counters is
/// mapped by who asks for a profile.
class StretchTable {
 public:
  u32 add(const Stretch& stretch) {
    stretches_.push_back(stretch);
    return static_cast<u32>(stretches_.size() - 1);
  }
  /// A row for what is met again and again without being a block's: the same for the same stretch.
  u32 find_or_add(const Stretch& stretch);
  bool has_room() const { return stretches_.size() + kRoom < kStretchesMost; }
  std::size_t size() const { return stretches_.size(); }

  /// Those from row `from` on that have a count, as many as fit. Returns how many; `from` becomes the row to
  /// go on with.
  std::size_t read(u32& from, std::span<StretchCount> out) const;
  /// All counts become zero; rows stay.
  void forget_counts();
  /// No code that counts may be left.
  void clear() {
    forget_counts();
    stretches_.clear();
    alone_.clear();
  }

 private:
  static constexpr std::size_t kRoom = 1024;  ///< more than one block and a fault need

  std::vector<Stretch> stretches_;
  HashMap<u32> alone_;  ///< row + 1 of what find_or_add() made, by pc, length and kind
};

/// counter += 1. Does not touch flags; memory home destroys rcx.
void emit_stretch(Emitter& emit, TickHome home, u32 stretch);

/// Around a repeated string instruction: what it did beyond one instruction, as Valgrind counts (its loop is
/// an instruction each time round, with a last one that finds the count to be zero). So movs, stos, lods: the
/// elements; cmps and scas: one less if it was their condition that ended them.
void emit_elements_begin(Emitter& emit);
/// `condition`: of a jcc that is taken where the instruction would have gone on; kNoCondition for none.
void emit_elements_end(Emitter& emit, TickHome home, u32 stretch, u8 condition);
inline constexpr u8 kNoCondition = 0xff;

}  // namespace orrery::translate
