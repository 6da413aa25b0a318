// The Translator's part in finding accesses of what the heap has not given out: what it does at the entries
// and returns of allocators' functions, and when a test has found something (access_tester.h). All that
// leaves for the engine is rare; what it makes sure of is only that nothing is missed, and who reads the
// records judges them again.
#include <array>

#include "memory/guarded_copy.h"
#include "translate/instruction_accesses.h"
#include "translate/translator.h"
#include "x86/decode.h"

namespace orrery::translate {

using x86::Addressing;
using x86::Decoded;

bool Translator::begins_for_engine(BlockIndex index) const {
  return notes_[index].chosen || (notes_suspects() && blocks_[index].watched);
}

void Translator::watch_allocators(std::span<const AllocatorEntry> functions) {
  heap_.watch(functions);
  std::vector<u64> addresses;
  for (const AllocatorEntry& each : functions) addresses.push_back(each.address);
  watch_functions(addresses);
}

/// At an allocator's function, or where one may return to.
void Translator::look_at_allocators(const cpu::Registers& regs) {
  if (const u64 rsp = regs[Gpr::rsp] - sizeof(u64); heap_.leave(regs)) {
    note_allocator(AccessHeader::returned(), std::array{rsp, regs[Gpr::rax], heap_.given()});
    undefined_.bits = undefined_.kept;
    undefined_.kept.clear();
  }
  if (const u64 return_address = heap_.enter(regs); return_address != 0) {
    note_allocator(AccessHeader::entered(), std::array{regs.rip, regs[Gpr::rsp], regs[Gpr::rdi],
                                                       regs[Gpr::rsi], regs[Gpr::rdx], return_address});
    undefined_.kept = undefined_.bits;
    undefined_.kept.clear_volatile();
    undefined_.bits.clear();
    if (!watched_.contains(return_address)) watch_functions(std::array{return_address});
  }
}

/// Before a block that begins with an allocator's function, with where one may return to, or with an
/// instruction that is not tested.
bool Translator::look_at_begin(const Block& block, bool chosen) {
  const cpu::Registers& regs = slots().regs;
  if (block.watched) look_at_allocators(regs);
  if (!chosen || heap_.in_allocator() || heap_.leaves_out(regs.rip)) return true;
  const std::vector<PlainMove>& moves = decoded_[block.begin].moves;
  if (!moves.empty() && is_load(moves[0])) {
    look_at_load(moves[0]);
    return true;
  }
  std::vector<Access> accesses;
  const std::span<const u8> bytes(source_.data() + block.first_source, block.guest_bytes);
  const DecodedBegin& begin = decoded_[block.begin];
  instruction_accesses(with_segments(regs), begin.decoded, bytes, begin.accesses, accesses);
  if (begin.accesses.items[0].addressing == Addressing::chosen) chosen_accesses_at(block, accesses);
  if (notes_undefined()) {
    define_at_begin(begin, bytes, accesses);
    return true;
  }
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
  if (notes_undefined()) {
    undefined_read_at_ = slots().regs.rip;
    note_read(slots().regs.rip, true);
    return std::nullopt;
  }
  u8 bytes[16];
  const u64 have = memory::guarded_copy(bytes, reinterpret_cast<const u8*>(slots().regs.rip), 15);
  std::vector<Access> accesses;
  const Decoded decoded = x86::decode({bytes, have});
  const x86::Accesses made = accesses_of(decoded, {bytes, have});
  instruction_accesses(with_segments(slots().regs), decoded, {bytes, have}, made, accesses);
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
