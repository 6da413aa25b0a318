// The Translator's part in the streams of notes: where they go, what the engine adds to them itself, and how
// a record is ended that a fault has cut off.
#include <array>
#include <utility>

#include "cpu/vector_state.h"
#include "translate/chosen_accesses.h"
#include "translate/indirect.h"
#include "translate/translator.h"

namespace orrery::translate {

namespace {

/// More than one instruction can add, with what the engine adds for it and for the turn it is in.
constexpr u64 kAccessRoomWords = 1 << 15, kCallRoomWords = 64;

}  // namespace

void Translator::note(Noted what, std::span<u64> stream) {
  if (what != Noted::nothing || noted_ != Noted::nothing) flush();
  noted_ = what;
  undefined_ = {};
  undefined_of_.clear();
  undefined_read_at_ = 0;
  looked_at_.clear();
  if (what == Noted::undefined && !targets_.is_made()) targets_.clear(cell_at(0).fast);
  stepped_ = false;
  paths_.begin();
  points_.clear();
  if (stretches_.size() != 0) stretches_.clear();
  slots().chosen_from = 0;
  note_into(stream);
}

void Translator::note_into(std::span<u64> stream) {
  stream_ = stream;
  forget_noted();
}

/// Blocks that note the entry of one that is gone note too much, which readers pass over.
void Translator::watch_no_function() {
  drop_blocks_at(watched_.remove_all());
  paths_.begin();
}

std::span<const u64> Translator::noted() const {
  const u64 bytes = slots().notes_at - reinterpret_cast<u64>(stream_.data());
  return {stream_.data(), bytes / sizeof(u64)};
}

bool Translator::has_room_for_notes() const {
  if (notes_profile() && !stretches_.has_room()) return false;
  return stream_.size() - noted().size() >= (borrows() ? kAccessRoomWords : kCallRoomWords);
}

void Translator::put_record(u64 header, std::span<const u64> words) {
  if (stream_.size() - noted().size() < 1 + words.size()) return;
  u64* const at = reinterpret_cast<u64*>(slots().notes_at);
  *at = header;
  for (std::size_t i = 0; i < words.size(); ++i) at[1 + i] = words[i];
  slots().notes_at += (1 + words.size()) * sizeof(u64);
}

void Translator::note_turn(i32 task, u64 event, u64 ticks) {
  if (notes_suspects()) {
    if (task != task_) switch_undefined(task);
    task_ = task;
    event_ = event;
    return heap_.run(task);
  }
  if (notes_profile()) {
    const u64 header = ProfileNote::header_of(ProfileRecord::turn, static_cast<u32>(task), 0);
    return put_record(header, std::array{event, instructions(), u64{0}});
  }
  const u64 header = notes_calls() ? CallHeader::of(CallRecord::turn, static_cast<u32>(task)).word
                                   : AccessHeader::turn(task).word;
  put_record(header, std::array{event, ticks});
  if (noted_ == Noted::watched_calls) paths_.switch_to(task);
}

/// False if there is no room, which is to be asked for again.
bool Translator::note_path() {
  for (PathFrame& frame : paths_.not_noted()) {
    if (stream_.size() - noted().size() < 2) {
      slots().uncounted = 0;
      return false;
    }
    put_record(frame.note, std::array{frame.rsp});
    frame.note = 0;
  }
  return true;
}

bool Translator::note_stop() {
  if (noted_ != Noted::watched_calls) return true;
  put_record(CallHeader::of(CallRecord::outer, 0).word, std::array{paths_.innermost_noted()});
  return note_path();
}

/// A return did not fit the path, or a call finds no room there: notes all that leads there, to have it done
/// again. False if there is no room.
bool Translator::mend_path(ExitCode code, ExitIndex exit) {
  if (code == ExitCode::path_full) return make_path_room();
  slots().regs.rip = exits_[exit].pc;
  if (!note_path()) return false;
  paths_.mend_for_return(slots().regs[Gpr::rsp]);
  return true;
}

bool Translator::make_path_room() {
  slots().instructions += std::exchange(slots().uncounted, 0);
  paths_.drop_those_over();
  if (!paths_.is_full()) return true;
  if (!note_path()) return false;
  paths_.make_room();
  return true;
}

bool Translator::note_engine(const Access& access) {
  if (notes_undefined()) {
    if (access.kind == AccessKind::write)
      defined_.fill(access.address, access.size_bytes, false);
    else if (access.by == AccessBy::kernel)
      engine_reads(access.address, access.size_bytes, access.pc);
    return true;
  }
  if (notes_suspects()) return note_suspect(access);
  if (stream_.size() - noted().size() < 4) return false;
  put_record(AccessHeader::engine(access.kind, access.by).word,
             std::array{access.address, access.size_bytes, access.pc});
  return true;
}

/// Of an instruction whose registers choose what it accesses, if the block begins with one and is to be
/// entered behind its way out. False if there is no room.
bool Translator::note_chosen(BlockIndex index, bool past_breakpoint) {
  slots().chosen_from = 0;
  if (!begins_for_engine(index)) return true;
  const bool at_breakpoint = breakpoints_.contains(blocks_[index].pc);
  if (at_breakpoint && !past_breakpoint) return true;
  if (!has_room_for_notes()) return false;
  slots().chosen_from = slots().notes_at;
  if (notes_suspects()) return look_at_begin(blocks_[index], notes_[index].chosen);
  std::vector<Access> accesses;
  chosen_accesses_at(blocks_[index], accesses);
  for (const Access& access : accesses) note_engine(access);
  return true;
}

/// Of the instruction that a block begins with, which is next.
void Translator::chosen_accesses_at(const Block& block, std::vector<Access>& out) const {
  cpu::Registers regs = slots().regs;
  if (options_.features.contains(x86::Feature::fsgsbase)) {
    __asm__ volatile("rdfsbase %0" : "=r"(regs.fs_base));
    __asm__ volatile("rdgsbase %0" : "=r"(regs.gs_base));
  }
  cpu::VectorImage vectors;
  cpu::save_vector_state(vectors, options_.vector_components);
  const u8* const code = source_.data() + block.first_source;
  chosen_accesses(regs, vectors, {code, block.guest_bytes}, out);
}

/// Gives back what a block's notes have borrowed, and ends its record before the instruction that faulted. Of
/// a repeated one, what it has done already is an access of its own.
void Translator::lift_notes(const BlockNotes& notes, const Block& block, const InstructionMark& mark) const {
  Slots& state = slots();
  const bool borrowed = mark.host_offset < notes.notes_end;
  if (!borrowed) return;
  const u64 place = state.regs[notes.place];
  state.regs[notes.place] = state.notes_place;
  state.regs[notes.address] = state.notes_address;
  if (notes_suspects()) return;
  const bool at_chosen = mark.guest_offset == 0 && notes.chosen;
  if (at_chosen) state.notes_at = state.chosen_from;
  if (at_chosen || mark.borrowed == Borrowed::notes_trial) return;
  const u64 pc = block.pc + mark.guest_offset;
  const AccessPoint* point = &points_[notes.first_point] + 1;
  const AccessPoint* const last = point + point[-1].points - 1;
  u32 words = 0, instructions = 0;
  for (; point <= last && point->pc < pc; ++point)
    for (const u16 word : {point->word, point->base_word, point->end_word})
      if (word != kNoWord && word >= words) words = word + 1u;
  for (u32 at = block.first_mark + 1; marks_[at - 1].guest_offset < mark.guest_offset; ++at)
    instructions += marks_[at].guest_offset != marks_[at - 1].guest_offset;
  u64* const header = reinterpret_cast<u64*>(place);
  u64* next = header + 1 + words;
  const u64 before[] = {next[0], next[1],
                        next[2]};  // the first words of a repeated instruction, if it is one
  *header = AccessHeader::block(notes.first_point, mark.guest_offset, words, instructions, false).word;
  for (; point <= last && point->pc == pc; ++point) {
    if (point->end_word == kNoWord) continue;
    const u64 then = before[point->word - words], now = state.regs[point->end_reg];
    const u64 record[] = {then, 0, 0, now};
    AccessPoint whole = *point;
    whole.word = 0, whole.end_word = 3, whole.base_word = kNoWord;
    const Access access = access_at(whole, record);
    if (access.size_bytes == 0) continue;
    *next++ = AccessHeader::engine(access.kind, AccessBy::instruction).word;
    *next++ = access.address;
    *next++ = access.size_bytes;
    *next++ = access.pc;
  }
  state.notes_at = reinterpret_cast<u64>(next);
}

}  // namespace orrery::translate
