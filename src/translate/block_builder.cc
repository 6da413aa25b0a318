// Building a block.
//
// Guest and host speak the same instruction set, so nearly every instruction is copied byte for byte.
// Rewritten are control transfers, and rip-relative operands: the cache lies within 2 GiB of where
// programs and libraries are placed (memory/layout.h), so for most of those only the displacement
// changes; an operand below 2 GiB becomes absolute; the rest goes through a borrowed register.
//
// A block runs on past conditional jumps that are not taken, as the guest's code lies in memory, so the
// straight path has no jump at all. It ends at an unconditional transfer, at an instruction that must
// leave the cache, and at limits of size.
//
// Code on pages that are patched all the time is not write-protected but checks itself: the block begins with
// a jump to a comparison of the guest's bytes with those it was made from, placed behind its body where
// these are known. It ends after each instruction that may store, because that may be into the next one.
//
// A block that begins at a breakpoint begins with a jump to the stub that leaves for it; who goes on from
// there enters behind that jump. A block that would run over one ends before it, so that each is the start of
// a block.
//
// A backward jcc counts its tick ahead of the jump and takes it back when it falls through: a hot loop
// pays one vpaddq and no extra jump. (Where instructions are counted too, both are where it is taken.)
// Nothing between the two can fault or leave, so nobody sees it.
//
// Return addresses on the guest's stack are the guest's own. They are pushed as one 8-byte store (from
// a literal beside the block, or sign-extended from 32 bits), because two 4-byte stores would defeat
// store forwarding to the return's load.
#include "translate/block_builder.h"

#include <algorithm>

#include "base/check.h"
#include "memory/guarded_copy.h"
#include "translate/code_cache.h"
#include "translate/indirect.h"
#include "x86/approximation.h"
#include "x86/stores.h"

