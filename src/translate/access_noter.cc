#include "translate/access_noter.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "x86/register_effects.h"

namespace orrery::translate {

using x86::Accesses;
using x86::AddressForm;
using x86::Addressing;
using x86::Category;
using x86::Decoded;
using x86::MemoryAccess;

namespace {

constexpr u8 kPrefixFs = 0x64;
constexpr u32 kWordsOfOneInstruction = 8;
constexpr u32 kMarginWords = 12;  ///< for what a fault records besides (Translator::lift_fault)

constexpr u8 number(Gpr reg) { return static_cast<u8>(reg); }

/// mov [base + displacement], reg; base is one of r8 to r15.
void emit_store(Emitter& emit, Gpr base, u32 displacement, Gpr reg) {
  emit.byte(static_cast<u8>(0x49 | (number(reg) >= 8 ? 4 : 0)));
  emit.byte(0x89);
  emit.byte(static_cast<u8>(0x80 | (number(reg) & 7) << 3 | (number(base) & 7)));
  if ((number(base) & 7) == 4) emit.byte(0x24);
  emit.word32(displacement);
}

bool is_direct(Category category) {
  return category == Category::copy || category == Category::jump_if || category == Category::loop;
}

bool has_chosen(const Accesses& accesses) {
  for (const MemoryAccess& access : accesses)
    if (access.addressing == Addressing::chosen) return true;
  return false;
}

}  // namespace

u32 AccessNoter::plan(std::span<const u8> code, u64 pc, u32 instructions_most,
                      std::vector<AccessPoint>& points, bool has_fsgsbase) {
  points_ = &points;
  has_fsgsbase_ = has_fsgsbase;
  words_ = 0;
  instructions_ = end_count_ = 0;
  std::fill(std::begin(noted_), std::end(noted_), Noted{});
  notes_ = {.first_point = static_cast<u32>(points.size())};
  points.push_back({.pc = pc});
  u8 named = 0;
  u32 count = 0, words = 0;
  for (u64 at = 0; count < instructions_most; ++count) {
    const std::span<const u8> bytes = code.subspan(at);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.length == 0) break;
    const bool chosen = decoded.category == Category::copy && has_chosen(accesses_of(decoded, bytes));
    if (chosen && count > 0) break;
    notes_.chosen = notes_.chosen || chosen;
    const u8 with_this = named | x86::high_registers(decoded, bytes);
    words += kWordsOfOneInstruction;
    if (std::popcount(with_this) > 6 || words > kRecordWordsMost) break;
    named = with_this;
    at += decoded.length;
    if (!is_direct(decoded.category) || at >= code.size()) {
      ++count;
      break;
    }
  }
  const auto take = [&] {
    const int free = std::countr_one(named);
    named = static_cast<u8>(named | 1u << free);
    return static_cast<Gpr>(8 + free);
  };
  notes_.address = take();
  notes_.place = take();
  return count == 0 ? 1 : count;
}

void AccessNoter::borrow(Emitter& emit) {
  emit.store_slot(ORRERY_SLOT_NOTES_PLACE, notes_.place);
  emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, notes_.address);
  emit.load_slot(notes_.place, ORRERY_SLOT_NOTES_AT);
}

void AccessNoter::try_end(Emitter& emit) {
  emit_store(emit, notes_.place, 0, notes_.place);
  trial_ = emit.at() - 4;
}

/// Now that it is known how long the record can become.
void AccessNoter::finish() {
  const u32 last = static_cast<u32>((words_ + kMarginWords) * sizeof(u64));
  std::memcpy(trial_, &last, sizeof last);
  (*points_)[notes_.first_point].points = static_cast<u16>(points_->size() - 1 - notes_.first_point);
}

void AccessNoter::store(Emitter& emit, u16 word, Gpr reg) const {
  emit_store(emit, notes_.place, static_cast<u32>((1u + word) * sizeof(u64)), reg);
}

u16 AccessNoter::note(Emitter& emit, Gpr reg) {
  store(emit, words_, reg);
  return words_++;
}

/// As the point's word and what is to be added to that.
void AccessNoter::note_value(Emitter& emit, Gpr reg, AccessPoint& point) {
  Noted& noted = noted_[number(reg)];
  if (noted.word == kNoWord) noted = {.word = note(emit, reg)};
  point.word = noted.word;
  point.address += noted.added;
}

void AccessNoter::instruction_done(const Decoded& decoded, std::span<const u8> bytes) {
  ++instructions_;
  const x86::RegisterEffects effects = register_effects(decoded, bytes);
  if (effects.added_to != x86::RegisterEffects::kNone)
    noted_[effects.added_to].added += static_cast<u64>(effects.added);
  for (unsigned written = effects.written; written != 0; written &= written - 1)
    noted_[std::countr_zero(written)] = {};
}

u16 AccessNoter::note_segment_base(Emitter& emit, u8 segment) {
  if (has_fsgsbase_) {  // rdfsbase, rdgsbase
    const u8 code[] = {0xf3, 0x49, 0x0f, 0xae,
                       static_cast<u8>((segment == kPrefixFs ? 0xc0 : 0xc8) | (number(notes_.address) & 7))};
    emit.bytes(code);
  } else {
    emit.load_slot(notes_.address, segment == kPrefixFs ? ORRERY_SLOT_FS_BASE : ORRERY_SLOT_GS_BASE);
  }
  return note(emit, notes_.address);
}

