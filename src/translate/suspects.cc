// The Translator's part in finding accesses of what the heap has not given out: what it does at the entries
// and returns of allocators' functions, and when a test has found something (access_tester.h). All that
// leaves for the engine is rare; what it makes sure of is only that nothing is missed, and who reads the
// records judges them again.
#include <array>

#include "memory/guarded_copy.h"
#include "translate/translator.h"
#include "x86/decode.h"

namespace orrery::translate {

using x86::Addressing;
using x86::Decoded;
using x86::MemoryAccess;

namespace {

constexpr u8 kPrefixFs = 0x64, kPrefixGs = 0x65;

u64 segment_base(const cpu::Registers& regs, const Decoded& decoded) {
  return decoded.segment == kPrefixFs ? regs.fs_base : decoded.segment == kPrefixGs ? regs.gs_base : 0;
}

/// Where an access is made that the registers do not choose.
u64 address_of(const MemoryAccess& access, const Decoded& decoded, std::span<const u8> bytes,
               const cpu::Registers& regs) {
  const auto narrowed = [&](u64 address) { return decoded.has_67 ? address & 0xffff'ffff : address; };
  switch (access.addressing) {
    case Addressing::pushed:
      return regs[Gpr::rsp] - access.size_bytes;
    case Addressing::popped:
      return regs[Gpr::rsp];
    case Addressing::frame:
      return regs[Gpr::rbp];
    case Addressing::source:
      return segment_base(regs, decoded) + narrowed(regs[Gpr::rsi]);
    case Addressing::destination:
      return narrowed(regs[Gpr::rdi]);
    case Addressing::table:
      return segment_base(regs, decoded) + narrowed(regs[Gpr::rbx] + (regs[Gpr::rax] & 0xff));
    case Addressing::offset:
      return segment_base(regs, decoded) + static_cast<u64>(decoded.immediate);
    case Addressing::operand:
    case Addressing::chosen:
      break;
  }
  const x86::AddressForm form = x86::address_form(decoded, bytes);
  u64 address = static_cast<u64>(form.displacement);
  if (form.rip_relative) address += regs.rip + decoded.length;
  if (form.base != x86::AddressForm::kNone) address += regs.gpr[form.base];
  if (form.index != x86::AddressForm::kNone) address += regs.gpr[form.index] << form.shift;
  return segment_base(regs, decoded) + narrowed(address);
}

/// How often a repeated string instruction is going to be executed: all that rcx says, or, of those that
/// compare, up to where they end.
u64 repeats(const Decoded& decoded, const x86::Accesses& accesses, const cpu::Registers& regs) {
  const u64 most = decoded.has_67 ? regs[Gpr::rcx] & 0xffff'ffff : regs[Gpr::rcx];
  if (!x86::is_compare_string(decoded)) return most;
  const u64 size = accesses.items[0].size_bytes;
  const u64 step = (regs.rflags >> 10 & 1) != 0 ? u64{0} - size : size;  // DF
  for (u64 done = 0; done < most; ++done) {
    u64 words[2] = {0, regs[Gpr::rax]};
    for (u8 i = 0; i < accesses.count; ++i) {
      const u64 at = (accesses.items[i].addressing == Addressing::source ? regs[Gpr::rsi] : regs[Gpr::rdi]) +
                     done * step;
      words[i] = 0;
      const u64 got =
          memory::guarded_copy(reinterpret_cast<u8*>(&words[i]), reinterpret_cast<const u8*>(at), size);
      if (got != size) return done;
    }
    const u64 mask = size == 8 ? ~u64{0} : (u64{1} << size * 8) - 1;
    const bool equal = ((words[0] ^ words[1]) & mask) == 0;
    if (equal == decoded.has_f2) return done + 1;
  }
  return most;
}

}  // namespace

/// Of the instruction at the present pc, but for those that its registers choose.
void Translator::accesses_at(std::span<const u8> bytes, std::vector<Access>& out) const {
  cpu::Registers regs = slots().regs;
  if (options_.features.contains(x86::Feature::fsgsbase)) {
    __asm__ volatile("rdfsbase %0" : "=r"(regs.fs_base));
    __asm__ volatile("rdgsbase %0" : "=r"(regs.gs_base));
  }
  const Decoded decoded = x86::decode(bytes);
  const x86::Accesses accesses = accesses_of(decoded, bytes);
  for (const MemoryAccess& access : accesses) {
    if (access.addressing == Addressing::chosen) continue;
    u64 address = address_of(access, decoded, bytes, regs), size = access.size_bytes;
    if (access.repeated) {
      const u64 times = repeats(decoded, accesses, regs);
      if (times == 0) continue;
      if ((regs.rflags >> 10 & 1) != 0) address -= (times - 1) * size;  // DF
      size *= times;
    }
    out.push_back({address, size, regs.rip, access.kind, AccessBy::instruction});
  }
}

bool Translator::begins_for_engine(BlockIndex index) const {
  return notes_[index].chosen || (notes_suspects() && blocks_[index].watched);
}

void Translator::watch_allocators(std::span<const AllocatorEntry> functions) {
  heap_.watch(functions);
  std::vector<u64> addresses;
  for (const AllocatorEntry& each : functions) addresses.push_back(each.address);
  watch_functions(addresses);
}

/// Before a block that begins with an allocator's function, with where one may return to, or with an
/// instruction that is not tested.
bool Translator::look_at_begin(const Block& block, bool chosen) {
  const cpu::Registers& regs = slots().regs;
  if (block.watched) {
    if (const u64 rsp = regs[Gpr::rsp] - sizeof(u64); heap_.leave(regs))
      note_allocator(AccessHeader::returned(), std::array{rsp, regs[Gpr::rax], heap_.given()});
    if (const u64 return_address = heap_.enter(regs); return_address != 0) {
      note_allocator(AccessHeader::entered(), std::array{regs.rip, regs[Gpr::rsp], regs[Gpr::rdi],
                                                         regs[Gpr::rsi], regs[Gpr::rdx], return_address});
      if (!watched_.contains(return_address)) watch_functions(std::array{return_address});
    }
  }
  if (!chosen || heap_.in_allocator() || heap_.leaves_out(regs.rip)) return true;
  std::vector<Access> accesses;
  const std::span<const u8> bytes(source_.data() + block.first_source, block.guest_bytes);
  accesses_at(bytes, accesses);
  const x86::Accesses made = accesses_of(x86::decode(bytes), bytes);
  if (made.items[0].addressing == Addressing::chosen) chosen_accesses_at(block, accesses);
  for (const Access& access : accesses) note_suspect(access);
  return true;
}

void Translator::note_allocator(AccessHeader header, std::span<const u64> words) {
  put_record(AccessHeader::turn(task_).word, std::array{event_, slots().ticks});
  put_record(header.word, words);
}

/// False if there is no room. What is right is not noted.
bool Translator::note_suspect(const Access& access) {
  if (heap_.in_allocator() || !heap_.forbids(access.address, access.size_bytes)) return true;
  constexpr std::size_t kWords = 7;
  if (stream_.size() - noted().size() < kWords) return false;
  put_record(AccessHeader::turn(task_).word, std::array{event_, slots().ticks});
  put_record(AccessHeader::engine(access.kind, access.by).word,
             std::array{access.address, access.size_bytes, access.pc});
  return true;
}

/// A test has found something about the next instruction: notes what is wrong, and has it executed. An exit
/// if the run ends with that, or before it, for want of room.
std::optional<cpu::Exit> Translator::look_at_suspects(cpu::CpuState& cpu, cpu::RunLimits& limits) {
  if (!has_room_for_notes()) return finish(cpu, ExitCode::notes_full, 0);
  slots().instructions += slots().uncounted;
  u8 bytes[16];
  const u64 have = memory::guarded_copy(bytes, reinterpret_cast<const u8*>(slots().regs.rip), 15);
  std::vector<Access> accesses;
  accesses_at({bytes, have}, accesses);
  for (const Access& access : accesses) note_suspect(access);
  const u64 stop_at_tick = slots().stop_at_tick;
  store(cpu);
  const cpu::Exit exit = run_one_instruction(cpu);
  if (exit.kind != cpu::ExitKind::one_done) return exit;
  limits.stop_at_tick = stop_at_tick;
  limits.past_breakpoint = false;
  if (cpu.ticks >= limits.stop_at_tick) return cpu::Exit{.kind = cpu::ExitKind::tick_reached};
  load(cpu, limits);
  return std::nullopt;
}

}  // namespace orrery::translate
