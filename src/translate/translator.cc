// Running, finding, linking and dropping blocks.
//
// A direct transfer starts out pointing at its stub, which exits with the transfer's number; run() then
// finds or builds the target and links the two, so that each transfer leaves the cache once. Dropping a
// block points everything that led to it back at stubs: linked exits, and its cell.
//
// Indirect transfers: see indirect.h for the table. A miss gives the target a cell and fills the entry.
//
// A dropped block stays where it is. When its pc is asked for and the guest's bytes are again those it was
// made from, it comes back: a page is dropped whole at each change, and most of its blocks did not change
// (W^X flips, a neighbour's inline cache).
//
// Each change of a watched page costs a fault and two changes of protection, some 10 us. A page that is
// changed again and again is therefore not watched any more: its code checks itself (block_builder.cc), which
// costs a few instructions at each entry of a block. When no check has failed for a while the page is
// watched again. The measure of time is ticks, because there is no other here.
//
// When the cache, the cells or the index space run out, or most blocks are dead, everything is dropped at
// once. That is rare (256 MiB of code), and blocks are quick to make again; tracking ages would cost every
// block.
#include "translate/translator.h"

#include <array>

#include "base/check.h"
#include "cpu/vector_state.h"
#include "memory/guarded_copy.h"
#include "translate/chosen_accesses.h"
#include "translate/code_cache.h"
#include "translate/fault_table.h"
#include "translate/indirect.h"
#include "x86/cpu_profile.h"
#include "x86/decode.h"

extern "C" {
orrery::u64 orrery_enter();
void orrery_exit_stub();
void orrery_indirect_miss();
}

