// The BlockBuilder's part in notes and tests of memory accesses, notes of calls, and counts of executions.
#include <algorithm>
#include <bit>

#include "translate/block_builder.h"
#include "translate/code_cache.h"
#include "translate/plain_moves.h"
#include "translate/stack_growth.h"
#include "translate/touched_registers.h"
#include "x86/isa_table.h"

namespace orrery::translate {

using x86::Category;
using x86::Decoded;

// --- notes of memory accesses ---

void BlockBuilder::note_accesses(const Decoded& decoded) {
  if (tests()) return test_accesses(decoded);
  if (!notes()) return;
  noter_.before(emit_, decoded, {bytes_, decoded.length}, pc_);
  if (decoded.category == Category::ret && options_.watched != nullptr) noter_.value(emit_, Gpr::rax, pc_);
}

u32 BlockBuilder::done_with_this() const { return static_cast<u32>(pc_ + length_ - built_.block.pc); }

/// The bytes looked at ahead; a block that ends with them goes on in another.
void BlockBuilder::plan_notes(u64 pc) {
  constexpr u32 kBytesAhead = 2 * kFetchBytes;
  while (buffer_bytes_ < kBytesAhead && may_fetch_more_) fetch_more(pc);
  const bool has_fsgsbase = features_.contains(x86::Feature::fsgsbase);
  options_.instructions_most =
      noter_.plan({buffer_, buffer_bytes_}, pc, options_.instructions_most, *options_.points, has_fsgsbase);
}

void BlockBuilder::begin_notes() {
  pc_ = built_.block.pc;
  noter_.borrow(emit_);
  mark(Borrowed::notes_trial);
  noter_.try_end(emit_);
  noting_ = true;
}

void BlockBuilder::end_notes() {
  noter_.finish();
  built_.notes = noter_.notes();
  end_borrowing();
}

/// At a way out of the block: gives the registers back, if they are borrowed.
void BlockBuilder::give_back(AccessHeader header) {
  if (!noting_) return;
  if (!tests()) return noter_.release(emit_, header);
  emit_.load_slot(built_.notes.place, ORRERY_SLOT_NOTES_PLACE);
  emit_.load_slot(built_.notes.address, ORRERY_SLOT_NOTES_ADDRESS);
}

/// Behind the last instruction and the ways out.
void BlockBuilder::end_borrowing() {
  if (noting_) built_.notes.notes_end = static_cast<u32>(emit_.at() - entry_);
  noting_ = false;
}

// --- tests of memory accesses ---

bool BlockBuilder::begins_for_engine() const {
  if (tests()) return built_.notes.chosen || built_.block.watched;
  return notes() && noter_.begins_chosen();
}

/// Whether the engine is to look at an instruction, for what is undefined, before it is executed. If not,
/// takes from the undefined registers what the instruction defines.
bool BlockBuilder::needs_step(const Decoded& decoded, std::span<const u8> bytes, u64& tainted) const {
  if (options_.kind == kOrdinaryCode) return false;
  if (is_stepped(options_.kind)) return true;
  if (tainted == 0) return false;
  const TouchedRegisters touched = touched_registers(decoded, bytes);
  if ((touched.names & tainted) != 0) return true;
  if ((touched.defined & tainted) == 0) return false;
  const u64 rest = without(tainted, touched.defined);
  if (options_.sets->find_or_add(rest) == kNoCode) return true;
  tainted = rest;
  return false;
}

/// Whether the addresses of moves are certainly defined.
bool BlockBuilder::may_step_moves() const {
  constexpr u64 kGeneral = 0xffff;
  if (options_.kind < kFirstTainted) return options_.kind == kSteppedMoves;
  return (options_.sets->of(options_.kind) & kGeneral) == 0;
}

/// Behind an instruction.
void BlockBuilder::define_registers(const Decoded& decoded) {
  const u64 tainted = options_.sets->of(kind_);
  const u64 defined = touched_registers(decoded, {bytes_, decoded.length}).defined;
  if (built_.stepped || (defined & tainted) == 0) return;
  kind_ = options_.sets->find(without(tainted, defined));
  emit_.store_slot_imm32(ORRERY_SLOT_CODE_KIND, kind_);
}

/// As AccessNoter::plan: a block ends before it would leave fewer than two registers for the tests, and
/// before what the engine looks at itself.
void BlockBuilder::plan_tests(u64 pc) {
  constexpr u32 kBytesAhead = 2 * kFetchBytes;
  while (buffer_bytes_ < kBytesAhead && may_fetch_more_) fetch_more(pc);
  tested_ = false;
  BlockNotes& notes = built_.notes;
  u8 named = 0;
  u32 count = 0, marked = 0;
  u64 tainted = options_.sets != nullptr ? options_.sets->of(options_.kind) : 0;
  for (u64 at = 0; count < options_.instructions_most; ++count) {
    const std::span<const u8> bytes = std::span<const u8>(buffer_, buffer_bytes_).subspan(at);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.length == 0) break;
    if (needs_step(decoded, bytes, tainted)) {
      built_.stepped = count == 0;
      if (built_.stepped && may_step_moves()) count = static_cast<u32>(moves_together(bytes).size());
      count = std::min(count, options_.instructions_most);
      break;
    }
    const x86::Accesses accesses = accesses_of(decoded, bytes);
    const StackGrowth growth = marks() ? stack_growth(decoded, bytes) : StackGrowth{};
    const bool far = growth.kind == StackGrowth::Kind::registers || growth.size_bytes > kMarkedInlineMost;
    const bool looked_at = options_.looked_at != nullptr && options_.looked_at->contains(pc + at);
    const bool chosen = decoded.category == Category::copy && (is_for_engine(accesses) || far || looked_at);
    if (!far) marked += growth.size_bytes;
    if (marked > kMarkedInlineMost) break;
    if (chosen && count > 0) break;
    notes.chosen = notes.chosen || chosen;
    const u8 with_this = named | x86::high_registers(decoded, bytes);
    if (std::popcount(with_this) > 6) break;
    named = with_this;
    if (!chosen)
      for (const x86::MemoryAccess& access : accesses)
        tested_ =
            tested_ || (marks() ? is_tracked(access, decoded) : is_tested(access, decoded, bytes, pc + at));
    tested_ = tested_ || (!chosen && growth.kind == StackGrowth::Kind::constant);
    at += decoded.length;
    const bool goes_on = decoded.category == Category::copy || decoded.category == Category::jump_if ||
                         decoded.category == Category::loop;
    if (!goes_on || at >= buffer_bytes_) {
      ++count;
      break;
    }
  }
  options_.instructions_most = std::max(1u, count);
  options_.alone = options_.alone || built_.stepped;
  tested_ = tested_ && !options_.heap->leaves_out(pc);
  for (Gpr* const reg : {&notes.address, &notes.place}) {
    const int free = 15 - std::countl_one(named);
    named = static_cast<u8>(named | 1u << (free - 8));
    *reg = static_cast<Gpr>(free);
  }
}