/// lea address, [form]
void AccessNoter::lea(Emitter& emit, const AddressForm& form, bool narrow) const {
  const u8 to = number(notes_.address);
  const bool has_base = form.base != AddressForm::kNone, has_index = form.index != AddressForm::kNone;
  if (narrow) emit.byte(0x67);
  emit.byte(static_cast<u8>(0x48 | 4 | (has_index && form.index >= 8 ? 2 : 0) |
                            (has_base && form.base >= 8 ? 1 : 0)));
  emit.byte(0x8d);
  emit.byte(static_cast<u8>((has_base ? 0x80 : 0) | (to & 7) << 3 | 4));
  emit.byte(static_cast<u8>(form.shift << 6 | ((has_index ? form.index : 4) & 7) << 3 |
                            ((has_base ? form.base : 5) & 7)));
  emit.word32(static_cast<u32>(form.displacement));
}

void AccessNoter::note_operand(Emitter& emit, AccessPoint& point, const AddressForm& form, bool narrow) {
  const bool has_base = form.base != AddressForm::kNone, has_index = form.index != AddressForm::kNone;
  if (has_index || narrow) {  // the sum is made in 32 bits if narrow, and so by lea
    lea(emit, form, narrow);
    point.word = note(emit, notes_.address);
    return;
  }
  point.address = static_cast<u64>(form.displacement);
  if (has_base) note_value(emit, static_cast<Gpr>(form.base), point);
}

void AccessNoter::note_one(Emitter& emit, const MemoryAccess& access, const Decoded& decoded,
                           std::span<const u8> bytes, AccessPoint& point) {
  const bool narrow = decoded.has_67;
  const bool has_segment = decoded.segment == kPrefixFs || decoded.segment == kPrefixFs + 1;
  AddressForm form;
  switch (access.addressing) {
    case Addressing::pushed:
      point.call = decoded.category == Category::call || decoded.category == Category::call_indirect;
      point.address = u64{0} - access.size_bytes;
      return note_value(emit, Gpr::rsp, point);
    case Addressing::popped:
      return note_value(emit, Gpr::rsp, point);
    case Addressing::frame:
      return note_value(emit, Gpr::rbp, point);
    case Addressing::source:
    case Addressing::destination: {
      const Gpr reg = access.addressing == Addressing::source ? Gpr::rsi : Gpr::rdi;
      point.word = note(emit, reg);
      point.narrow = narrow;
      if (!access.repeated) break;
      ends_[end_count_++] = {static_cast<u32>(points_->size()), reg};
      point.end_reg = reg;
      break;
    }
    case Addressing::table: {  // movzx address, al
      const u8 code[] = {0x44, 0x0f, 0xb6, static_cast<u8>(0xc0 | (number(notes_.address) & 7) << 3)};
      emit.bytes(code);
      form = {.base = number(Gpr::rbx), .index = number(notes_.address)};
      note_operand(emit, point, form, narrow);
      break;
    }
    case Addressing::offset:
      point.address = static_cast<u64>(decoded.immediate);
      break;
    case Addressing::operand:
      form = x86::address_form(decoded, bytes);
      if (form.rip_relative) form.displacement += static_cast<i64>(point.pc + decoded.length);
      if (narrow && form.rip_relative) form.displacement &= 0xffff'ffff;
      note_operand(emit, point, form, narrow && !form.rip_relative);
      break;
    case Addressing::chosen:
      return;
  }
  const bool any_segment = access.addressing != Addressing::destination;
  if (has_segment && any_segment) point.base_word = note_segment_base(emit, decoded.segment);
}

void AccessNoter::before(Emitter& emit, const Decoded& decoded, std::span<const u8> bytes, u64 pc) {
  const Accesses accesses = accesses_of(decoded, bytes);
  if (has_chosen(accesses)) return;  // the engine has noted them (BlockNotes::chosen)
  for (const MemoryAccess& access : accesses) {
    AccessPoint point{.pc = pc, .size_bytes = access.size_bytes, .kind = access.kind};
    note_one(emit, access, decoded, bytes, point);
    points_->push_back(point);
  }
  // The operand of a pop is addressed with the stack pointer as it is behind the pop (SDM vol. 2, POP).
  const bool pops_operand = accesses.count == 2 && accesses.items[0].addressing == Addressing::popped;
  const bool by_stack = pops_operand && x86::address_form(decoded, bytes).base == number(Gpr::rsp);
  if (by_stack) points_->back().address += accesses.items[0].size_bytes;
}

void AccessNoter::value(Emitter& emit, Gpr reg, u64 pc) {
  points_->push_back({.pc = pc, .word = note(emit, reg), .end_reg = reg});
}

void AccessNoter::after(Emitter& emit) {
  for (u32 at = 0; at < end_count_; ++at) (*points_)[ends_[at].point].end_word = note(emit, ends_[at].reg);
  end_count_ = 0;
}

void AccessNoter::release(Emitter& emit, AccessHeader header) const {
  emit.mov_imm64(notes_.address, header.word);
  emit_store(emit, notes_.place, 0, notes_.address);
  emit.add_to(notes_.place, static_cast<i32>((1 + header.words()) * sizeof(u64)));
  emit.store_slot(ORRERY_SLOT_NOTES_AT, notes_.place);
  emit.load_slot(notes_.place, ORRERY_SLOT_NOTES_PLACE);
  emit.load_slot(notes_.address, ORRERY_SLOT_NOTES_ADDRESS);
}

}  // namespace orrery::translate