namespace orrery::translate {

namespace {

constexpr u64 kNever = ~u64{0};  ///< RunLimits::stop_at_tick when no stop is set
constexpr u32 kDeadBlocksMost = 1 << 16;
constexpr int kRevivalLooksMost = 4;
/// Room for what all but the largest programs need, so that nothing is copied as it grows. Memory that is not
/// touched costs nothing.
constexpr u64 kBlocksReserved = 1 << 18, kExitsReserved = 1 << 20, kMarksReserved = 1 << 22,
              kSourceBytesReserved = 1 << 24;

u64 address_of(void (*label)()) { return reinterpret_cast<u64>(label); }

}  // namespace

Translator::Translator(memory::AddressSpace& space, const Options& options)
    : space_(space), options_(options), builder_(space_, options_.features) {
  slots().exit_stub = address_of(orrery_exit_stub);
  slots().ticks_in_memory = options.tick_home == TickHome::memory ? 1 : 0;
  slots().one = 1;
  blocks_.reserve(kBlocksReserved);
  exits_.reserve(kExitsReserved);
  marks_.reserve(kMarksReserved);
  source_.reserve(kSourceBytesReserved);
  cell_at(0) = {address_of(orrery_indirect_miss), address_of(orrery_indirect_miss)};
  cell_pcs_.push_back(0);
}

void Translator::load(const cpu::CpuState& cpu, const cpu::RunLimits& limits) {
  slots().regs = cpu.regs;
  slots().ticks = cpu.ticks;
  slots().stop_at_tick = limits.stop_at_tick;
  slots().remaining = limits.stop_at_tick - cpu.ticks;
}

void Translator::store(cpu::CpuState& cpu) {
  const u64 fs_base = cpu.regs.fs_base, gs_base = cpu.regs.gs_base;
  cpu.regs = slots().regs;
  cpu.regs.fs_base = fs_base;
  cpu.regs.gs_base = gs_base;
  cpu.ticks = slots().ticks;
  cpu.instructions += slots().instructions - seen_instructions_;
  seen_instructions_ = slots().instructions;
  undefined_.rsp = cpu.regs[Gpr::rsp];
}

namespace {

/// Whether the run has still to go past the breakpoint that it was begun at. Without a tick no way leads back
/// to a pc, so the first instruction has not been executed if neither has changed: its block was stale, say.
bool passes_breakpoint(const cpu::CpuState& begun, const cpu::RunLimits& limits) {
  return limits.past_breakpoint && slots().regs.rip == begun.regs.rip && slots().ticks == begun.ticks;
}

}  // namespace

/// What a turn of run() knows of how the one before it ended.
struct Translator::Turn {
  ExitIndex came_from = kNone;  ///< the direct exit to link to the next block
  bool indirect = false;        ///< the next block was reached by an indirect transfer that missed
};

cpu::Exit Translator::run(cpu::CpuState& cpu, const cpu::RunLimits& wanted) {
  cpu::RunLimits limits = wanted;
  if (cpu.ticks >= limits.stop_at_tick) return {.kind = cpu::ExitKind::tick_reached};
  load(cpu, limits);
  calm_patched_pages();
  begin_undefined_run(cpu);
  Turn turn;
  for (;;) {
    if (slots().stop_requested != 0) stop_after_next_tick();
    const Variant variant = slots().stop_at_tick == kNever ? Variant::fast : Variant::exact;
    if (notes_profile() && !stretches_.has_room()) return out_of_room(cpu);
    const u64 flushes = statistics_.flushes;
    const CodeKind kind = code_kind_or_new();
    if (flushes != statistics_.flushes) turn = Turn{};
    if (kind != kOrdinaryCode && !has_room_for_notes()) return out_of_room(cpu);
    const BlockIndex block = next_block(turn, variant, kind);
    if (block == kNone) {
      const u64 pc = slots().regs.rip;
      store(cpu);
      return fetch_fault(pc);
    }
    turn = Turn{};
    // An instruction that reads what is undefined was found by the code behind a breakpoint.
    const bool past = passes_breakpoint(cpu, limits) || is_stepped(kind);
    if (borrows() && !note_chosen(block, past)) return out_of_room(cpu);
    if (kind != code_kind()) continue;
    const bool steps = blocks_[block].step != kNone && (past || !breakpoints_.contains(slots().regs.rip));
    if (steps && !step_undefined(block)) continue;
    slots().code_kind = kind;
    const u64 taken = enter(block, past);
    const ExitCode code = code_of(taken);
    const ExitIndex index = index_of(taken);
    if (steps) take_back_moves(block);
    left_code(kind, steps, code);
    switch (code) {
      case ExitCode::direct:
        if (!steps) turn.came_from = index;
        ++statistics_.direct_exits;
        [[fallthrough]];
      case ExitCode::end_of_fetch:
      case ExitCode::chosen:
        slots().regs.rip = exits_[index].pc;
        continue;
      case ExitCode::indirect:
        if (auto refused = refuse_target(cpu)) return *refused;
        slots().regs.rip = slots().target;
        turn.indirect = true;
        ++statistics_.indirect_misses;
        continue;
      case ExitCode::widen:
        slots().regs.rip = exits_[index].pc;
        widen();
        continue;
      case ExitCode::stale:
        replace_stale(index);
        continue;
      case ExitCode::interrupted:
        continue;
      case ExitCode::suspect:
        if (auto exit = look_at_suspects(cpu, limits)) return *exit;
        continue;
      case ExitCode::path:
      case ExitCode::path_full:
        if (!mend_path(code, index)) return finish(cpu, ExitCode::notes_full, 0);
        continue;
      default:
        return finish(cpu, code, index);
    }
  }
}

/// A target that is no address faults at the transfer, which has by now been done: takes it back. (The return
/// address a call pushed stays below the stack pointer.)
std::optional<cpu::Exit> Translator::refuse_target(cpu::CpuState& cpu) {
  const u64 pc = slots().transfer_pc;
  const std::optional<cpu::Fault> fault = transfer_fault(slots().target);
  if (!fault || pc == 0) return std::nullopt;
  const u64 bytes = space_.accessible_bytes(pc, 15, memory::Access::execute);
  const x86::Decoded decoded = x86::decode({reinterpret_cast<const u8*>(pc), bytes});
  u64& rsp = slots().regs[Gpr::rsp];
  if (decoded.category == x86::Category::ret) rsp -= 8 + (static_cast<u64>(decoded.immediate) & 0xffff);
  if (decoded.category == x86::Category::call_indirect) rsp += 8;
  take_back_transfer(pc, decoded.length);
  if (notes_accesses()) put_record(AccessHeader::take_back(true).word, {});
  slots().regs.rip = pc;
  store(cpu);
  return cpu::Exit{.kind = cpu::ExitKind::fault, .instruction_bytes = decoded.length, .fault = *fault};
}

/// A host signal waits: exact code runs on to the next tick, where a signal may be delivered.
void Translator::stop_after_next_tick() {
  slots().stop_requested = 0;
  if (slots().stop_at_tick == kNever) {
    slots().stop_at_tick = slots().ticks + 1;
    slots().remaining = 1;
  }
}

/// The guest came to an instruction that its profile does not offer. From here on it may use all that the
/// processor has, AVX-512 among it, so the tick counter leaves xmm31 for memory and all code is made
/// anew. Deterministic: it happens at an instruction. A profile chosen by name never widens: there
/// the instruction is undefined, so that the recording replays on any processor of that profile.
void Translator::widen() {
  options_.may_widen = false;
  widened_ = true;
  if (auto host = x86::make_cpu_profile("host", x86::this_cpu(options_.hwcap2)); host)
    options_.features = host.value().features, options_.vector_components = host.value().xcr0;
  flush();
  if (options_.tick_home == TickHome::memory) return;
  options_.tick_home = TickHome::memory;
  slots().ticks_in_memory = 1;
  slots().remaining = slots().stop_at_tick - slots().ticks;  // the counter in xmm31 did not keep it
  // The guest finds the three registers as exec left the others: zero.
  __asm__ volatile(
      "vpxorq %%zmm29, %%zmm29, %%zmm29\n vpxorq %%zmm30, %%zmm30, %%zmm30\n vpxorq %%zmm31, %%zmm31, %%zmm31"
      :
      :);
}

BlockIndex Translator::next_block(const Turn& turn, Variant variant, CodeKind kind) {
  const u64 version = seen_version_, flushes = statistics_.flushes;
  apply_changes();
  const BlockIndex block = find_or_build(slots().regs.rip, variant, kind);
  if (block == kNone) return kNone;
  const bool same_code = version == seen_version_ && flushes == statistics_.flushes;
  if (turn.came_from != kNone && same_code && may_link(exits_[turn.came_from], blocks_[block]))
    link(turn.came_from, block);
  if (turn.indirect && kind == kOrdinaryCode) give_cell(block);
  if (turn.indirect && kind >= kFirstTainted) give_target(block);
  return block;
}

u64 Translator::enter(BlockIndex index, bool past_breakpoint) {
  const Block& block = blocks_[index];
  const bool chosen = borrows() && slots().chosen_from != 0;
  const bool past = (past_breakpoint || chosen) && block.host_past != 0;
  slots().enter_pc = reinterpret_cast<u64>(cache_at(past ? block.host_past : block.host_entry));
  slots().transfer_pc = 0;
  ++statistics_.entries;
  return orrery_enter();
}

/// Before a block.
cpu::Exit Translator::out_of_room(cpu::CpuState& cpu) {
  slots().uncounted = 0;
  return finish(cpu, ExitCode::notes_full, 0);
}

/// An exit that is for the machine.
cpu::Exit Translator::finish(cpu::CpuState& cpu, ExitCode code, ExitIndex index) {
  const bool has_record =
      code != ExitCode::fault && code != ExitCode::stopped_indirect && code != ExitCode::notes_full;
  if (code == ExitCode::stopped_indirect) slots().regs.rip = slots().target;
  if (has_record) slots().regs.rip = exits_[index].pc;
  const bool cut_off = code == ExitCode::fault || code == ExitCode::notes_full;
  if (cut_off) slots().instructions += slots().uncounted;
  if (cut_off && notes_profile()) count_cut_off(code);
  store(cpu);
  return leave(code, has_record ? exits_[index] : BlockExit{});
}

/// In a block that is not kept.
cpu::Exit Translator::run_one_instruction(cpu::CpuState& cpu) {
  load(cpu, {});
  apply_changes();
  const u32 cache_before = cache_used_;
  BuildOptions options = build_options();
  options.instructions_most = 1;
  options.alone = true;
  options.heap = nullptr;
  if (notes_suspects()) options.watched = nullptr;
  const BlockIndex block = build(cpu.regs.rip, options, false);
  if (block == kNone) return fetch_fault(cpu.regs.rip);
  const Block built = blocks_[block];
  if (notes_accesses()) note_chosen(block, true);
  const u64 taken = enter(block, false);
  const ExitCode code = code_of(taken);
  const ExitIndex index = index_of(taken);
  const bool at_exit = code == ExitCode::direct || code == ExitCode::end_of_fetch || code == ExitCode::widen;
  if (at_exit) slots().regs.rip = exits_[index].pc;
  cpu::Exit result{.kind = cpu::ExitKind::one_done};
  bool again = code == ExitCode::widen;
  if (code == ExitCode::path || code == ExitCode::path_full) {
    again = mend_path(code, index);
    if (!again) result = finish(cpu, ExitCode::notes_full, 0);
  } else if (code == ExitCode::indirect) {
    if (auto refused = refuse_target(cpu))
      result = *refused;
    else
      slots().regs.rip = slots().target;
  } else if (code == ExitCode::interrupted) {
    result.kind = cpu::ExitKind::interrupted;
  } else if (!at_exit) {
    result = finish(cpu, code, index);
  }
  if (result.kind != cpu::ExitKind::fault) store(cpu);
  blocks_.pop_back();
  if (borrows()) notes_.pop_back();
  exits_.resize(built.first_exit);
  marks_.resize(built.first_mark);
  source_.resize(built.first_source);
  cache_used_ = cache_before;
  if (!again) return result;
  if (code == ExitCode::widen) widen();
  return run_one_instruction(cpu);
}

cpu::Exit Translator::fetch_fault(u64 pc) const {
  const u64 fetchable = space_.accessible_bytes(pc, 15, memory::Access::execute);
  return {.kind = cpu::ExitKind::fault, .fault = instruction_fetch_fault(space_, pc + fetchable)};
}

cpu::Exit Translator::leave(ExitCode code, const BlockExit& exit) const {
  switch (code) {
    case ExitCode::syscall:
      return {.kind = cpu::ExitKind::syscall};
    case ExitCode::gated:
      return {.kind = cpu::ExitKind::gated, .gate = exit.gate, .instruction_bytes = exit.instruction_bytes};
    case ExitCode::stopped:
    case ExitCode::stopped_indirect:
      return {.kind = cpu::ExitKind::tick_reached};
    case ExitCode::breakpoint:
      return {.kind = cpu::ExitKind::breakpoint};
    case ExitCode::notes_full:
      return {.kind = cpu::ExitKind::notes_full};
    case ExitCode::fault:
      return {.kind = cpu::ExitKind::fault, .fault = executed_fault(slots().fault, slots().regs.rip)};
    case ExitCode::raise:
      return {.kind = cpu::ExitKind::fault,
              .instruction_bytes = exit.instruction_bytes,
              .fault = raised_fault(exit.pc, exit.instruction_bytes)};
    default:
      break;
  }
  CHECK(false, "an exit that run() handles itself");
  return {};
}

// --- finding and building ---

/// The newest block, live or not.
BlockIndex Translator::find(u64 pc, Variant variant, CodeKind kind) const {
  const BlockIndex newest = by_pc_.find(key(pc, variant, kind));
  return newest != kNone && blocks_[newest].pc == pc && blocks_[newest].kind == kind ? newest : kNone;
}

/// Where the number of a block of this kind is kept; whether it still is one is to be looked at.
BlockIndex& Translator::recent(u64 pc, CodeKind kind) {
  constexpr u64 kSpread = 0x9e37'79b9'7f4a'7c15;  // Fibonacci hashing (Knuth, TAOCP vol. 3, 6.4)
  static_assert(sizeof recent_ / sizeof recent_[0] == 1 << 12);
  return recent_[((pc ^ u64{kind} << 48) * kSpread) >> (64 - 12)];
}

BlockIndex Translator::find_or_build(u64 pc, Variant variant, CodeKind kind) {
  BlockIndex& known = recent(pc, kind);
  if (known < blocks_.size()) {
    const Block& block = blocks_[known];
    if (block.pc == pc && block.kind == kind && block.variant == variant && block.live) return known;
  }
  const BlockIndex newest = find(pc, variant, kind);
  if (newest != kNone && blocks_[newest].live) return known = newest;
  const u64 page = page_floor(pc);
  const bool checked =
      options_.always_checked ||
      (patched_pages_ != 0 && (is_patched(page) || is_patched(page_floor(pc + kBlockGuestBytesMost))));
  Block wanted;
  wanted.pc = pc;
  wanted.variant = variant;
  wanted.kind = kind;
  wanted.checked = checked;
  if (const BlockIndex revived = revive(wanted, newest); revived != kNone) return revived;
  BuildOptions options = build_options();
  options.variant = variant;
  options.checked = checked;
  options.kind = kind;
  options.sets = &sets_;
  options.targets = notes_undefined() ? &targets_ : nullptr;
  options.looked_at = notes_undefined() ? &looked_at_.places() : nullptr;
  options.breakpoints = breakpoints_.empty() ? nullptr : &breakpoints_;
  return build(pc, options, true);
}

/// What is the same for all blocks.
BuildOptions Translator::build_options() {
  return {.tick_home = options_.tick_home,
          .may_widen = options_.may_widen,
          .counts = counts_,
          .fixed_approximations = options_.fixed_approximations,
          .points = notes_accesses() ? &points_ : nullptr,
          .watched = notes_entries() ? &watched_ : nullptr,
          .paths = noted_ == Noted::watched_calls,
          .stretches = notes_profile() ? &stretches_ : nullptr,
          .heap = notes_suspects() ? &heap_ : nullptr};
}

BlockIndex Translator::build(u64 pc, const BuildOptions& options, bool keep_it) {
  const bool mostly_dead = dead_ > kDeadBlocksMost && dead_ > blocks_.size() / 2;
  if (cache_used_ + kBlockHostBytesMost > kCacheBytes || exits_.size() > (1u << 26) || mostly_dead) flush();
  const ExitIndex first_exit = static_cast<ExitIndex>(exits_.size());
  if (!builder_.build(pc, cache_used_, first_exit, options)) return kNone;
  const BuiltBlock& built = builder_.result();
  const BlockIndex index = static_cast<BlockIndex>(blocks_.size());
  Block block = built.block;
  block.first_exit = first_exit;
  block.exit_count = static_cast<u32>(built.exits.size());
  block.first_mark = static_cast<u32>(marks_.size());
  block.mark_count = static_cast<u32>(built.marks.size());
  marks_.insert(marks_.end(), built.marks.begin(), built.marks.end());
  block.first_source = static_cast<u32>(source_.size());
  source_.insert(source_.end(), built.source.begin(), built.source.end());
  for (BlockExit exit : built.exits) {
    exit.from = index;
    exit.variant = options.variant;
    exits_.push_back(exit);
  }
  if (built.stepped || (built.notes.chosen && notes_suspects())) {
    (built.stepped ? block.step : block.begin) = static_cast<u32>(decoded_.size());
    const x86::Decoded decoded = x86::decode(built.source);
    decoded_.push_back({decoded, x86::accesses_of(decoded, built.source), stack_growth(decoded, built.source),
                        notes_undefined() ? moves_together(built.source) : std::vector<PlainMove>{}});
  }
  cache_used_ = (block.host_end + 15) & ~15u;
  blocks_.push_back(block);
  if (borrows()) notes_.push_back(built.notes);
  ++statistics_.blocks;
  statistics_.guest_bytes += block.guest_bytes;
  statistics_.host_bytes += block.host_end - block.host_begin;
  if (keep_it) keep(index);
  // Where a call returns to, the return will look into the table, and would make the page of its entry twice.
  if (keep_it && built.returns_to != 0 && options.kind == kOrdinaryCode) cell_of(built.returns_to);
  return index;
}

/// Enters a block into the look-ups and has its pages watched.
void Translator::keep(BlockIndex index) {
  Block& block = blocks_[index];
  block.older = find(block.pc, block.variant, block.kind);
  by_pc_.set(key(block.pc, block.variant, block.kind), index);
  list_in_pages(index);
}

void Translator::list_in_pages(BlockIndex index) {
  Block& block = blocks_[index];
  const u64 first_page = page_floor(block.pc);
  const u64 last_page = page_floor(block.pc + block.guest_bytes - 1);
  for (u64 page = first_page, slot = 0; page <= last_page; page += kPageBytes, ++slot) {
    if (block.listed[slot]) continue;
    const BlockIndex head = by_page_.find(page);
    if (head == kNone && block.checked && is_patched(page))
      space_.watch_code_mapping(page);
    else if (head == kNone)
      space_.watch_code(page);
    block.listed[slot] = true;
    block.next_in_page[slot] = head;
    by_page_.set(page, index);
  }
}

/// Whether the guest may execute the very bytes that the block was made from.
bool Translator::still_reads(const Block& block) const {
  u8 now[kBlockGuestBytesMost + 16];
  const u64 bytes = block.guest_bytes;
  if (space_.accessible_bytes(block.pc, bytes, memory::Access::execute) < bytes) return false;
  if (memory::guarded_copy(now, reinterpret_cast<const u8*>(block.pc), bytes) < bytes) return false;
  return std::memcmp(now, source_.data() + block.first_source, bytes) == 0;
}

bool Translator::fits_breakpoints(const Block& block) const {
  const bool begins_at_one = block.host_past != 0;
  return begins_at_one == breakpoints_.contains(block.pc) &&
         breakpoints_.at_or_above(block.pc + 1) >= block.pc + block.guest_bytes;
}

bool Translator::fits_watched(const Block& block) const {
  if (!notes_entries()) return true;
  const bool watched = watched_.contains(block.pc);
  return block.watched == watched && (!watched || block.wanted == watched_.at(block.pc).wanted()) &&
         watched_.places().at_or_above(block.pc + 1) >= block.pc + block.guest_bytes;
}

/// Looks through the blocks that stood at this pc, from `newest` on, for one that fits again. What it was
/// linked to it still is: links of dead blocks are kept up like others.
BlockIndex Translator::revive(const Block& wanted, BlockIndex newest) {
  BlockIndex newer = kNone, index = newest;
  for (int looks = 0;; ++looks) {
    if (index == kNone || looks == kRevivalLooksMost) return kNone;
    const Block& block = blocks_[index];
    const bool fits = block.checked == wanted.checked && fits_breakpoints(block) && fits_watched(block) &&
                      fits_looked_at(block);
    if (fits && still_reads(block)) break;
    newer = index;
    index = blocks_[index].older;
  }
  Block& block = blocks_[index];
  if (newer != kNone) {
    blocks_[newer].older = block.older;
    block.older = newest;
    by_pc_.set(key(wanted.pc, wanted.variant, wanted.kind), index);
  }
  block.live = true;
  --dead_;
  ++statistics_.revived;
  list_in_pages(index);
  return index;
}

// --- linking ---

bool Translator::may_link(const BlockExit& exit, const Block& to) const {
  return exit.variant == to.variant && exit.kind == to.kind && to.step == kNone;
}

void Translator::link(ExitIndex exit_index, BlockIndex target) {
  BlockExit& exit = exits_[exit_index];
  if (exit.jump_offset == kNone || exit.linked_to != kNone || !blocks_[exit.from].live) return;
  const Block& block = blocks_[target];
  const bool past_note = exit.noted_entry && block.host_noted != 0;
  Emitter::bind32(cache_at(exit.jump_offset), cache_at(past_note ? block.host_noted : block.host_entry));
  const bool keeps =
      exit.kept_offset != kNone && block.host_tested != 0 && block.borrowed == blocks_[exit.from].borrowed;
  if (keeps) Emitter::bind32(cache_at(exit.kept_offset), cache_at(block.host_tested));
  exit.linked_to = target;
  exit.next_incoming = blocks_[target].incoming;
  blocks_[target].incoming = exit_index;
}

void Translator::unlink_incoming(Block& block) {
  for (ExitIndex index = block.incoming; index != kNone;) {
    BlockExit& exit = exits_[index];
    Emitter::bind32(cache_at(exit.jump_offset), cache_at(exit.stub_offset));
    if (exit.kept_offset != kNone) Emitter::bind32(cache_at(exit.kept_offset), cache_at(exit.release_offset));
    exit.linked_to = kNone;
    index = exit.next_incoming;
    exit.next_incoming = kNone;
  }
  block.incoming = kNone;
}

bool Translator::has_entry(u64 pc) const {
  const bool lent =
      space_.table_is_lent() && memory::layout::kLendable.contains(memory::layout::shadow_entry(pc));
  return in_code_window(pc) && !lent;
}

/// The cell that the shadow code table names for `pc`; 0 if it can have none.
u32 Translator::cell_of(u64 pc) {
  if (!has_entry(pc)) return 0;
  u32& entry = shadow_entry(pc);
  // Writing before it is read makes the entry's page at one fault; read first, it is the zero page until a
  // second.
  __asm__ volatile("orl $0, %0" : "+m"(entry) : : "cc");
  if (entry == 0) {
    if (cells_used_ == kCellsMost) return 0;
    cell_at(cells_used_) = cell_at(0);
    cell_pcs_.push_back(pc);
    entry = cells_used_++ * static_cast<u32>(sizeof(Cell));
  }
  return entry / static_cast<u32>(sizeof(Cell));
}

/// An indirect transfer reached the block: from now on the shadow code table leads there.
void Translator::give_cell(BlockIndex index) {
  Block& block = blocks_[index];
  const u32 cell = cell_of(block.pc);
  if (cell == 0) return;
  block.cell = cell;
  const u64 host = reinterpret_cast<u64>(cache_at(block.host_begin));
  (block.variant == Variant::fast ? cell_at(block.cell).fast : cell_at(block.cell).exact) = host;
}

}  // namespace orrery::translate