void BlockBuilder::begin_tests() {
  if (!tested_) return;
  pc_ = built_.block.pc;
  emit_.store_slot(ORRERY_SLOT_NOTES_PLACE, built_.notes.place);
  emit_.store_slot(ORRERY_SLOT_NOTES_ADDRESS, built_.notes.address);
  emit_.load_slot(built_.notes.place, ORRERY_SLOT_SHADOW_OFFSET);
  noting_ = true;
  Block& block = built_.block;
  block.borrowed =
      static_cast<u8>(static_cast<u8>(built_.notes.place) << 4 | static_cast<u8>(built_.notes.address));
  if (block.host_past == 0 && !block.checked) block.host_tested = offset(emit_.at());
}

/// Of a direct way out of tests: a jump to where the registers are given back, which a link may lead past it.
/// Null if there is nothing to be kept.
u8* BlockBuilder::may_keep() {
  if (!noting_ || !tests()) return nullptr;
  u8* const displacement = emit_.jmp_relative();
  Emitter::bind32(displacement, emit_.at());
  return displacement;
}

void BlockBuilder::keeps(ExitIndex exit, u8* displacement, const u8* release) {
  if (displacement == nullptr) return;
  built_.exits[exit].kept_offset = offset(displacement);
  built_.exits[exit].release_offset = offset(release);
}

