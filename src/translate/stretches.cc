#include "translate/stretches.h"

#include <algorithm>

namespace orrery::translate {
namespace {

void emit_at(Emitter& emit, std::span<const u8> code, u64 address) {
  emit.bytes(code);
  emit.word32(static_cast<u32>(address));
}

void emit_counter(Emitter& emit, std::span<const u8> code, u32 stretch) {
  emit_at(emit, code, counter_address(stretch));
}

constexpr u8 kLoadXmm29[] = {0x62, 0x61, 0xfe, 0x08, 0x7e, 0x2c, 0x25};   // vmovq xmm29, [...]
constexpr u8 kStoreXmm29[] = {0x62, 0x61, 0xfd, 0x08, 0xd6, 0x2c, 0x25};  // vmovq [...], xmm29
constexpr u8 kAddXmm29[] = {0x62, 0x61, 0x95, 0x00, 0xd4, 0x2c, 0x25};    // vpaddq xmm29, xmm29, [...]
constexpr u8 kAddOne[] = {0x62, 0x01, 0x95, 0x00, 0xd4, 0xee};            // vpaddq xmm29, xmm29, xmm30
constexpr u8 kTakeOne[] = {0x62, 0x01, 0x95, 0x00, 0xfb, 0xee};           // vpsubq xmm29, xmm29, xmm30
constexpr u8 kMoveRcx[] = {0x62, 0x61, 0xfd, 0x08, 0x6e, 0xe9};           // vmovq xmm29, rcx
constexpr u8 kLoadRcx[] = {0x48, 0x8b, 0x0c, 0x25};                       // mov rcx, [...]
constexpr u8 kStoreRcx[] = {0x48, 0x89, 0x0c, 0x25};                      // mov [...], rcx

/// counter += value, which is 1 or -1; rcx may be destroyed where the home is memory.
void emit_step(Emitter& emit, TickHome home, u32 stretch, i32 value) {
  if (home == TickHome::vector) {
    emit_counter(emit, kLoadXmm29, stretch);
    emit.bytes(value > 0 ? kAddOne : kTakeOne);
    return emit_counter(emit, kStoreXmm29, stretch);
  }
  emit_counter(emit, kLoadRcx, stretch);
  emit.add_to(Gpr::rcx, value);
  emit_counter(emit, kStoreRcx, stretch);
}

/// counter += rcx before - rcx now, with the former in slots().elements_from. Memory home destroys rcx.
void emit_difference(Emitter& emit, TickHome home, u32 stretch) {
  static constexpr u8 kNotRcx[] = {0x48, 0xf7, 0xd1};  // not rcx: -rcx - 1, and no flag is touched
  emit.bytes(kNotRcx);
  emit.add_to(Gpr::rcx, 1);
  if (home == TickHome::vector) {
    emit.bytes(kMoveRcx);
    emit_counter(emit, kAddXmm29, stretch);
    emit_at(emit, kAddXmm29, slot_address(ORRERY_SLOT_ELEMENTS_FROM));
    return emit_counter(emit, kStoreXmm29, stretch);
  }
  static constexpr u8 kLoadRdx[] = {0x48, 0x8b, 0x14, 0x25};  // mov rdx, [...]
  static constexpr u8 kSum[] = {0x48, 0x8d, 0x0c, 0x11};      // lea rcx, [rcx + rdx]
  emit.store_slot(ORRERY_SLOT_SPILL_SCRATCH, Gpr::rdx);
  emit_counter(emit, kLoadRdx, stretch);
  emit.bytes(kSum);
  emit.load_slot(Gpr::rdx, ORRERY_SLOT_ELEMENTS_FROM);
  emit.bytes(kSum);
  emit.load_slot(Gpr::rdx, ORRERY_SLOT_SPILL_SCRATCH);
  emit_counter(emit, kStoreRcx, stretch);
}

}  // namespace

u32 StretchTable::find_or_add(const Stretch& stretch) {
  constexpr u64 kKinds = 4, kLengths = 4096;
  const u64 key = (stretch.pc * kLengths + stretch.guest_bytes) * kKinds + static_cast<u64>(stretch.kind);
  u32& row = alone_[key];
  if (row == 0) row = add(stretch) + 1;
  return row - 1;
}

std::size_t StretchTable::read(u32& from, std::span<StretchCount> out) const {
  std::size_t count = 0;
  for (; from < stretches_.size() && count < out.size(); ++from) {
    const Stretch& stretch = stretches_[from];
    const i64 executed = counter(from);
    if (executed == 0) continue;
    out[count++] = {.pc = stretch.pc,
                    .count = executed,
                    .guest_bytes = stretch.guest_bytes,
                    .instructions = stretch.instructions,
                    .kind = stretch.kind};
  }
  return count;
}

void StretchTable::forget_counts() {
  for (u32 row = 0; row < stretches_.size(); ++row) counter(row) = 0;
}

void emit_stretch(Emitter& emit, TickHome home, u32 stretch) { emit_step(emit, home, stretch, 1); }

void emit_elements_begin(Emitter& emit) { emit.store_slot(ORRERY_SLOT_ELEMENTS_FROM, Gpr::rcx); }

void emit_elements_end(Emitter& emit, TickHome home, u32 stretch, u8 condition) {
  emit.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
  emit_difference(emit, home, stretch);
  if (condition != kNoCondition) {
    u8* const went_on = emit.jcc_relative(condition);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_ELEMENTS_FROM);
    u8* const had_none = emit.short_branch(0xe3);  // jrcxz
    emit_step(emit, home, stretch, -1);
    emit.bind8(had_none);
    Emitter::bind32(went_on, emit.at());
  }
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
}

}  // namespace orrery::translate
