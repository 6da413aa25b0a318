// Emits the records of calls (call_stream.h). A record borrows one register, for its own few instructions
// only, and touches no flags. Its last word is stored first: where the stream ends that store faults with
// nothing done, and leaves for the engine as ExitCode::notes_full (Borrowed::call_trial).
#pragma once

#include "translate/breakpoints.h"
#include "translate/call_stream.h"
#include "translate/counts.h"
#include "translate/emitter.h"
#include "translate/profile_stream.h"
#include "translate/ticks.h"

namespace orrery::translate {

/// Which register a record borrows: no instruction that is noted has it as an implicit operand.
inline constexpr Gpr kCallNoteRegister = Gpr::r11;

/// Gets the place of the next record into kCallNoteRegister. The trial store comes next: mark it.
void emit_call_note_begin(Emitter& emit);
/// The record of a call or a return at `pc`.
void emit_call_note(Emitter& emit, CallRecord record, u64 pc);
/// That of the entry of the watched function at `pc`.
void emit_entry_note(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home);
/// One with the call that led to it (CallRecord::led). `path_top`: a register that is borrowed and points
/// behind the call's frame. rcx is borrowed and not given back.
void emit_led_trial(Emitter& emit, WatchedFunction wanted);
void emit_led_note(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home);
/// Any record of a profile; `uncounted`: instructions up to here that are still to be counted.
void emit_profile_note(Emitter& emit, ProfileRecord record, u64 pc, u32 uncounted, TickHome home,
                       u64 callee = 0);
/// That of a call or return, and what it counts, the instruction with it. Memory home only: each borrows a
/// register, so they do once.
void emit_counted_note(Emitter& emit, ProfileRecord record, u64 pc, const Counts& counts, u64 callee);

}  // namespace orrery::translate
