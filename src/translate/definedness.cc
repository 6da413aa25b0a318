// What instructions have in common: operands, addresses, transfers of control; and what there is no rule for.
#include "translate/definedness.h"

#include <algorithm>

#include "translate/definedness_words.h"
#include "translate/instruction_accesses.h"
#include "x86/register_effects.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::AccessKind;
using x86::Addressing;
using x86::Category;
using x86::Encoding;

// --- operands ---

u64 Definedness::size_of_operand() const {
  const bool wide = decoded_->encoding == Encoding::legacy ? (decoded_->rex & 8) != 0
                                                           : x86::vector_fields(*decoded_, bytes_).wide;
  return wide ? 8 : decoded_->encoding == Encoding::legacy && decoded_->has_66 ? 2 : 4;
}

u32 Definedness::rm_register() const {
  return decoded_->modrm_rm() | (x86::vector_fields(*decoded_, bytes_).b ? 8u : 0u);
}
u32 Definedness::reg_register() const { return decoded_->modrm_reg() | (decoded_->reg_high & 8u); }

namespace {

/// ah, ch, dh and bh.
bool is_high_byte(const x86::Decoded& decoded, u32 reg, u64 size) {
  return size == 1 && decoded.encoding == Encoding::legacy && decoded.rex == 0 && reg >= 4 && reg < 8;
}

}  // namespace

Word Definedness::gpr(u32 reg, u64 size) {
  const bool high = is_high_byte(*decoded_, reg, size);
  if (high) reg -= 4;
  const u32 shift = high ? 8 : 0;
  Word word{regs_->gpr[reg] >> shift & mask_of(size), bits_.gpr(reg) >> shift & mask_of(size)};
  if (word.undefined != 0) taint_from(RegisterName::gpr(reg));
  if (word.undefined != 0 && size >= 4) word.floor = bits_.floor(reg);
  return word;
}

void Definedness::set_gpr(u32 reg, u64 size, u64 undefined) {
  const bool high = is_high_byte(*decoded_, reg, size);
  if (high) reg -= 4;
  undefined &= mask_of(size);
  const u64 origin = undefined != 0 ? origin_ : bits_.origin(RegisterName::gpr(reg));
  if (size >= 4) return bits_.set_gpr(reg, undefined, origin);
  const u32 shift = high ? 8 : 0;
  bits_.set_gpr(reg, (bits_.gpr(reg) & ~(mask_of(size) << shift)) | undefined << shift, origin);
}

Word Definedness::memory_word(u64 address, u64 size) {
  Word word;
  memory_.load(address, reinterpret_cast<u8*>(&word.undefined), size);
  memory_.values(address, reinterpret_cast<u8*>(&word.value), size);
  if (word.undefined != 0) origin_ = address + static_cast<u64>(std::countr_zero(word.undefined)) / 8;
  return word;
}

void Definedness::set_memory(u64 address, u64 size, u64 undefined) {
  memory_.store(address, reinterpret_cast<const u8*>(&undefined), size);
}

void Definedness::set_rm(u64 size, u64 undefined) {
  if (is_register_form())
    set_gpr(rm_register(), size, undefined);
  else
    set_memory(address_, size, undefined & mask_of(size));
}

Word Definedness::immediate(u64 size) const {
  return {static_cast<u64>(decoded_->immediate) & mask_of(size), 0};
}

// --- addresses ---

UndefinedUse Definedness::addresses() {
  u64 used = 0;
  const auto use = [&](u32 reg) {
    if (reg < 16) used |= u64{1} << reg;
  };
  for (const x86::MemoryAccess& access : accesses_) {
    switch (access.addressing) {
      case Addressing::operand:
      case Addressing::chosen: {
        if (!decoded_->has_modrm || is_register_form()) break;
        const x86::AddressForm form = x86::address_form(*decoded_, bytes_);
        use(form.base);
        if (access.addressing == Addressing::operand) use(form.index);
        break;
      }
      case Addressing::frame:
        use(number(Gpr::rbp));
        break;
      case Addressing::source:
        use(number(Gpr::rsi));
        break;
      case Addressing::destination:
        use(number(Gpr::rdi));
        break;
      case Addressing::table:
        use(number(Gpr::rbx));
        break;
      default:
        break;
    }
  }
  const u64 undefined = used & bits_.tainted();
  if (undefined == 0) return {};
  return {UndefinedUse::Kind::address,
          bits_.origin(RegisterName::gpr(static_cast<u32>(std::countr_zero(undefined))))};
}

// --- instructions ---

UndefinedUse Definedness::step(const cpu::Registers& regs, const Decoded& decoded, std::span<const u8> bytes,
                               const x86::Accesses& accesses) {
  regs_ = &regs;
  decoded_ = &decoded;
  bytes_ = bytes;
  origin_ = 0;
  accesses_ = accesses;
  if (decoded.has_modrm && !is_register_form()) address_ = instruction_address({}, decoded, bytes, regs);
  const UndefinedUse address = addresses();
  const UndefinedUse jump = transfer();
  return address.kind != UndefinedUse::Kind::none ? address : jump;
}

