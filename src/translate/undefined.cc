// The Translator's part in finding undefined values that decide: where a jump goes, which address is
// accessed, what a system call is given.
//
// As long as the registers of a task are defined, which is nearly always, its code runs at full speed: loads
// are tested (access_tester.h), stores make what they write defined, and a stack that grows is undefined. A
// test that finds something undefined leaves for the engine, which from there on looks at each instruction
// before it has it executed (definedness.h), until all registers are defined again. What does not touch a
// register that is not is run as it stands: a value that is never used again does not keep it slow.
#include <array>

#include "linux/syscall_table.h"
#include "memory/guarded_copy.h"
#include "translate/instruction_accesses.h"
#include "translate/stack_growth.h"
#include "translate/translator.h"
#include "x86/decode.h"
#include "x86/register_effects.h"

namespace orrery::translate {

using x86::Category;
using x86::Decoded;

namespace {

constexpr u32 kInstructionBytesMost = 15, kStretchMost = 32;

/// Guest memory, with its shadow, and the registers that the engine has left alone.
class GuestMemory final : public DefinednessMemory {
 public:
  GuestMemory(DefinedShadow& shadow, cpu::VectorImage& image, u64 components)
      : shadow_(shadow), image_(image), components_(components) {}

  void load(u64 address, u8* bits, u64 size_bytes) override { shadow_.load(address, bits, size_bytes); }
  void store(u64 address, const u8* bits, u64 size_bytes) override {
    shadow_.store(address, bits, size_bytes);
  }
  void values(u64 address, u8* bytes, u64 size_bytes) override {
    memory::guarded_copy(bytes, reinterpret_cast<const u8*>(address), size_bytes);
  }
  const cpu::VectorImage& vectors() override {
    if (!saved_) cpu::save_vector_state(image_, components_);
    saved_ = true;
    return image_;
  }

