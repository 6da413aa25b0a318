#include "translate/access_tester.h"

#include <algorithm>

#include "translate/heap_watch.h"
#include "translate/slots.h"

namespace orrery::translate {

using x86::AccessKind;
using x86::AddressForm;
using x86::Addressing;
using x86::Decoded;
using x86::MemoryAccess;

namespace {

constexpr u32 kTestedBytesMost = 64;
constexpr u8 number(Gpr reg) { return static_cast<u8>(reg); }

/// Whether an allocator's memory may lie there: not beside programs and libraries.
bool may_be_heap(u64 address) {
  namespace layout = memory::layout;
  return layout::kHighWindow.contains(address) && !layout::kProgram.contains(address) &&
         !layout::kNear.contains(address);
}

/// `opcode` with a register and a memory operand; base or index may be AddressForm::kNone.
struct Operand {
  u8 base = AddressForm::kNone, index = AddressForm::kNone, shift = 0;
  i32 displacement = 0;
};

void emit_with_operand(Emitter& emit, std::span<const u8> opcode, bool wide, Gpr reg, const Operand& at) {
  const bool has_base = at.base != AddressForm::kNone, has_index = at.index != AddressForm::kNone;
  const bool is_short = has_base && at.displacement == static_cast<i8>(at.displacement);
  const u8 rex = static_cast<u8>((wide ? 8 : 0) | (number(reg) >= 8 ? 4 : 0) |
                                 (has_index && at.index >= 8 ? 2 : 0) | (has_base && at.base >= 8 ? 1 : 0));
  emit.byte(static_cast<u8>(0x40 | rex));
  emit.bytes(opcode);
  emit.byte(static_cast<u8>((!has_base ? 0x00 : is_short ? 0x40 : 0x80) | (number(reg) & 7) << 3 | 4));
  emit.byte(static_cast<u8>(at.shift << 6 | ((has_index ? at.index : 4) & 7) << 3 |
                            ((has_base ? at.base : 5) & 7)));
  is_short ? emit.byte(static_cast<u8>(at.displacement)) : emit.word32(static_cast<u32>(at.displacement));
}

void emit_lea(Emitter& emit, Gpr to, const AddressForm& form, bool narrow) {
  static constexpr u8 kLea[] = {0x8d};
  if (narrow) emit.byte(0x67);
  emit_with_operand(emit, kLea, true, to,
                    {form.base, form.index, form.shift, static_cast<i32>(form.displacement)});
}

/// Zero-extends.
void emit_load(Emitter& emit, u32 bytes, Gpr to, const Operand& from) {
  static constexpr u8 kByte[] = {0x0f, 0xb6}, kHalf[] = {0x0f, 0xb7}, kWord[] = {0x8b};
  if (bytes >= 4) return emit_with_operand(emit, kWord, bytes == 8, to, from);
  emit_with_operand(emit, bytes == 1 ? std::span<const u8>(kByte) : std::span<const u8>(kHalf), false, to,
                    from);
}

/// Sign-extends.
void emit_store_immediate(Emitter& emit, u32 bytes, u32 value, const Operand& to) {
  static constexpr u8 kByte[] = {0xc6}, kWord[] = {0xc7};
  if (bytes == 2) emit.byte(0x66);
  emit_with_operand(emit, bytes == 1 ? kByte : kWord, bytes == 8, Gpr::rax, to);
  for (u32 at = 0; at < (bytes == 8 ? 4 : bytes); ++at) emit.byte(static_cast<u8>(value >> 8 * at));
}

/// Where an operand lies, as far as it is known now.
struct Place {
  AddressForm form{};
  u64 address = 0;  ///< of one without registers
  bool is_known = false, narrow = false, xlat = false;
};

Place place_of(const MemoryAccess& access, const Decoded& decoded, std::span<const u8> bytes, u64 pc) {
  Place place{.narrow = decoded.has_67};
  switch (access.addressing) {
    case Addressing::source:
      place.form.base = number(Gpr::rsi);
      return place;
    case Addressing::destination:
      place.form.base = number(Gpr::rdi);
      return place;
    case Addressing::pushed:
      place.form.base = number(Gpr::rsp);
      place.form.displacement = -i64{access.size_bytes};
      place.narrow = false;
      return place;
    case Addressing::popped:
      place.form.base = number(Gpr::rsp);
      place.narrow = false;
      return place;
    case Addressing::frame:
      place.form.base = number(Gpr::rbp);
      place.narrow = false;
      return place;
    case Addressing::table:
      place.form.base = number(Gpr::rbx);
      place.xlat = true;
      return place;
    case Addressing::offset:
      place.address = static_cast<u64>(decoded.immediate);
      place.is_known = true;
      return place;
    default:
      break;
  }
  place.form = x86::address_form(decoded, bytes);
  place.is_known = place.form.base == AddressForm::kNone && place.form.index == AddressForm::kNone;
  place.address = static_cast<u64>(place.form.displacement);
  if (place.form.rip_relative) place.address += pc + decoded.length;
  if (place.narrow) place.address &= 0xffff'ffff;
  return place;
}

class Test {
 public:
  Test(Emitter& emit, const Place& place, TestRegisters borrowed)
      : emit_(emit), place_(place), borrowed_(borrowed) {}

