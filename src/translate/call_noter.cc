#include "translate/call_noter.h"

#include <iterator>

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

/// vmovlpd [place + displacement], xmm31: the ticks (counts.h)
void store_ticks(Emitter& emit, u32 displacement) {
  static constexpr u8 kCode[] = {0x62, 0x41, 0xfd, 0x08, 0x13, 0x80 | 7 << 3 | kPlaceLow};
  emit.bytes(kCode);
  emit.word32(displacement);
}

/// vmovhpd [place + displacement], xmm31: the instructions
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

/// The words of an entry, from this one on. In memory home rcx is borrowed.
void put_entry(Emitter& emit, u32 first, WatchedFunction wanted, TickHome home) {
  store(emit, word_at(first), Gpr::rsp);
  if (home == TickHome::vector) {
    store_ticks(emit, word_at(first + 1));
  } else {
    emit.load_slot(Gpr::rcx, ORRERY_SLOT_TICKS);
    store(emit, word_at(first + 1), Gpr::rcx);
  }
  constexpr Gpr kArguments[] = {Gpr::rdi, Gpr::rsi, Gpr::rdx};
  static_assert(std::size(kArguments) == EnteredFunction::kArgumentsMost);
  for (u32 argument = 0; argument < wanted.arguments(); ++argument)
    store(emit, word_at(first + 2 + argument), kArguments[argument]);
}

/// A record's last word, by which it is tried whether the stream has room.
void try_words(Emitter& emit, CallHeader header) { store(emit, word_at(header.words() - 1), Gpr::rsp); }

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

void emit_entry_note(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home) {
  const CallHeader header = CallHeader::of(CallRecord::entry, pc, wanted.arguments());
  try_words(emit, header);
  emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
  put_entry(emit, 0, wanted, home);
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_NOTES_ADDRESS);
  end_record(emit, header.word, header.words());
}

void emit_led_trial(Emitter& emit, WatchedFunction wanted) {
  emit.load_slot(kCallNoteRegister, ORRERY_SLOT_NOTES_AT);
  try_words(emit, CallHeader::of(CallRecord::led, 0, wanted.arguments()));
}

void emit_led_note(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home) {
  static constexpr u8 kLoadOuterRsp[] = {0x48, 0x8b, 0x48, 0xe0};  // mov rcx, [rax - 32]
  static constexpr u8 kLoadCall[] = {0x48, 0x8b, 0x48, 0xf8};      // mov rcx, [rax - 8]
  emit.bytes(kLoadOuterRsp);
  store(emit, word_at(0), Gpr::rcx);
  emit.bytes(kLoadCall);
  store(emit, word_at(1), Gpr::rcx);
  put_entry(emit, 2, wanted, home);
  const CallHeader header = CallHeader::of(CallRecord::led, pc, wanted.arguments());
  write_header(emit, header.word, header.words());
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