UndefinedUse Definedness::transfer() {
  const auto jump_if = [&](bool undefined) {
    return undefined ? UndefinedUse{UndefinedUse::Kind::jump, origin_} : UndefinedUse{};
  };
  switch (decoded_->category) {
    case Category::jump_if:
      return jump_if(condition_undefined(decoded_->condition));
    case Category::loop: {
      const Word count = gpr(number(Gpr::rcx), decoded_->has_67 ? 4 : 8);
      const bool counts = decoded_->condition != 3;
      const bool undefined = counts ? count.undefined != 0 : count.undefined != 0 && count.least() == 0;
      if (counts) set_gpr(number(Gpr::rcx), decoded_->has_67 ? 4 : 8, upwards(count.undefined));
      return jump_if(undefined || (decoded_->condition < 2 && condition_undefined(4)));
    }
    case Category::call:
      set_memory((*regs_)[Gpr::rsp] - 8, 8, 0);
      return {};
    case Category::jump_indirect:
      return jump_if(rm(8).undefined != 0);
    case Category::call_indirect: {
      const bool undefined = rm(8).undefined != 0;
      set_memory((*regs_)[Gpr::rsp] - 8, 8, 0);
      return jump_if(undefined);
    }
    case Category::ret:
      return jump_if(memory_word((*regs_)[Gpr::rsp], 8).undefined != 0);
    case Category::syscall:
      for (const Gpr reg : {Gpr::rax, Gpr::rcx, Gpr::r11}) bits_.set_gpr(number(reg), 0, 0);
      return {};
    case Category::gated:
      for (const Gpr reg : {Gpr::rax, Gpr::rcx, Gpr::rdx}) bits_.set_gpr(number(reg), 0, 0);
      if (decoded_->gate == x86::Gate::cpuid) bits_.set_gpr(number(Gpr::rbx), 0, 0);
      return {};
    case Category::copy:
      break;
    default:
      return {};
  }
  const bool is_repeated = x86::is_repeated_string(*decoded_);
  const bool counted = is_repeated && gpr(number(Gpr::rcx), 8).undefined != 0;
  const u64 count_origin = origin_;
  const bool legacy = decoded_->encoding == Encoding::legacy;
  const bool known = (legacy && decoded_->map == 0 && one_byte()) ||
                     (legacy && decoded_->map == 1 && two_bytes()) || bits_by_map() || vector_instruction();
  if (!known) anything();
  if (counted) return {UndefinedUse::Kind::jump, count_origin};
  if (is_repeated && x86::is_compare_string(*decoded_)) return jump_if((bits_.flags() & F::kZero) != 0);
  return {};
}

// --- anything else ---

/// All that it may write is undefined if any of what it may read is.
void Definedness::anything() {
  const u16 written = x86::register_effects(*decoded_, bytes_).written;
  u64 read = written;
  if (decoded_->has_modrm) {
    read |= u64{1} << reg_register();
    if (is_register_form()) read |= u64{1} << rm_register();
  }
  const bool x87 = decoded_->encoding == Encoding::legacy && decoded_->map == 0 && decoded_->opcode >= 0xd8 &&
                   decoded_->opcode < 0xe0;
  const bool mmx = decoded_->encoding == Encoding::legacy && decoded_->map == 1;
  if (x87) read = 0;
  if (x87 || mmx) read |= RegisterName::x87().bit();
  bool undefined = (bits_.tainted() & read) != 0;
  if (undefined) taint_from({static_cast<u32>(std::countr_zero(bits_.tainted() & read))});
  std::vector<Access> accesses;
  instruction_accesses(*regs_, *decoded_, bytes_, accesses_, accesses);
  for (const Access& access : accesses)
    if (access.kind != AccessKind::write)
      for (u64 at = 0; at < access.size_bytes; ++at)
        undefined = memory_word(access.address + at, 1).undefined != 0 || undefined;
  for (const Access& access : accesses)
    if (access.kind != AccessKind::read)
      for (u64 at = 0; at < access.size_bytes; ++at) set_memory(access.address + at, 1, undefined ? 0xff : 0);
  for (u32 reg = 0; reg < 16; ++reg)
    if ((written >> reg & 1) != 0 && reg != number(Gpr::rsp))
      bits_.set_gpr(reg, undefined ? ~u64{0} : 0, origin_);
  if (x87) {
    const bool begins = decoded_->opcode == 0xdb && decoded_->modrm == 0xe3;  // fninit
    const bool stores = accesses.size() == 1 && accesses[0].kind == AccessKind::write;
    if (!stores) bits_.set_whole(RegisterName::x87(), undefined && !begins, origin_);
    const bool status = decoded_->opcode == 0xdf && decoded_->modrm == 0xe0;
    if (status) set_gpr(number(Gpr::rax), 2, all_if(undefined, 2));
    const bool compares = (decoded_->opcode == 0xdb || decoded_->opcode == 0xdf) && decoded_->modrm >= 0xe8 &&
                          decoded_->modrm < 0xf8;
    if (compares) set_flags(F::kAll, undefined ? F::kAll : 0);
    return;
  }
  if (mmx) bits_.set_whole(RegisterName::x87(), undefined, origin_);
  if (undefined) set_flags(F::kAll, F::kAll);
}

}  // namespace orrery::translate
