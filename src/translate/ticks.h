// Counting ticks. A tick is a taken backward jump, a call, a return or an indirect jump (design.md,
// section 2): every cycle of guest code passes one, so (tick, pc) names a point of the run once.
//
// The counter must touch neither flags nor a general register. Where the guest is not offered AVX-512
// it lives in xmm31, with the constant 1 in xmm30: one vpaddq, latency 1, off every critical path. A
// counter in memory cost 2.5 times on a two-instruction loop (design.md, "Measured beforehand"), so it
// is only the fallback, for hosts without AVX512VL and guests that see AVX-512.
//
// Fast code only counts. Exact code also compares after each tick with slots.stop_at_tick: it runs on a
// replay towards an asynchronous event. The compare is a subtraction and jrcxz, for the same reason.
#pragma once

#include "translate/emitter.h"

namespace orrery::translate {

enum class TickHome : u8 { vector, memory };

/// ticks += 1. Memory home borrows rcx (spill_rcx).
inline void emit_tick(Emitter& emit, TickHome home) {
  if (home == TickHome::vector) {
    static constexpr u8 kVpaddq[] = {0x62, 0x01, 0x85, 0x00, 0xd4, 0xfe};  // vpaddq xmm31, xmm31, xmm30
    emit.bytes(kVpaddq);
    return;
  }
  emit.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
  emit.add_to_slot(ORRERY_SLOT_TICKS, Gpr::rcx, 1);
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
}

/// ticks -= 1: takes back a tick counted ahead of a jump that then was not taken. Vector home only.
inline void emit_untick(Emitter& emit) {
  static constexpr u8 kVpsubq[] = {0x62, 0x01, 0x85, 0x00, 0xfb, 0xfe};  // vpsubq xmm31, xmm31, xmm30
  emit.bytes(kVpsubq);
}

/// After a tick in exact code: a short branch (to be bound with bind8) that is taken when the stop is
/// reached. On both ways rcx is borrowed, its guest value in spill_rcx.
inline u8* emit_compare_stop(Emitter& emit, TickHome home) {
  emit.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
  if (home == TickHome::vector) {
    static constexpr u8 kVpsubq[] = {0x62, 0x61, 0x85, 0x00,
                                     0xfb, 0x2c, 0x25};                   // vpsubq xmm29, xmm31, [slot]
    static constexpr u8 kVmovq[] = {0x62, 0x61, 0xfd, 0x08, 0x7e, 0xe9};  // vmovq rcx, xmm29
    emit.bytes(kVpsubq);
    emit.word32(slot_address(ORRERY_SLOT_STOP_AT_TICK));
    emit.bytes(kVmovq);
  } else {
    emit.add_to_slot(ORRERY_SLOT_REMAINING, Gpr::rcx, -1);
  }
  return emit.short_branch(0xe3);  // jrcxz
}

}  // namespace orrery::translate
