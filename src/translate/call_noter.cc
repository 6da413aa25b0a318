#include "translate/call_noter.h"

namespace orrery::translate {
namespace {

constexpr u32 kCallee = offsetof(ProfileNote, callee), kRsp = offsetof(ProfileNote, rsp),
              kCounted = offsetof(ProfileNote, counted);

constexpr u32 word_at(u32 word) { return (1 + word) * static_cast<u32>(sizeof(u64)); }
constexpr u8 number(Gpr reg) { return static_cast<u8>(reg); }
constexpr u8 kPlaceLow = number(kCallNoteRegister) & 7;
static_assert(number(kCallNoteRegister) >= 8 && kPlaceLow != 4, "the encodings below");

/// mov [place + displacement], reg
void store(Emitter& emit, u32 displacement, Gpr reg) {
  emit.byte(static_cast<u8>(0x49 | (number(reg) >= 8 ? 4 : 0)));
  emit.byte(0x89);
  emit.byte(static_cast<u8>(0x80 | (number(reg) & 7) << 3 | kPlaceLow));
  emit.word32(displacement);
}

/// mov dword [place + displacement], value
void store_imm32(Emitter& emit, u32 displacement, u32 value) {
  static constexpr u8 kCode[] = {0x41, 0xc7, 0x80 | kPlaceLow};
  emit.bytes(kCode);
  emit.word32(displacement);
  emit.word32(value);
}

/// vmovdqu64 [place + displacement], xmm31: the ticks, and the instructions beside them (counts.h)
void store_counters(Emitter& emit, u32 displacement) {
  static constexpr u8 kCode[] = {0x62, 0x41, 0xfe, 0x08, 0x7f, 0x80 | 7 << 3 | kPlaceLow};
  emit.bytes(kCode);
  emit.word32(displacement);
}

/// vmovhpd [place + displacement], xmm31: the instructions alone
void store_instructions(Emitter& emit, u32 displacement) {
  static constexpr u8 kCode[] = {0x62, 0x41, 0xfd, 0x08, 0x17, 0x80 | 7 << 3 | kPlaceLow};
  emit.bytes(kCode);
  emit.word32(displacement);
}

void store_imm64(Emitter& emit, u32 displacement, u64 value) {
  store_imm32(emit, displacement, static_cast<u32>(value));
  store_imm32(emit, displacement + 4, static_cast<u32>(value >> 32));
}

/// All but to give the register back.
void write_header(Emitter& emit, u64 header, u64 words) {
  store_imm64(emit, 0, header);
  emit.add_to(kCallNoteRegister, static_cast<i32>((1 + words) * sizeof(u64)));
  emit.store_slot(ORRERY_SLOT_NOTES_AT, kCallNoteRegister);
}

void end_record(Emitter& emit, u64 header, u64 words) {
  write_header(emit, header, words);
  emit.load_slot(kCallNoteRegister, ORRERY_SLOT_NOTES_PLACE);
}

}  // namespace

void emit_call_note_begin(Emitter& emit) {
  emit.store_slot(ORRERY_SLOT_NOTES_PLACE, kCallNoteRegister);
  emit.load_slot(kCallNoteRegister, ORRERY_SLOT_NOTES_AT);
}

void emit_call_note(Emitter& emit, CallRecord record, u64 pc) {
  if (record == CallRecord::ret) store(emit, word_at(1), Gpr::rax);
  store(emit, word_at(0), Gpr::rsp);
  const CallHeader header = CallHeader::of(record, pc);
  end_record(emit, header.word, header.words());
}

void emit_entry_note(Emitter& emit, u64 pc, TickHome home) {
  constexpr u32 kTicks = word_at(4), kInstructions = word_at(5);
  if (home == TickHome::vector) {
    store_counters(emit, kTicks);
  } else {
    store(emit, kInstructions, Gpr::rsp);  // the trial
    emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_TICKS);
    store(emit, kTicks, Gpr::rcx);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_INSTRUCTIONS);
    store(emit, kInstructions, Gpr::rcx);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_NOTES_ADDRESS);
  }
  u32 word = 0;
  for (const Gpr reg : {Gpr::rsp, Gpr::rdi, Gpr::rsi, Gpr::rdx}) store(emit, word_at(word++), reg);
  const CallHeader header = CallHeader::of(CallRecord::entry, pc);
  end_record(emit, header.word, header.words());
}

void emit_profile_note(Emitter& emit, ProfileRecord record, u64 pc, u32 uncounted, TickHome home,
                       u64 callee) {
  if (home == TickHome::vector) {
    store_instructions(emit, kCounted);
  } else {
    store(emit, kCounted, Gpr::rsp);  // the trial
    emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_INSTRUCTIONS);
    store(emit, kCounted, Gpr::rcx);
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_NOTES_ADDRESS);
  }
  store(emit, kRsp, Gpr::rsp);
  if (record == ProfileRecord::enter) store_imm64(emit, kCallee, callee);
  end_record(emit, ProfileNote::header_of(record, pc, uncounted), kProfileNoteWords - 1);
}

void emit_counted_note(Emitter& emit, ProfileRecord record, u64 pc, const Counts& counts, u64 callee) {
  store(emit, kRsp, Gpr::rsp);  // the trial
  emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
  emit_counts_with_rcx(emit, {.stretch = counts.stretch, .tick = counts.tick});
  emit_counts_with_rcx(emit, {.instructions = counts.instructions});
  store(emit, kCounted, Gpr::rcx);
  if (record == ProfileRecord::enter) store_imm64(emit, kCallee, callee);
  write_header(emit, ProfileNote::header_of(record, pc, 0), kProfileNoteWords - 1);
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_NOTES_ADDRESS);
  emit.load_slot(kCallNoteRegister, ORRERY_SLOT_NOTES_PLACE);
}

}  // namespace orrery::translate
