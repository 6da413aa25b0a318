// What the translator remembers of emitted code. All of it is plain data in vectors, indexed by 32-bit
// numbers, so that a snapshot can lift it and a flush can drop it whole.
#pragma once

#include <vector>

#include "base/types.h"
#include "cpu/exit.h"

namespace orrery::translate {

using BlockIndex = u32;
using ExitIndex = u32;
inline constexpr u32 kNone = ~u32{0};

/// Fast code counts ticks; exact code also stops at slots.stop_at_tick.
enum class Variant : u8 { fast, exact };

/// Which code of a pc a block is. While registers are undefined (undefined.cc) other code runs: from
/// kFirstTainted on, for one set of such registers.
using CodeKind = u16;
inline constexpr CodeKind kOrdinaryCode = 0, kFirstTainted = 3, kNoCode = 0xffff;
/// Of an instruction that was found to read what is undefined; the second while no general register is.
inline constexpr CodeKind kSteppedCode = 1, kSteppedMoves = 2;
constexpr bool is_stepped(CodeKind kind) { return kind == kSteppedCode || kind == kSteppedMoves; }

/// What the glue before a host instruction has borrowed, to be given back when a fault lifts the registers.
enum class Borrowed : u8 {
  nothing,
  rax,  ///< guest rax is in spill_rax
  rcx,  ///< guest rcx is in spill_rcx
  rsi,
  rdi,
  rbx,          ///< guest register is in spill_scratch
  counted,      ///< nothing, but the transfer that faults was counted ahead
  shadow_load,  ///< the table load of an indirect transfer: a fault here is a missing entry
  path_full,    ///< a call's push (call_path.h), with r11 in notes_place: a fault here is a path that is full
  access_test,  ///< a test of the instruction's accesses (access_tester.h): a fault here is what it found
  notes_trial,  ///< the trial store of a block's notes: a fault here is the end of the stream
  call_trial,   ///< the same of a call's note, with kCallNoteRegister in notes_place
  path_trial,   ///< the same, and rcx in notes_address (call_path.h)
  entry_trial,  ///< the same, and rax in spill_rax
};

/// Whether a fault there is the end of the stream of notes.
constexpr bool is_trial(Borrowed borrowed) { return borrowed >= Borrowed::notes_trial; }

/// Which guest instruction the host bytes from `host_offset` on belong to.
struct InstructionMark {
  u16 host_offset;   ///< from Block::host_entry
  u16 guest_offset;  ///< from Block::pc
  Borrowed borrowed;
  u8 uncounted;  ///< instructions of the block before it that were done and not counted
};

/// Low five bits of the exit code; the rest is an ExitIndex where one belongs to it.
enum class ExitCode : u8 {
  direct = 0,    ///< a direct transfer whose target has no code yet, or not linked
  indirect = 1,  ///< an indirect transfer to slots.target that missed the table
  syscall = 2,
  gated = 3,
  stopped = 4,           ///< exact code reached the stop; the exit names the target
  stopped_indirect = 5,  ///< the same; slots.target is the target
  raise = 6,             ///< an instruction that only raises a fault (ud2, int3, hlt, undefined bytes)
  end_of_fetch = 7,      ///< straight-line code ran to where fetching fails; the exit names the pc
  fault = 8,             ///< a signal handler lifted the registers of a synchronous fault
  stale = 11,            ///< self-checking code found that the guest's bytes are not what it was made from
  widen = 10,            ///< an instruction that the profile hides and the processor may have
  interrupted = 9,       ///< a signal handler stopped the guest at the start of a block
  breakpoint = 12,       ///< the block begins at a breakpoint; the exit names its pc
  chosen = 13,           ///< the block begins with what the engine looks at first: accesses, an allocator
  notes_full = 14,       ///< a signal handler stopped the guest before an instruction: no room for its notes
  suspect = 16,          ///< a signal handler stopped the guest before an access that a test found
  path = 15,             ///< a return that does not fit the path (call_path.h); the exit names its pc
  path_full = 17,        ///< a signal handler stopped the guest before a call: the path has no room for it
};
inline constexpr u32 kExitCodeBits = 5;
constexpr u64 exit_code(ExitCode code, ExitIndex index) {
  return (u64{index} << kExitCodeBits) | static_cast<u64>(code);
}
constexpr ExitCode code_of(u64 taken) { return static_cast<ExitCode>(taken & ((1u << kExitCodeBits) - 1)); }
constexpr ExitIndex index_of(u64 taken) { return static_cast<ExitIndex>(taken >> kExitCodeBits); }

/// One way out of a block.
struct BlockExit {
  u64 pc = 0;               ///< where the guest goes on (or the instruction, for gated and raise)
  u32 jump_offset = kNone;  ///< cache offset of the rel32 that may be linked to the target; kNone if none
  u32 stub_offset = 0;      ///< cache offset of the stub the rel32 points to while unlinked
  BlockIndex from = kNone;
  BlockIndex linked_to = kNone;
  ExitIndex next_incoming = kNone;  ///< list of exits linked to the same block
  /// Cache offset of a rel32 that may lead to Block::host_tested, with what is borrowed kept; kNone if none.
  u32 kept_offset = kNone;
  u32 release_offset = 0;  ///< where it leads else
  cpu::Gate gate = cpu::Gate::none;
  u8 instruction_bytes = 0;
  bool noted_entry = false;  ///< the entry of the function that it leads to has been noted
  Variant variant = Variant::fast;
  CodeKind kind = kOrdinaryCode;  ///< of the block that it may lead to
};

struct Block {
  u64 pc = 0;
  u32 guest_bytes = 0;
  u32 host_begin = 0;   ///< cache offset of the indirect preface (reloads rax)
  u32 host_entry = 0;   ///< cache offset of the first guest instruction
  u32 host_past = 0;    ///< where to enter it past the breakpoint that it begins at; 0 if it has none
  u32 host_noted = 0;   ///< where to enter it past the note of its function's entry; 0 if it has none
  u32 host_tested = 0;  ///< where to enter it with what its tests borrow borrowed already; 0 if it cannot be
  u32 host_end = 0;
  u32 first_mark = 0, mark_count = 0;
  u32 first_exit = 0, exit_count = 0;
  u32 first_source = 0;  ///< of its guest bytes as they were read, guest_bytes of them
  ExitIndex incoming = kNone;
  u32 cell = 0;  ///< index of its cell, 0 if no indirect jump has reached it
  u32 step =
      kNone;  ///< what is undefined goes through it, the engine looks first: Translator::decoded_'s index
  u32 begin = kNone;  ///< the same if it begins with an instruction whose accesses the engine looks at
  CodeKind kind = kOrdinaryCode;
  Variant variant = Variant::fast;
  u8 borrowed = 0;                  ///< the registers that its tests borrow
  bool watched = false;             ///< begins at a watched function (call_stream.h)
  u8 wanted = 0;                    ///< WatchedFunction::wanted() of that
  bool looked_at = false;           ///< begins with what the engine looks at (looked_at_reads.h)
  bool checked = false;             ///< compares the guest's bytes with its source whenever it is entered
  bool live = true;                 ///< nothing leads to a block that is not; it may come back, see revive()
  BlockIndex older = kNone;         ///< the block that stood at the same pc before
  bool listed[2] = {false, false};  ///< whether it is in these lists
  BlockIndex next_in_page[2] = {kNone, kNone};  ///< lists of the (at most two) pages it was read from
};

}  // namespace orrery::translate