  /// Of `bytes` bytes, 1, 2, 4 or 8, at so many behind the beginning.
  void piece(u32 bytes, u32 behind) {
    const AddressForm& form = place_.form;
    const bool by_base =
        form.base != AddressForm::kNone && form.index == AddressForm::kNone && !place_.narrow && !place_.xlat;
    const i32 displacement = static_cast<i32>(behind + (by_base ? form.displacement : 0));
    if (!by_base) address();
    emit_load(emit_, bytes, borrowed_.word,
              {by_base ? form.base : number(borrowed_.word), number(borrowed_.offset), 0, displacement});
    emit_load(emit_, 8, borrowed_.word, {number(borrowed_.word), number(borrowed_.offset), 0, kZeroWord});
  }

  /// The same bytes' shadow is made zero.
  void clear(u32 bytes, u32 behind) {
    const AddressForm& form = place_.form;
    const bool by_base =
        form.base != AddressForm::kNone && form.index == AddressForm::kNone && !place_.narrow && !place_.xlat;
    const i32 displacement = static_cast<i32>(behind + (by_base ? form.displacement : 0));
    if (!by_base && behind == 0) address();
    emit_store_immediate(
        emit_, bytes, 0,
        {by_base ? form.base : number(borrowed_.word), number(borrowed_.offset), 0, displacement});
  }

 private:
  void address() {
    if (place_.is_known) return emit_.mov_imm64(borrowed_.word, place_.address);
    if (!place_.xlat) return emit_lea(emit_, borrowed_.word, place_.form, place_.narrow);
    static constexpr u8 kMovzx[] = {0x0f, 0xb6};  // movzx word, al
    emit_.byte(0x44);
    emit_.bytes(kMovzx);
    emit_.byte(static_cast<u8>(0xc0 | (number(borrowed_.word) & 7) << 3));
    emit_lea(emit_, borrowed_.word, {.base = place_.form.base, .index = number(borrowed_.word)},
             place_.narrow);
  }

  Emitter& emit_;
  const Place& place_;
  TestRegisters borrowed_;
};

}  // namespace

bool is_for_engine(const x86::Accesses& accesses) {
  return std::any_of(accesses.begin(), accesses.end(), [](const MemoryAccess& access) {
    return access.addressing == Addressing::chosen || access.repeated || access.size_bytes > kTestedBytesMost;
  });
}

bool is_tested(const MemoryAccess& access, const Decoded& decoded, std::span<const u8> bytes, u64 pc) {
  const bool by_stack = access.addressing == Addressing::pushed || access.addressing == Addressing::popped ||
                        access.addressing == Addressing::frame;
  constexpr u8 kPrefixFs = 0x64, kPrefixGs = 0x65;
  const bool by_segment = decoded.segment == kPrefixFs || decoded.segment == kPrefixGs;
  if (by_stack || (by_segment && access.addressing != Addressing::destination)) return false;
  if (access.size_bytes == 0 || access.kind == AccessKind::none) return false;
  const Place place = place_of(access, decoded, bytes, pc);
  if (place.is_known) return may_be_heap(place.address);
  return place.form.base != number(Gpr::rsp) || place.form.index != AddressForm::kNone;
}

void emit_test(Emitter& emit, const MemoryAccess& access, const Decoded& decoded, std::span<const u8> bytes,
               u64 pc, TestRegisters borrowed, bool vectors) {
  const Place place = place_of(access, decoded, bytes, pc);
  Test test(emit, place, borrowed);
  const u32 size = access.size_bytes;
  if (vectors && size >= kVectorBytesLeast && access.kind == AccessKind::read) return test.piece(1, 0);
  u32 done = 0;
  for (const u32 piece : {8u, 4u, 2u, 1u})
    for (; size - done >= piece; done += piece) test.piece(piece, done);
}

bool is_tracked(const MemoryAccess& access, const Decoded& decoded) {
  constexpr u8 kPrefixFs = 0x64, kPrefixGs = 0x65;
  const bool implicit = access.addressing == Addressing::pushed || access.addressing == Addressing::popped;
  const bool by_segment = decoded.segment == kPrefixFs || decoded.segment == kPrefixGs;
  if (by_segment && !implicit && access.addressing != Addressing::destination) return false;
  if (access.size_bytes == 0 || access.kind == AccessKind::none) return false;
  if (decoded.category == x86::Category::ret) return false;
  return true;
}

void emit_defined(Emitter& emit, const MemoryAccess& access, const Decoded& decoded,
                  std::span<const u8> bytes, u64 pc, TestRegisters borrowed) {
  const Place place = place_of(access, decoded, bytes, pc);
  Test test(emit, place, borrowed);
  u32 done = 0;
  for (const u32 piece : {8u, 4u, 2u, 1u})
    for (; access.size_bytes - done >= piece; done += piece) test.clear(piece, done);
}

void emit_undefined_below(Emitter& emit, u32 below, u32 size_bytes, TestRegisters borrowed) {
  static constexpr u8 kStore[] = {0x89};
  emit.load_slot(borrowed.word, ORRERY_SLOT_UNDEFINED_WORD);
  const u32 bytes = (size_bytes + 7) / 8 * 8;
  for (u32 at = 8; at <= bytes; at += 8)
    emit_with_operand(emit, kStore, true, borrowed.word,
                      {number(Gpr::rsp), number(borrowed.offset), 0, -static_cast<i32>(below + at)});
}

}  // namespace orrery::translate
