// What the host's signal handlers ask of the Translator: whose fault it was, and the guest's registers there.
// In async-signal context.
#include "translate/code_cache.h"
#include "translate/fault_table.h"
#include "translate/translator.h"

extern "C" {
orrery::u64 orrery_enter();
void orrery_exit_from_signal();
void orrery_indirect_miss();
void orrery_exit_path_end();
}

namespace orrery::translate {

namespace {

u64 address_of(void (*label)()) { return reinterpret_cast<u64>(label); }

}  // namespace

bool Translator::owns(u64 host_pc) { return memory::layout::kCodeCache.contains(host_pc); }
u64 Translator::resume_after_fault() { return address_of(orrery_exit_from_signal); }
u64 Translator::resume_miss() { return address_of(orrery_indirect_miss); }

/// Blocks lie in the cache in the order of their numbers.
const Block* Translator::block_at(u64 host_pc) const {
  const u32 offset = static_cast<u32>(host_pc - reinterpret_cast<u64>(cache_base()));
  std::size_t low = 0, high = blocks_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (blocks_[middle].host_end <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == blocks_.size() || offset < blocks_[low].host_begin) return nullptr;
  return &blocks_[low];
}

namespace {

void lift(const Translator::HostFrame& frame, u64 pc) {
  Slots& state = slots();
  for (int reg = 0; reg < cpu::kGprCount; ++reg) state.regs.gpr[reg] = frame.gpr[reg];
  state.regs.rflags = frame.rflags & ~u64{0x10100};  // RF is the host's; TF is set only by our own stepping
  state.regs.rip = pc;
  state.in_guest = 0;
}

void give_back(Borrowed borrowed) {
  cpu::Registers& regs = slots().regs;
  switch (borrowed) {
    case Borrowed::nothing:
    case Borrowed::counted:
    case Borrowed::shadow_load:
    case Borrowed::access_test:
    case Borrowed::notes_trial:
      return;
    case Borrowed::path_full:
    case Borrowed::call_trial:
      regs[kCallNoteRegister] = slots().notes_place;
      return;
    case Borrowed::entry_trial:
      regs[Gpr::rax] = slots().spill_rax;
      [[fallthrough]];
    case Borrowed::path_trial:
      regs[kCallNoteRegister] = slots().notes_place;
      regs[Gpr::rcx] = slots().notes_address;
      return;
    case Borrowed::rax:
      regs[Gpr::rax] = slots().spill_rax;
      return;
    case Borrowed::rcx:
      regs[Gpr::rcx] = slots().spill_rcx;
      return;
    case Borrowed::rsi:
      regs[Gpr::rsi] = slots().spill_scratch;
      return;
    case Borrowed::rdi:
      regs[Gpr::rdi] = slots().spill_scratch;
      return;
    case Borrowed::rbx:
      regs[Gpr::rbx] = slots().spill_scratch;
      return;
  }
}

}  // namespace

Translator::FaultKind Translator::lift_fault(const HostFrame& frame) const {
  const Block* block = owns(frame.rip) ? block_at(frame.rip) : nullptr;
  if (block == nullptr) return slots().in_guest != 0 ? FaultKind::missing_entry : FaultKind::not_ours;
  const u64 entry = reinterpret_cast<u64>(cache_at(block->host_entry));
  if (frame.rip < entry) return FaultKind::not_ours;
  const u32 offset = static_cast<u32>(frame.rip - entry);
  u32 low = block->first_mark, high = block->first_mark + block->mark_count;
  while (high - low > 1) {
    const u32 middle = (low + high) / 2;
    (marks_[middle].host_offset <= offset ? low : high) = middle;
  }
  const InstructionMark& mark = marks_[low];
  if (mark.borrowed == Borrowed::shadow_load) {
    slots().transfer_pc = block->pc + mark.guest_offset;
    return FaultKind::missing_entry;
  }
  lift(frame, block->pc + mark.guest_offset);
  give_back(mark.borrowed);
  slots().counted_ahead = mark.borrowed == Borrowed::counted ? 1 : 0;
  slots().uncounted = mark.borrowed == Borrowed::counted ? 0 : mark.uncounted;
  slots().uncounted_from = block->pc;
  const bool out_of_room = is_trial(mark.borrowed);
  const bool tested = mark.borrowed == Borrowed::access_test;
  const bool full = mark.borrowed == Borrowed::path_full;
  slots().exit_code = exit_code(out_of_room ? ExitCode::notes_full
                                : tested    ? ExitCode::suspect
                                : full      ? ExitCode::path_full
                                            : ExitCode::fault,
                                0);
  if (borrows()) lift_notes(notes_[static_cast<std::size_t>(block - blocks_.data())], *block, mark);
  return FaultKind::guest;
}

bool Translator::enters(u64 host_pc) {
  return host_pc >= reinterpret_cast<u64>(&orrery_enter) && host_pc < address_of(orrery_indirect_miss);
}

bool Translator::in_exit_path(u64 host_pc) {
  return host_pc >= address_of(orrery_indirect_miss) && host_pc < address_of(orrery_exit_path_end);
}

void Translator::abandon_entry() {
  slots().in_guest = 0;
  slots().exit_code = exit_code(ExitCode::interrupted, 0);
}

bool Translator::lift_block_start(const HostFrame& frame) const {
  const Block* block = owns(frame.rip) ? block_at(frame.rip) : nullptr;
  if (block == nullptr || !block->live || frame.rip != reinterpret_cast<u64>(cache_at(block->host_entry)))
    return false;
  lift(frame, block->pc);
  slots().exit_code = exit_code(ExitCode::interrupted, 0);
  return true;
}

}  // namespace orrery::translate
