// The Translator's part in finding undefined values that decide: where a jump goes, which address is
// accessed, what a system call is given.
//
// As long as the registers of a task are defined, which is nearly always, its code runs at full speed: loads
// are tested (access_tester.h), stores make what they write defined, and a stack that grows is undefined. A
// test that finds something undefined leaves for the engine, which looks at the instruction before it has it
// executed (definedness.h). From there on, until all registers are defined again, other code runs, made for
// the set of registers that are not: it is the same, but each instruction that touches one of these is a
// block of its own, which the engine looks at first. So a value that is not used does not keep anything slow.
#include <array>

#include "linux/syscall_table.h"
#include "memory/guarded_copy.h"
#include "translate/code_cache.h"
#include "translate/instruction_accesses.h"
#include "translate/stack_growth.h"
#include "translate/translator.h"
#include "x86/decode.h"

namespace orrery::translate {

using x86::Category;
using x86::Decoded;

namespace {

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

/// Of a block that begins with a load that often reads what is undefined, and is about to be entered.
void Translator::look_at_load(const PlainMove& move) {
  const u64 pc = slots().regs.rip;
  const bool undefined = defined_.any_undefined(address_of(move, slots().regs), move.size_bytes);
  if (undefined) undefined_read_at_ = pc;
  if (looked_at_.places().contains(pc)) note_read(pc, undefined);
}

/// Of a block that begins with an instruction that is not tested, and is about to be entered.
void Translator::define_at_begin(const DecodedBegin& begin, std::span<const u8> bytes,
                                 std::vector<Access>& accesses) {
  const cpu::Registers& regs = slots().regs;
  const Decoded& decoded = begin.decoded;
  if (const StackGrowth& growth = begin.growth; growth.kind != StackGrowth::Kind::none) {
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
      undefined_read_at_ = regs.rip;
  const bool undefined = undefined_read_at_ == regs.rip;
  if (looked_at_.places().contains(regs.rip)) note_read(regs.rip, undefined);
  if (undefined) return;
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

/// Of a block that consists of them. False if it does not, or an address is undefined.
bool Translator::step_moves(std::span<const PlainMove> moves) {
  overwritten_.clear();
  for (const PlainMove& move : moves) {
    if (moves.size() > 1) overwritten_.keep(move, slots().regs, undefined_.bits, defined_);
    if (!step_plain_move(move, slots().regs, undefined_.bits, defined_)) return false;
  }
  return !moves.empty();
}

/// The block was left. If it was before some of the moves that it consists of, they have not been made.
void Translator::take_back_moves(BlockIndex index) {
  const Block& block = blocks_[index];
  const ExitCode code = code_of(slots().exit_code);
  if (code == ExitCode::direct || decoded_[block.step].moves.size() < 2) return;
  const u64 done = slots().regs.rip - block.pc;
  if ((code != ExitCode::fault && code != ExitCode::interrupted) || done >= block.guest_bytes) return;
  // One that faults stays looked at: the engine may have it executed outside of this code.
  overwritten_.give_back_from(code == ExitCode::fault ? done + 1 : done, undefined_.bits, defined_);
  stepped_ = false;
}

/// What the block's instruction, which is next, makes of undefined bits, before it is executed. False if it
/// is another instruction by now.
bool Translator::step_undefined(BlockIndex index) {
  if (stepped_) return true;
  const Block& block = blocks_[index];
  if (block.checked && !still_reads(block)) {
    drop(index);
    return false;
  }
  stepped_ = true;
  const std::span<const u8> code(source_.data() + block.first_source, block.guest_bytes);
  const auto& [decoded, accesses, growth, moves] = decoded_[block.step];
  if (step_moves(moves)) return true;
  const cpu::Registers regs = with_segments(slots().regs);
  if (decoded.category == Category::syscall) check_arguments(regs);
  GuestMemory memory(defined_, vectors_, options_.vector_components);
  const UndefinedUse use = Definedness(undefined_.bits, memory).step(regs, decoded, code, accesses);
  if (use.kind != UndefinedUse::Kind::none) note_use(regs.rip, use);
  const u64 rsp = regs[Gpr::rsp];
  if (growth.kind != StackGrowth::Kind::none) {
    const u64 grown =
        growth.kind == StackGrowth::Kind::registers ? grown_bytes(decoded, code, regs) : growth.size_bytes;
    defined_.fill(rsp - grown, grown, true);
  }
  if (decoded.category == Category::call || decoded.category == Category::call_indirect)
    defined_.fill(rsp - sizeof(u64) - kRedZoneBytes, kRedZoneBytes, true);
  return true;
}

void Translator::note_read(u64 pc, bool undefined) {
  if (looked_at_.note(pc, undefined)) drop_blocks_at(std::array{pc});
}

bool Translator::fits_looked_at(const Block& block) const {
  const Breakpoints& places = looked_at_.places();
  return block.looked_at == places.contains(block.pc) &&
         places.at_or_above(block.pc + 1) >= block.pc + block.guest_bytes;
}

/// Of the code that may run now; kNoCode if there is none of this kind yet.
CodeKind Translator::code_kind() const {
  if (undefined_read_at_ != 0 && undefined_read_at_ == slots().regs.rip)
    return (undefined_.bits.tainted() & 0xffff) != 0 ? kSteppedCode : kSteppedMoves;
  return sets_.find(undefined_.bits.tainted());
}

/// Code of that kind, or one instruction of it, was run: which registers are still undefined.
void Translator::left_code(CodeKind kind, bool stepped, ExitCode code) {
  if (slots().code_kind != kind)
    undefined_.bits.keep_only(sets_.of(static_cast<CodeKind>(slots().code_kind)));
  if (!stepped || code == ExitCode::interrupted || code == ExitCode::widen) return;
  stepped_ = false;
  undefined_read_at_ = 0;
}

CodeKind Translator::code_kind_or_new() {
  const CodeKind known = code_kind();
  if (known != kNoCode) return known;
  const u64 tainted = undefined_.bits.tainted();
  if (const CodeKind kind = sets_.find_or_add(tainted); kind != kNoCode) return kind;
  flush();
  return sets_.find_or_add(tainted);
}

/// An indirect transfer reached the block. To one that the engine looks at first no code leads.
void Translator::give_target(BlockIndex index) {
  const Block& block = blocks_[index];
  if (block.step != kNone) return;
  targets_.set(block.pc, block.kind, block.variant, reinterpret_cast<u64>(cache_at(block.host_begin)));
}

}  // namespace orrery::translate