void BlockBuilder::test_accesses(const Decoded& decoded) {
  if (!noting_) return;
  const std::span<const u8> bytes(bytes_, decoded.length);
  const x86::Accesses accesses = accesses_of(decoded, bytes);
  if (is_for_engine(accesses)) return;
  if (marks()) return track(decoded, accesses);
  bool any = false;
  for (const x86::MemoryAccess& access : accesses) {
    if (!is_tested(access, decoded, bytes, pc_)) continue;
    if (!any) mark(Borrowed::access_test);
    any = true;
    emit_test(emit_, access, decoded, bytes, pc_, {built_.notes.place, built_.notes.address},
              options_.heap->reads_vectors(pc_));
  }
  if (any) mark(Borrowed::nothing);
}

/// Tests what is read, and marks what is written, or what a stack grows by.
void BlockBuilder::track(const Decoded& decoded, const x86::Accesses& accesses) {
  const std::span<const u8> bytes(bytes_, decoded.length);
  const TestRegisters borrowed{built_.notes.place, built_.notes.address};
  const StackGrowth growth = stack_growth(decoded, bytes);
  const bool grows = growth.kind == StackGrowth::Kind::constant && growth.size_bytes <= kMarkedInlineMost;
  const bool calls = decoded.category == Category::call || decoded.category == Category::call_indirect;
  mark(Borrowed::access_test);
  for (const x86::MemoryAccess& access : accesses)
    if (is_tracked(access, decoded) && access.kind != x86::AccessKind::write)
      emit_test(emit_, access, decoded, bytes, pc_, borrowed, false);
  for (const x86::MemoryAccess& access : accesses)
    if (is_tracked(access, decoded) && access.kind == x86::AccessKind::write)
      emit_defined(emit_, access, decoded, bytes, pc_, borrowed);
  if (grows) emit_undefined_below(emit_, 0, growth.size_bytes, borrowed);
  if (calls) emit_undefined_below(emit_, sizeof(u64), kRedZoneBytes, borrowed);
  mark(Borrowed::nothing);
}

// --- blocks that are not kept ---

/// From a block after which nothing else is to run: as if the table had no entry.
void BlockBuilder::leave_alone() {
  emit_.mov_imm64(Gpr::rax, pc_);
  emit_.store_slot(static_cast<u32>(offsetof(Slots, transfer_pc)), Gpr::rax);
  emit_.mov_imm32(Gpr::rax, static_cast<u32>(exit_code(ExitCode::indirect, 0)));
  emit_.jmp_slot(ORRERY_SLOT_EXIT_STUB);
}

// --- indirect transfers while registers are undefined ---

/// rax holds the target: as BlockBuilder::indirect_tail, through TaintedTargets. Borrows rcx and rdx too;
/// nothing here can fault.
void BlockBuilder::jump_tainted() {
  if (options_.targets == nullptr || kind_ < kFirstTainted) return leave_alone();
  const auto give_back_both = [&] {
    emit_.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
    emit_.load_slot(Gpr::rdx, ORRERY_SLOT_SPILL_SCRATCH);
  };
  emit_.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
  emit_.store_slot(ORRERY_SLOT_SPILL_SCRATCH, Gpr::rdx);
  static constexpr u8 kIndex[] = {0x0f, 0xb7, 0xc8,   // movzx ecx, ax
                                  0x8d, 0x0c, 0x09};  // lea ecx, [rcx + rcx]
  emit_.bytes(kIndex);
  emit_.mov_imm64(Gpr::rdx, reinterpret_cast<u64>(options_.targets->first(kind_, options_.variant)));
  static constexpr u8 kCompare[] = {0x48, 0x8d, 0x14, 0xca,   // lea rdx, [rdx + rcx*8]
                                    0x48, 0x8b, 0x0a,         // mov rcx, [rdx]
                                    0x48, 0x8d, 0x0c, 0x01};  // lea rcx, [rcx + rax]
  emit_.bytes(kCompare);
  u8* const found = emit_.short_branch(0xe3);  // jrcxz
  give_back_both();
  leave_alone();
  emit_.bind8(found);
  static constexpr u8 kLoadHost[] = {0x48, 0x8b, 0x52, 0x08};  // mov rdx, [rdx + 8]
  emit_.bytes(kLoadHost);
  emit_.store_slot(ORRERY_SLOT_ENTER_PC, Gpr::rdx);
  give_back_both();
  emit_.jmp_slot(ORRERY_SLOT_ENTER_PC);
}