namespace orrery::translate {

using x86::Category;
using x86::Decoded;

namespace {

constexpr u8 kRexW = 0x48;
constexpr u8 kInstructionBytesMost = 15;

bool fits_i32(i64 value) { return value == static_cast<i32>(value); }

/// Whether `target` is reachable with a rip-relative displacement from everywhere near `at`.
bool reachable(const u8* at, u64 target) {
  const i64 distance = static_cast<i64>(target - reinterpret_cast<u64>(at));
  constexpr i64 kMargin = 64;
  return distance < INT32_MAX - kMargin && distance > INT32_MIN + kMargin;
}

/// A legacy register that neither the operands nor any instruction with a ModRM memory operand uses
/// implicitly (cmpxchg16b uses rbx, so rbx comes last and only for VEX).
Gpr scratch_for(const Decoded& decoded, u8 vvvv) {
  const u8 reg = decoded.modrm_reg();
  if (reg != 6 && vvvv != 6) return Gpr::rsi;
  if (reg != 7 && vvvv != 7) return Gpr::rdi;
  return Gpr::rbx;
}

Borrowed borrowed_register(Gpr reg) {
  if (reg == Gpr::rsi) return Borrowed::rsi;
  return reg == Gpr::rdi ? Borrowed::rdi : Borrowed::rbx;
}

}  // namespace

u32 BlockBuilder::offset(const u8* at) const { return static_cast<u32>(at - cache_base()); }

/// How many of the guest's bytes from `pc` on are in the buffer: 15 or more if the guest may execute so many.
u32 BlockBuilder::fetched(u64 pc) {
  const u32 have = buffer_bytes_ - static_cast<u32>(pc - built_.block.pc);
  return have >= kInstructionBytesMost || !may_fetch_more_ ? have : fetch_more(pc);
}

u32 BlockBuilder::fetch_more(u64 pc) {
  const u64 from = built_.block.pc + buffer_bytes_;
  const u64 bytes = space_.accessible_bytes(from, kFetchBytes, memory::Access::execute);
  const u64 copied = memory::guarded_copy(buffer_ + buffer_bytes_, reinterpret_cast<const u8*>(from), bytes);
  buffer_bytes_ += static_cast<u32>(copied);
  may_fetch_more_ = copied == kFetchBytes;
  return buffer_bytes_ - static_cast<u32>(pc - built_.block.pc);
}

/// Emits what stands before the first guest instruction. Returns the displacement of the jump to the check of
/// the source, null if the block has none.
u8* BlockBuilder::begin(u64 pc, u32 cache_offset) {
  emit_ = Emitter(cache_at(cache_offset));
  Block& block = built_.block;
  block.variant = options_.variant;
  block.kind = options_.kind;
  block.looked_at = options_.looked_at != nullptr && options_.looked_at->contains(pc);
  block.host_begin = cache_offset;
  emit_.load_slot(Gpr::rax, ORRERY_SLOT_SPILL_RAX);  // indirect jumps arrive here with rax borrowed
  entry_ = emit_.at();
  block.host_entry = offset(entry_);
  block.checked = options_.checked;
  next_breakpoint_ = next_stop_above(pc);
  block.watched = options_.watched != nullptr && options_.watched->contains(pc);
  block.wanted = block.watched ? options_.watched->at(pc).wanted() : 0;
  if (options_.breakpoints != nullptr && options_.breakpoints->contains(pc)) {
    leave(ExitCode::breakpoint, pc);
    block.host_past = offset(emit_.at());
  }
  if (begins_for_engine() && block.host_past == 0) {
    leave(ExitCode::chosen, pc);
    block.host_past = offset(emit_.at());
  }
  return options_.checked ? emit_.jmp_relative() : nullptr;
}

/// The least breakpoint or watched function above `pc`; ~0 if there is none.
u64 BlockBuilder::next_stop_above(u64 pc) const {
  u64 next = ~u64{0};
  if (options_.breakpoints != nullptr) next = options_.breakpoints->at_or_above(pc + 1);
  if (options_.watched != nullptr) next = std::min(next, options_.watched->places().at_or_above(pc + 1));
  return next;
}

/// Whether the instruction at pc_, which is not the block's first, must begin another.
bool BlockBuilder::at_breakpoint() {
  if (next_breakpoint_ < pc_) next_breakpoint_ = next_stop_above(pc_ - 1);
  return next_breakpoint_ == pc_;
}

bool BlockBuilder::build(u64 pc, u32 cache_offset, ExitIndex first_exit, const BuildOptions& options) {
  options_ = options;
  first_exit_ = first_exit;
  built_.block = Block{};
  built_.block.pc = pc;
  built_.returns_to = 0;
  built_.marks.clear();
  built_.exits.clear();
  stubs_.clear();
  literals_.clear();
  path_exits_.clear();
  buffer_bytes_ = 0;
  may_fetch_more_ = true;
  uncounted_ = 0;
  counted_ahead_ = false;
  plain_ = !options.checked && !notes() && !tests() && options.stretches == nullptr &&
           features_.contains(x86::Feature::base);
  ways_out_.clear();
  noting_ = false;
  if (fetched(pc) == 0) return false;
  built_.notes = BlockNotes{};
  built_.stepped = false;
  kind_ = options.kind;
  if (notes()) plan_notes(pc);
  if (tests()) plan_tests(pc);
  u8* const to_check = begin(pc, cache_offset);
  u8* const body = emit_.at();
  if (notes()) begin_notes();
  if (tests()) begin_tests();
  if (built_.block.watched) note_entry();
  const bool begins_with_note = !options.checked && built_.block.host_past == 0;
  if (built_.block.watched && options_.stretches != nullptr && begins_with_note)
    built_.block.host_noted = offset(emit_.at());

  const u64 limit = pc + kBlockGuestBytesMost < page_floor(pc) + 2 * kPageBytes
                        ? pc + kBlockGuestBytesMost
                        : page_floor(pc) + 2 * kPageBytes - 15;
  pc_ = pc;
  for (u32 count = 0;; ++count) {
    const bool full = count == options_.instructions_most || (pc_ > limit && count > 0);
    if (full || (count > 0 && at_breakpoint())) {
      leave(ExitCode::direct, pc_);
      break;
    }
    const Step step = next_instruction(fetched(pc_));
    if (step == Step::go_on) continue;
    if (step == Step::ended) break;
    if (count == 0) return false;
    leave(ExitCode::end_of_fetch, pc_);
    break;
  }
  built_.block.guest_bytes = static_cast<u32>(pc_ - pc);
  built_.source = {buffer_, built_.block.guest_bytes};
  emit_ways_out();
  if (notes()) end_notes();
  if (tests()) end_borrowing();
  if (options.checked) {
    Emitter::bind32(to_check, emit_.at());
    check_source(body);
  }
  emit_stubs();
  built_.block.host_end = offset(emit_.at());
  return true;
}

/// Translates the instruction at pc_, of which `have` bytes or more are in the buffer, and goes past it.
BlockBuilder::Step BlockBuilder::next_instruction(u32 have) {
  bytes_ = buffer_ + (pc_ - built_.block.pc);
  if (const u8 length = plain_ ? x86::plain_length({bytes_, have}) : u8{0}; length != 0) {
    mark(Borrowed::nothing);
    emit_.instruction(bytes_, length);
    if (options_.counts) ++uncounted_;
    pc_ += length;
    return Step::go_on;
  }
  Decoded decoded = x86::decode({bytes_, have});
  if (decoded.length == 0) return Step::cut;
  if (x86::is_bit_scan_to_narrow(features_, decoded)) {
    std::memcpy(narrowed_, bytes_, sizeof narrowed_);
    bytes_ = narrowed_;
    x86::narrow_bit_scan(features_, decoded, {narrowed_, decoded.length});
  }
  length_ = decoded.length;
  const Step step = instruction(decoded);
  pc_ += decoded.length;
  if (notes()) noter_.instruction_done(decoded, {bytes_, decoded.length});
  if (step == Step::ended || !options_.checked || !x86::may_store(decoded)) return step;
  leave(ExitCode::direct, pc_);
  return Step::ended;
}

BlockBuilder::Step BlockBuilder::instruction(const Decoded& decoded) {
  mark(Borrowed::nothing);
  if (decoded.category != Category::invalid && !x86::offered(features_, decoded)) {
    leave(options_.may_widen ? ExitCode::widen : ExitCode::raise, pc_, cpu::Gate::none, decoded.length);
    return Step::ended;
  }
  const u64 next = pc_ + decoded.length;
  const u64 target = next + static_cast<u64>(decoded.immediate);
  switch (decoded.category) {
    case Category::copy:
      if (options_.fixed_approximations && x86::is_approximation(decoded)) {
        leave(ExitCode::gated, pc_, cpu::Gate::approximation, decoded.length);
        return Step::ended;
      }
      note_accesses(decoded);
      if (options_.stretches != nullptr && x86::is_repeated_string(decoded))
        copy_repeated(decoded);
      else
        copy(decoded);
      if (notes()) noter_.after(emit_);
      if (kind_ >= kFirstTainted) define_registers(decoded);
      if (options_.counts) ++uncounted_;
      return Step::go_on;
    case Category::jump_if:
      jump_if(decoded, target);
      return Step::go_on;
    case Category::loop:
      loop(decoded, target);
      return Step::go_on;
    case Category::jump:
      jump(target, target <= pc_);
      return Step::ended;
    case Category::call:
      leads_to_watched(target) ? note_profile(ProfileRecord::enter, decoded, target)
                               : note_call(CallRecord::call, decoded);
      call(target, next);
      return Step::ended;
    case Category::jump_indirect:
      note_accesses(decoded);
      load_indirect_target(decoded);
      indirect_tail();
      return Step::ended;
    case Category::call_indirect:
      note_call(CallRecord::call, decoded);
      load_indirect_target(decoded);
      push_return_address(next, Borrowed::rax);
      indirect_tail();
      return Step::ended;
    case Category::ret:
      note_call(CallRecord::ret, decoded);
      ret(decoded);
      return Step::ended;
    case Category::syscall:
      leave(ExitCode::syscall, next);
      return Step::ended;
    case Category::gated:
      leave(ExitCode::gated, pc_, decoded.gate, decoded.length);
      return Step::ended;
    case Category::far_transfer:
      leave(ExitCode::gated, pc_, cpu::Gate::far_transfer, decoded.length);
      return Step::ended;
    case Category::trap:
    case Category::invalid:
      leave(ExitCode::raise, pc_, cpu::Gate::none, decoded.length);
      return Step::ended;
  }
  CHECK(false, "an instruction of no category");
  return Step::ended;
}

void BlockBuilder::mark(Borrowed borrowed) {
  built_.marks.push_back({static_cast<u16>(emit_.at() - entry_), static_cast<u16>(pc_ - built_.block.pc),
                          borrowed, static_cast<u8>(uncounted_)});
}

// --- instructions that run as they stand ---

void BlockBuilder::copy(const Decoded& decoded) {
  if (!decoded.rip_relative) return emit_.instruction(bytes_, decoded.length);
  u64 target = pc_ + decoded.length + static_cast<u64>(static_cast<i64>(decoded.displacement));
  if (decoded.has_67) target &= 0xffff'ffff;
  if (!decoded.has_67 && reachable(emit_.at(), target)) return copy_rip_relative(decoded, target);
  // The absolute form has a SIB byte more.
  if (target < 0x8000'0000 && decoded.length < kInstructionBytesMost) return copy_absolute(decoded, target);
  copy_through_scratch(decoded, target);
}

void BlockBuilder::copy_rip_relative(const Decoded& decoded, u64 target) {
  u8* const start = emit_.at();
  emit_.instruction(bytes_, decoded.length);
  const u32 displacement = static_cast<u32>(target - reinterpret_cast<u64>(emit_.at()));
  std::memcpy(start + decoded.displacement_offset, &displacement, 4);
}

/// [rip + d] becomes [disp32]: ModRM.rm = 4 with SIB 0x25 (no base, no index). A set X bit would make
/// r12 the index, so it is cleared wherever the encoding keeps it (VEX and EVEX keep it inverted).
void BlockBuilder::copy_absolute(const Decoded& decoded, u64 target) {
  const u8* const bytes = bytes_;
  u8* const start = emit_.at();
  emit_.bytes({bytes, decoded.modrm_offset});
  const u8 prefix = decoded.prefix_bytes;
  if (decoded.encoding == x86::Encoding::legacy && decoded.rex != 0)
    start[prefix - 1] &= static_cast<u8>(~0x02);
  if (decoded.encoding != x86::Encoding::legacy && start[prefix] != 0xc5) start[prefix + 1] |= 0x40;
  emit_.byte(static_cast<u8>((decoded.modrm & 0x38) | 0x04));
  emit_.byte(0x25);
  emit_.word32(static_cast<u32>(target));
  const u32 tail = decoded.displacement_offset + 4u;
  emit_.bytes({bytes + tail, decoded.length - tail});
}

/// [rip + d] becomes [scratch], with the scratch register's guest value kept in spill_scratch.
void BlockBuilder::copy_through_scratch(const Decoded& decoded, u64 target) {
  const u8* const bytes = bytes_;
  const u8 prefix = decoded.prefix_bytes;
  u8 vvvv = 0xff;
  if (decoded.encoding != x86::Encoding::legacy) {
    const u8 payload = bytes[prefix] == 0xc5 ? bytes[prefix + 1] : bytes[prefix + 2];
    vvvv = static_cast<u8>((~payload >> 3) & 0x0f);
  }
  const Gpr scratch = scratch_for(decoded, vvvv);
  emit_.store_slot(ORRERY_SLOT_SPILL_SCRATCH, scratch);
  mark(borrowed_register(scratch));
  emit_.mov_imm64(scratch, target);
  u8* const start = emit_.at();
  emit_.bytes({bytes, decoded.modrm_offset});
  if (decoded.encoding == x86::Encoding::legacy && decoded.rex != 0)
    start[prefix - 1] &= static_cast<u8>(~0x01);
  if (decoded.encoding != x86::Encoding::legacy && start[prefix] != 0xc5) start[prefix + 1] |= 0x20;
  emit_.byte(static_cast<u8>((decoded.modrm & 0x38) | static_cast<u8>(scratch)));
  const u32 tail = decoded.displacement_offset + 4u;
  emit_.bytes({bytes + tail, decoded.length - tail});
  emit_.load_slot(scratch, ORRERY_SLOT_SPILL_SCRATCH);
}

// --- direct transfers ---

ExitIndex BlockBuilder::add_exit(u64 pc, u8* jump_displacement) {
  BlockExit exit;
  exit.pc = pc;
  if (jump_displacement != nullptr) exit.jump_offset = offset(jump_displacement);
  exit.kind = kind_;
  built_.exits.push_back(exit);
  return static_cast<ExitIndex>(built_.exits.size() - 1);
}

/// What is to be counted on a way out here, with the present instruction or without, and a tick if it is one.
Counts BlockBuilder::counts_to_here(Counted counted, bool tick, StretchKind kind) {
  if (counted_ahead_) return {};
  const bool with_this = counted == Counted::with_this;
  Counts counts{.instructions = options_.counts ? uncounted_ + (with_this ? 1 : 0) : 0, .tick = tick};
  if (options_.stretches == nullptr || counts.instructions == 0) return counts;
  const u64 end = pc_ + (with_this ? length_ : 0);
  counts.stretch = add_stretch({.pc = built_.block.pc,
                                .guest_bytes = static_cast<u16>(end - built_.block.pc),
                                .instructions = static_cast<u16>(counts.instructions),
                                .kind = kind});
  return counts;
}

/// After a tick, in exact code: leaves for the engine when the stop is reached, all registers the guest's.
void BlockBuilder::stop_check(ExitCode code, ExitIndex exit) {
  if (options_.variant == Variant::fast) return;
  u8* stop = emit_compare_stop(emit_, options_.tick_home);
  emit_.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
  u8* go_on = emit_.short_branch(0xeb);  // jmp rel8
  emit_.bind8(stop);
  emit_.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
  if (code == ExitCode::stopped) emit_.store_slot(ORRERY_SLOT_SPILL_RAX, Gpr::rax);
  emit_.mov_imm32(Gpr::rax, static_cast<u32>(exit_code(code, first_exit_ + exit)));
  emit_.jmp_slot(ORRERY_SLOT_EXIT_STUB);
  emit_.bind8(go_on);
}

BlockBuilder::WayOut BlockBuilder::way_out(u64 target, bool ticks, StretchKind kind) {
  return {target, ticks, counts_to_here(Counted::with_this, ticks, kind),
          noter_.header(done_with_this(), true, ticks), kind_};
}

/// Jumps to the target, linkable, through a stub until it is linked. `kept`: see keeps(); null if it is to be
/// emitted.
void BlockBuilder::take(const WayOut& way, u8* kept) {
  const bool stops = way.ticks && options_.variant == Variant::exact, gives_back_first = stops || notes();
  if (gives_back_first) give_back(way.header);
  emit_counts(emit_, options_.tick_home, way.counts);
  if (stops) stop_check(ExitCode::stopped, add_exit(way.target, nullptr));
  if (!gives_back_first && kept == nullptr) kept = may_keep();
  const u8* const release = emit_.at();
  if (!gives_back_first) give_back(way.header);
  u8* const displacement = emit_.jmp_relative();
  const ExitIndex exit = add_exit(way.target, displacement);
  built_.exits[exit].kind = way.kind;
  stubs_.push_back({ExitCode::direct, exit, displacement});
  keeps(exit, kept, release);
}

/// Goes to a known target, by way of a tick if the transfer is one.
void BlockBuilder::jump(u64 target, bool ticks) { take(way_out(target, ticks, StretchKind::whole)); }

/// What is counted and noted of a jump that is taken lies behind the block, or, of a loop, behind the jump.
void BlockBuilder::jump_if(const Decoded& decoded, u64 target) {
  const bool ticks = target <= pc_;
  const bool in_vector = options_.variant == Variant::fast && options_.tick_home == TickHome::vector;
  const bool ticks_ahead = ticks && in_vector && !options_.counts && !notes();
  if (ticks_ahead) emit_tick(emit_, options_.tick_home);
  const WayOut way = way_out(target, ticks && !ticks_ahead, StretchKind::taken);
  if (options_.counts) ++uncounted_;
  if (way.ticks) {
    u8* const not_taken = emit_.jcc_relative(decoded.condition ^ 1);
    take(way);
    return Emitter::bind32(not_taken, emit_.at());
  }
  u8* const displacement = emit_.jcc_relative(decoded.condition);
  if (options_.counts || noting_)
    ways_out_.push_back({displacement, way});
  else
    stubs_.push_back({ExitCode::direct, add_exit(target, displacement), displacement});
  if (ticks_ahead) emit_untick(emit_);
}

/// loop, loope, loopne and jrcxz only have 8-bit displacements: they jump over a jump.
void BlockBuilder::loop(const Decoded& decoded, u64 target) {
  if (decoded.has_67) emit_.byte(0x67);
  u8* to_taken = emit_.short_branch(decoded.opcode);
  u8* to_next = emit_.jmp_relative();
  emit_.bind8(to_taken);
  take(way_out(target, target <= pc_, StretchKind::taken));
  Emitter::bind32(to_next, emit_.at());
  if (options_.counts) ++uncounted_;
}

/// The conditional ones. Of tests nothing is counted there, and a link may lead past all of it.
void BlockBuilder::emit_ways_out() {
  for (const PendingWayOut& pending : ways_out_) {
    Emitter::bind32(pending.displacement, emit_.at());
    take(pending.way, tests() && noting_ && !options_.counts ? pending.displacement : nullptr);
  }
}

void BlockBuilder::push_return_address(u64 address, Borrowed borrowed) {
  built_.returns_to = address;
  if (borrowed != Borrowed::nothing) mark(borrowed);
  if (fits_i32(static_cast<i64>(address))) return emit_.push_imm32(static_cast<u32>(address));
  literals_.push_back({emit_.push_rip_relative(), address});
}

void BlockBuilder::call(u64 target, u64 return_address) {
  push_return_address(return_address, Borrowed::nothing);
  jump(target, true);
  built_.exits.back().noted_entry = leads_to_watched(target);
}

// --- indirect transfers ---

/// rax = the operand of an indirect jump or call, with the guest's rax in spill_rax.
void BlockBuilder::load_indirect_target(const Decoded& decoded) {
  emit_.store_slot(ORRERY_SLOT_SPILL_RAX, Gpr::rax);
  const u8* const bytes = bytes_;
  if (decoded.rip_relative) {
    u64 address = pc_ + decoded.length + static_cast<u64>(static_cast<i64>(decoded.displacement));
    if (decoded.has_67) address &= 0xffff'ffff;
    emit_.mov_imm64(Gpr::rax, address);
    mark(Borrowed::rax);
    if (decoded.segment != 0) emit_.byte(decoded.segment);
    static constexpr u8 kLoad[] = {kRexW, 0x8b, 0x00};  // mov rax, [rax]
    return emit_.bytes(kLoad);
  }
  if (decoded.segment != 0) emit_.byte(decoded.segment);
  if (decoded.has_67) emit_.byte(0x67);
  emit_.byte(static_cast<u8>(kRexW | (decoded.rex & 3)));
  emit_.byte(0x8b);  // mov rax, r/m64 with the operand's own ModRM, SIB and displacement
  emit_.byte(static_cast<u8>(decoded.modrm & ~0x38));
  const u32 rest = decoded.modrm_offset + 1u;
  emit_.bytes({bytes + rest, decoded.length - rest});
}

/// rax holds the target: notes it, counts, and jumps through the shadow code table (see indirect.h).
void BlockBuilder::indirect_tail() {
  give_back(noter_.header(done_with_this(), true, true));
  emit_.store_slot(ORRERY_SLOT_TARGET, Gpr::rax);
  emit_counts(emit_, options_.tick_home, counts_to_here(Counted::with_this, true));
  const bool exact = options_.variant == Variant::exact;
  stop_check(ExitCode::stopped_indirect, 0);
  if (options_.alone) return leave_alone();
  if (kind_ != kOrdinaryCode) return jump_tainted();
  mark(Borrowed::shadow_load);
  static constexpr u8 kLoadEntry[] = {0x8b, 0x84, 0x80};  // mov eax, [rax + rax*4 + disp32]
  emit_.bytes(kLoadEntry);
  emit_.word32(static_cast<u32>(memory::layout::kShadowBase));
  static constexpr u8 kJumpCell[] = {0xff, 0xa0};  // jmp [rax + disp32]
  emit_.bytes(kJumpCell);
  emit_.word32(static_cast<u32>(memory::layout::kCells.start +
                                (exact ? offsetof(Cell, exact) : offsetof(Cell, fast))));
}

void BlockBuilder::ret(const Decoded& decoded) {
  emit_.store_slot(ORRERY_SLOT_SPILL_RAX, Gpr::rax);
  emit_.pop_rax();
  if (decoded.immediate_bytes != 0) emit_.add_to(Gpr::rsp, static_cast<i32>(decoded.immediate & 0xffff));
  indirect_tail();
}

// --- ways out ---

/// Ends the block: the rest is for the engine.
void BlockBuilder::leave(ExitCode code, u64 pc, cpu::Gate gate, u8 instruction_bytes) {
  const bool performed = code == ExitCode::syscall || code == ExitCode::gated;
  const u32 before = static_cast<u32>(pc_ - built_.block.pc);
  const AccessHeader header = noter_.header(performed ? done_with_this() : before, performed, false);
  if (notes()) give_back(header);
  emit_counts(emit_, options_.tick_home,
              counts_to_here(performed ? Counted::with_this : Counted::before_this, false));
  u8* const kept = code == ExitCode::direct ? may_keep() : nullptr;
  const u8* const release = emit_.at();
  if (!notes()) give_back(header);
  u8* displacement = emit_.jmp_relative();
  const ExitIndex exit = add_exit(pc, code == ExitCode::direct ? displacement : nullptr);
  keeps(exit, kept, release);
  built_.exits.back().gate = gate;
  built_.exits.back().instruction_bytes = instruction_bytes;
  stubs_.push_back({code, exit, displacement});
}

void BlockBuilder::emit_path_exits() {
  for (const PendingPathExit& pending : path_exits_) {
    Emitter::bind32(pending.from.displacement, emit_.at());
    emit_path_give_back(emit_);
    emit_counts(emit_, options_.tick_home, {.instructions = pending.uncounted});
    stubs_.push_back({ExitCode::path, pending.exit, emit_.jmp_relative()});
  }
}

void BlockBuilder::emit_stubs() {
  emit_path_exits();
  for (const PendingStub& stub : stubs_) {
    built_.exits[stub.exit].stub_offset = offset(emit_.at());
    Emitter::bind32(stub.displacement, emit_.at());
    emit_.store_slot(ORRERY_SLOT_SPILL_RAX, Gpr::rax);
    emit_.mov_imm32(Gpr::rax, static_cast<u32>(exit_code(stub.code, first_exit_ + stub.exit)));
    emit_.jmp_slot(ORRERY_SLOT_EXIT_STUB);
  }
  // Aligned, for a guest that has misaligned accesses reported (AC).
  while (!literals_.empty() && reinterpret_cast<u64>(emit_.at()) % sizeof(u64) != 0) emit_.byte(0xcc);
  for (const PendingLiteral& literal : literals_) {
    Emitter::bind32(literal.displacement, emit_.at());
    emit_.word64(literal.value);
  }
}

}  // namespace orrery::translate