 private:
  DefinedShadow& shadow_;
  cpu::VectorImage& image_;
  u64 components_;
  bool saved_ = false;
};

/// How many of a call's registers are looked at: of some, what the others are for depends on the first.
u32 arguments_looked_at(std::string_view name, u32 count) {
  struct Few {
    std::string_view name;
    u32 count;
  };
  static constexpr Few kFew[] = {{"open", 2},  {"openat", 3}, {"fcntl", 2}, {"ioctl", 2},  {"prctl", 1},
                                 {"futex", 3}, {"mremap", 4}, {"clone", 2}, {"ptrace", 2}, {"semctl", 3}};
  for (const Few& few : kFew)
    if (few.name == name) return few.count < count ? few.count : count;
  return count;
}

bool has_64_bits(abi::ArgKind kind) {
  using abi::ArgKind;
  switch (kind) {
    case ArgKind::long_decimal:
    case ArgKind::size:
    case ArgKind::hexadecimal:
    case ArgKind::address:
    case ArgKind::path:
    case ArgKind::string:
    case ArgKind::buffer:
    case ArgKind::structure:
      return true;
    default:
      return false;
  }
}

/// The registers that an instruction may read or write.
u64 registers_of(const Decoded& decoded, std::span<const u8> bytes) {
  const u64 flags = RegisterName::flags().bit();
  u64 names = flags | x86::register_effects(decoded, bytes).written;
  const bool legacy = decoded.encoding == x86::Encoding::legacy;
  const bool one_byte = legacy && decoded.map == 0;
  const u32 rm = decoded.modrm_rm() | (x86::vector_fields(decoded, bytes).b ? 8u : 0u);
  const u32 reg = decoded.modrm_reg() | (decoded.reg_high & 8u);
  const u32 both = decoded.has_modrm ? (1u << reg | (decoded.modrm_mod() == 3 ? 1u << rm : 0)) : 0;
  names |= both;
  if (decoded.has_modrm && decoded.modrm_mod() != 3) {
    const x86::AddressForm form = x86::address_form(decoded, bytes);
    if (form.base < 16) names |= u64{1} << form.base;
    if (form.index < 16) names |= u64{1} << form.index;
  }
  // What opcodes name by themselves.
  constexpr u64 kImplied = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7;  // rax, rcx, rdx, rsi, rdi
  const bool plain_move =
      one_byte && ((decoded.opcode >= 0x88 && decoded.opcode <= 0x8d) || decoded.opcode == 0xc7);
  if (one_byte && !plain_move && (decoded.opcode >= 0x90 || !decoded.has_modrm)) names |= kImplied;
  if (one_byte && decoded.opcode >= 0x50 && decoded.opcode < 0x60)
    names |= u64{1} << ((decoded.opcode & 7) | ((decoded.rex & 1) != 0 ? 8 : 0));
  if (one_byte && decoded.opcode == 0xc9) names |= 1 << 5;
  if (one_byte && decoded.opcode >= 0xb0 && decoded.opcode < 0xc0) names &= ~kImplied | names;
  if (one_byte && decoded.opcode >= 0xd8 && decoded.opcode < 0xe0) names |= RegisterName::x87().bit();
  if (legacy && decoded.map == 1 && decoded.opcode >= 0xa0) names |= kImplied;
  if (one_byte) return names;
  names |= RegisterName::x87().bit() | RegisterName::vector(0).bit();
  if (decoded.encoding != x86::Encoding::legacy) {
    names |= kImplied | u64{1} << (decoded.vvvv & 15);
    names |= RegisterName::vector(decoded.vvvv & 31).bit();
    if (decoded.map == 1 && decoded.opcode == 0x77) names |= u64{0xffff'ffff} << RegisterName::kFirstVector;
    if (decoded.map == 3) names |= u64{0xffff} << RegisterName::kFirstVector;  // one in the immediate
  }
  if (decoded.encoding == x86::Encoding::evex) names |= u64{0xffff'ffff} << RegisterName::kFirstVector;
  if (decoded.has_modrm) names |= u64{both} << RegisterName::kFirstVector;
  return names;
}

}  // namespace

cpu::Registers Translator::with_segments(const cpu::Registers& from) const {
  cpu::Registers regs = from;
  if (options_.features.contains(x86::Feature::fsgsbase)) {
    __asm__ volatile("rdfsbase %0" : "=r"(regs.fs_base));
    __asm__ volatile("rdgsbase %0" : "=r"(regs.gs_base));
  }
  return regs;
}

/// A signal's handler, and what follows it, finds registers that the kernel has given values.
void Translator::begin_undefined_run(const cpu::CpuState& cpu) {
  if (!notes_undefined()) return;
  if (undefined_.bits.tainted() != 0 && undefined_.rsp != cpu.regs[Gpr::rsp]) undefined_.bits.clear();
}

void Translator::switch_undefined(i32 task) {
  const bool any = undefined_.bits.tainted() != 0 || undefined_.kept.tainted() != 0;
  if (any)
    undefined_of_[static_cast<u64>(task_)] = undefined_;
  else
    undefined_of_.erase(static_cast<u64>(task_));
  const UndefinedTask* const found = undefined_of_.find(static_cast<u64>(task));
  if (found != nullptr)
    undefined_ = *found;
  else if (any)
    undefined_ = {};
}

void Translator::note_use(u64 pc, UndefinedUse use) {
  put_record(AccessHeader::turn(task_).word, std::array{event_, slots().ticks});
  put_record(AccessHeader::undefined().word, std::array{pc, static_cast<u64>(use.kind), use.origin});
}

void Translator::engine_reads(u64 address, u64 size_bytes, u64 pc) {
  u64 first = 0;
  if (defined_.any_undefined(address, size_bytes, &first))
    note_use(pc, {UndefinedUse::Kind::argument, first});
}

/// Of a block that begins with an instruction that is not tested, and is about to be entered.
void Translator::define_at_begin(std::span<const u8> bytes, std::vector<Access>& accesses) {
  const cpu::Registers& regs = slots().regs;
  const Decoded decoded = x86::decode(bytes);
  if (const StackGrowth growth = stack_growth(decoded, bytes); growth.kind != StackGrowth::Kind::none) {
    const bool varies = growth.kind == StackGrowth::Kind::registers;
    const u64 grown = varies ? grown_bytes(decoded, bytes, regs) : growth.size_bytes;
    defined_.fill(regs[Gpr::rsp] - grown, grown, true);
    return;
  }
  const bool moves =
      x86::is_repeated_string(decoded) && (decoded.opcode & 0xfe) == 0xa4 && accesses.size() == 2;
  if (moves) return defined_.copy(accesses[1].address, accesses[0].address, accesses[1].size_bytes);
  for (const Access& access : accesses)
    if (access.kind != AccessKind::write && defined_.any_undefined(access.address, access.size_bytes))
      finds_undefined_ = true;
  if (finds_undefined_) return;
  for (const Access& access : accesses)
    if (access.kind != AccessKind::read) defined_.fill(access.address, access.size_bytes, false);
}

void Translator::check_arguments(const cpu::Registers& regs) {
  static constexpr Gpr kArguments[] = {Gpr::rdi, Gpr::rsi, Gpr::rdx, Gpr::r10, Gpr::r8, Gpr::r9};
  const UndefinedBits& bits = undefined_.bits;
  const auto tell = [&](Gpr reg) {
    note_use(regs.rip, {UndefinedUse::Kind::argument, bits.origin(RegisterName::gpr(static_cast<u32>(reg)))});
  };
  if (bits.gpr(0) != 0) tell(Gpr::rax);
  const abi::SyscallRow* const row = abi::find_syscall(regs[Gpr::rax]);
  if (row == nullptr) return;
  const u32 count = arguments_looked_at(row->name, row->arg_count);
  for (u32 i = 0; i < count; ++i) {
    const u64 undefined = bits.gpr(static_cast<u32>(kArguments[i]));
    if ((has_64_bits(row->args[i].kind) ? undefined : undefined & 0xffff'ffff) != 0) tell(kArguments[i]);
  }
}

/// What the next instruction makes of undefined bits, before it is executed.
void Translator::step_undefined(const cpu::CpuState& cpu) {
  u8 bytes[kInstructionBytesMost + 1] = {};
  const u64 have =
      memory::guarded_copy(bytes, reinterpret_cast<const u8*>(cpu.regs.rip), kInstructionBytesMost);
  const std::span<const u8> code(bytes, have);
  const Decoded decoded = x86::decode(code);
  if (decoded.length == 0) return;
  const cpu::Registers regs = with_segments(cpu.regs);
  if (decoded.category == Category::syscall) check_arguments(regs);
  GuestMemory memory(defined_, vectors_, options_.vector_components);
  const UndefinedUse use = Definedness(undefined_.bits, memory).step(regs, decoded, code);
  if (use.kind != UndefinedUse::Kind::none) note_use(regs.rip, use);
  const StackGrowth growth = stack_growth(decoded, code);
  const u64 rsp = regs[Gpr::rsp];
  if (growth.kind != StackGrowth::Kind::none) {
    const u64 grown =
        growth.kind == StackGrowth::Kind::registers ? grown_bytes(decoded, code, regs) : growth.size_bytes;
    defined_.fill(rsp - grown, grown, true);
  }
  if (decoded.category == Category::call || decoded.category == Category::call_indirect)
    defined_.fill(rsp - sizeof(u64) - kRedZoneBytes, kRedZoneBytes, true);
}

/// The registers that a stretch of code from `pc` on touches, and how many instructions it has.
u64 Translator::touched_registers(u64 pc, u32& instructions) {
  if (const TouchedRegisters* const found = touched_.find(pc)) {
    instructions = found->instructions;
    return found->names;
  }
  TouchedRegisters touched;
  u64 at = pc;
  while (touched.instructions < kStretchMost) {
    u8 bytes[kInstructionBytesMost + 1] = {};
    const u64 have = memory::guarded_copy(bytes, reinterpret_cast<const u8*>(at), kInstructionBytesMost);
    const Decoded decoded = x86::decode({bytes, have});
    const std::span<const u8> code(bytes, have);
    if (decoded.length == 0 || is_for_engine(x86::accesses_of(decoded, code)) ||
        stack_growth(decoded, code).kind != StackGrowth::Kind::none)
      break;
    if (at != pc && watched_.contains(at)) break;
    const bool ends = decoded.category != Category::copy && decoded.category != Category::jump_if;
    const bool jumps = (decoded.category == Category::jump || decoded.category == Category::call ||
                        decoded.category == Category::ret);
    if (ends && !jumps) break;
    touched.names |= jumps || decoded.category == Category::jump_if ? RegisterName::flags().bit()
                                                                    : registers_of(decoded, code);
    ++touched.instructions;
    at += decoded.length;
    if (ends) break;
  }
  touched_[pc] = touched;
  instructions = touched.instructions;
  return touched.names;
}

/// Goes on while registers are undefined; at least with the next instruction. `looked_at`: it is past its
/// breakpoint. An exit if the run ends with it.
std::optional<cpu::Exit> Translator::run_undefined(cpu::CpuState& cpu, cpu::RunLimits& limits,
                                                   bool looked_at) {
  const u64 stop_at_tick = slots().stop_at_tick;
  bool past_breakpoint = limits.past_breakpoint || looked_at;
  store(cpu);
  const auto leave = [&](cpu::Exit exit) {
    undefined_.rsp = cpu.regs[Gpr::rsp];
    return exit;
  };
  for (bool first = true;; first = false) {
    if (!has_room_for_notes()) return leave({.kind = cpu::ExitKind::notes_full});
    if (!past_breakpoint && breakpoints_.contains(cpu.regs.rip))
      return leave({.kind = cpu::ExitKind::breakpoint});
    past_breakpoint = false;
    if (!first && watched_.contains(cpu.regs.rip)) {
      const bool in_allocator = heap_.in_allocator();
      slots().regs = cpu.regs;
      look_at_allocators(cpu.regs);
      if (in_allocator != heap_.in_allocator() && undefined_.bits.tainted() == 0) break;
    }
    u32 instructions = 0;
    const u64 tainted = undefined_.bits.tainted();
    const bool untouched = !finds_undefined_ &&
                           (touched_registers(cpu.regs.rip, instructions) & tainted) == 0 && instructions > 0;
    finds_undefined_ = false;
    if (!untouched) step_undefined(cpu);
    const cpu::Exit exit = untouched ? run_alone(cpu, instructions, true) : run_alone(cpu, 1, false);
    if (exit.kind != cpu::ExitKind::one_done) return leave(exit);
    if (cpu.ticks >= stop_at_tick) return leave({.kind = cpu::ExitKind::tick_reached});
    if (undefined_.bits.tainted() == 0) break;
  }
  limits.stop_at_tick = stop_at_tick;
  limits.past_breakpoint = false;
  load(cpu, limits);
  return std::nullopt;
}

}  // namespace orrery::translate