// --- notes of calls ---

void BlockBuilder::note_call(CallRecord record, const Decoded& decoded) {
  note_accesses(decoded);
  if (options_.watched == nullptr || notes() || tests()) return;
  if (options_.paths) return note_path(record);
  if (options_.stretches != nullptr)
    return note_profile(record == CallRecord::call ? ProfileRecord::call : ProfileRecord::ret, decoded, 0);
  emit_call_note_begin(emit_);
  mark(Borrowed::call_trial);
  emit_call_note(emit_, record, pc_);
  mark(Borrowed::nothing);
}

/// So that a profile needs one record for the call and the entry.
bool BlockBuilder::leads_to_watched(u64 target) const {
  return options_.stretches != nullptr && options_.watched->contains(target);
}

/// Of the present call or return. A fault of one that is counted ahead takes its counts back.
void BlockBuilder::note_profile(ProfileRecord record, const Decoded& decoded, u64 callee) {
  emit_call_note_begin(emit_);
  mark(Borrowed::call_trial);
  if (options_.tick_home == TickHome::memory && decoded.category != Category::call_indirect) {
    emit_counted_note(emit_, record, pc_, counts_to_here(Counted::with_this, true), callee);
    counted_ahead_ = true;
    return mark(Borrowed::counted);
  }
  emit_profile_note(emit_, record, pc_, uncounted_ + 1, options_.tick_home, callee);
  mark(Borrowed::nothing);
}

void BlockBuilder::note_entry() {
  pc_ = built_.block.pc;
  if (tests()) return;  // the block leaves for the engine there
  if (notes()) {
    for (const Gpr reg : kEnteredValues) noter_.value(emit_, reg, pc_);
    return;
  }
  const WatchedFunction wanted = options_.watched->at(pc_);
  const auto mark_trial = [this] { mark(Borrowed::entry_trial); };
  u8* done = nullptr;
  if (options_.paths) {
    done = emit_path_led(emit_, pc_, wanted, options_.tick_home, mark_trial);
    emit_path_entry(emit_, wanted, mark_trial);
  }
  emit_call_note_begin(emit_);
  mark(Borrowed::call_trial);
  if (options_.stretches == nullptr)
    emit_entry_note(emit_, pc_, wanted, options_.tick_home);
  else
    emit_profile_note(emit_, ProfileRecord::entry, pc_, 0, options_.tick_home);
  mark(Borrowed::nothing);
  if (done != nullptr) Emitter::bind32(done, emit_.at());
}

// --- counts of executions ---

u32 BlockBuilder::add_stretch(const Stretch& stretch) {
  return options_.alone ? options_.stretches->find_or_add(stretch) : options_.stretches->add(stretch);
}

void BlockBuilder::copy_repeated(const Decoded& decoded) {
  const u32 row = add_stretch({.pc = pc_, .guest_bytes = decoded.length, .kind = StretchKind::elements});
  emit_elements_begin(emit_);
  copy(decoded);
  const bool compares = x86::is_compare_string(decoded);
  constexpr u8 kEqual = 4, kNotEqual = 5;
  const u8 condition = !compares ? kNoCondition : decoded.has_f2 ? kNotEqual : kEqual;
  emit_elements_end(emit_, options_.tick_home, row, condition);
}

/// Of a call, and of a return that does not end a watched function, nothing is noted here.
void BlockBuilder::note_path(CallRecord record) {
  if (record == CallRecord::call)
    return emit_path_call(
        emit_, pc_, [this] { mark(Borrowed::path_full); }, [this] { mark(Borrowed::nothing); });
  PathReturn made;
  path_exits_.push_back({made.begin(emit_), add_exit(pc_, nullptr), uncounted_});
  mark(Borrowed::path_trial);
  emit_call_note(emit_, record, pc_);
  made.end(emit_);
  mark(Borrowed::nothing);
}

}  // namespace orrery::translate
