// The engine's words that emitted code touches, at a fixed address below 2 GiB so that one absolute
// 32-bit displacement reaches them from anywhere, without a base register and without fs or gs (both
// stay the guest's). One host thread runs a process, so there is one set of slots. The constants are
// shared with enter.S; the static_asserts below keep the two together.
#pragma once

#define ORRERY_SLOTS 0x64000000
#define ORRERY_SLOT_GPR 0
#define ORRERY_SLOT_RFLAGS 136
#define ORRERY_SLOT_TICKS 160
#define ORRERY_SLOT_INSTRUCTIONS 168
#define ORRERY_SLOT_SPILL_RAX 176
#define ORRERY_SLOT_SPILL_RCX 184
#define ORRERY_SLOT_SPILL_SCRATCH 192
#define ORRERY_SLOT_TARGET 200
#define ORRERY_SLOT_STOP_AT_TICK 208
#define ORRERY_SLOT_REMAINING 216
#define ORRERY_SLOT_EXIT_CODE 224
#define ORRERY_SLOT_ENTER_PC 232
#define ORRERY_SLOT_EXIT_STUB 240
#define ORRERY_SLOT_TICKS_IN_MEMORY 248
#define ORRERY_SLOT_ONE 256
#define ORRERY_SLOT_IN_GUEST 264
#define ORRERY_SLOT_STOP_REQUESTED 272
#define ORRERY_SLOT_ENGINE_RSP 280
#define ORRERY_SLOT_FS_BASE 144
#define ORRERY_SLOT_GS_BASE 152
#define ORRERY_SLOT_NOTES_AT 336
#define ORRERY_SLOT_NOTES_PLACE 344
#define ORRERY_SLOT_NOTES_ADDRESS 352
#define ORRERY_SLOT_ELEMENTS_FROM 376
#define ORRERY_SLOT_PATH_TOP 384
#define ORRERY_SLOT_SHADOW_OFFSET 400
#define ORRERY_SLOT_UNDEFINED_WORD 408
#define ORRERY_SLOT_CODE_KIND 416
#define ORRERY_EXIT_INTERRUPTED 9

#ifndef __ASSEMBLER__

#include <cstddef>

#include "cpu/exit.h"
#include "cpu/registers.h"
#include "memory/layout.h"
#include "translate/block.h"

namespace orrery::translate {

struct Slots {
  cpu::Registers regs;  ///< guest registers while the engine runs
  u64 ticks;            ///< in memory between runs; during a run in xmm31 unless ticks_in_memory
  u64 instructions;     ///< counted in all (see counts.h); during a run beside the ticks
  u64 spill_rax;        ///< the guest's rax while glue borrows rax
  u64 spill_rcx;        ///< the guest's rcx while an exact tick check borrows it
  u64 spill_scratch;    ///< the register a far rip-relative operand borrows
  u64 target;           ///< where an indirect transfer goes, for its slow path
  u64 stop_at_tick;
  u64 remaining;        ///< exact code with the counter in memory: ticks left before the stop
  u64 exit_code;        ///< which exit was taken, see ExitCode
  u64 enter_pc;         ///< host address enter() jumps to
  u64 exit_stub;        ///< address of orrery_exit_stub
  u64 ticks_in_memory;  ///< 1: no vector register may hold the counter
  u64 one;              ///< the constant 1
  u64 in_guest;         ///< 1 while emitted code runs
  u64 stop_requested;   ///< a host signal waits: stop at the next tick
  u64 engine_rsp;       ///< where enter() left the engine's stack
  cpu::Fault fault;     ///< what the host's signal handler learned of the last synchronous fault
  u64 uncounted;        ///< instructions that a fault came before the count of
  u64 transfer_pc;      ///< guest pc of the indirect transfer whose table look-up faulted, else 0
  u64 notes_at;         ///< where the next record of accesses goes (access_stream.h)
  u64 notes_place;      ///< the guest's register that holds notes_at in a block
  u64 notes_address;    ///< the one that is borrowed for addresses there
  u64 chosen_from;      ///< notes_at before what the engine noted for the block just entered
  u64 uncounted_from;   ///< pc of the first of the uncounted
  u64 elements_from;    ///< rcx before the repeated string instruction (stretches.h)
  u64 path_top;         ///< behind the innermost call of the running task (call_path.h)
  u64 counted_ahead;    ///< 1: the transfer that faulted has been counted
  u64 shadow_offset;    ///< what tests of accesses add to an address (heap_watch.h)
  u64 undefined_word;   ///< the shadow of eight undefined bytes; 0 while nothing is to be marked
  u64 code_kind;        ///< CodeKind that the code in which the guest is was made for
};
static_assert(offsetof(Slots, regs.rflags) == ORRERY_SLOT_RFLAGS);
static_assert(offsetof(Slots, ticks) == ORRERY_SLOT_TICKS);
static_assert(offsetof(Slots, instructions) == ORRERY_SLOT_INSTRUCTIONS);
static_assert(offsetof(Slots, engine_rsp) == ORRERY_SLOT_ENGINE_RSP);
static_assert(offsetof(Slots, spill_rax) == ORRERY_SLOT_SPILL_RAX);
static_assert(offsetof(Slots, target) == ORRERY_SLOT_TARGET);
static_assert(offsetof(Slots, remaining) == ORRERY_SLOT_REMAINING);
static_assert(offsetof(Slots, exit_code) == ORRERY_SLOT_EXIT_CODE);
static_assert(offsetof(Slots, enter_pc) == ORRERY_SLOT_ENTER_PC);
static_assert(offsetof(Slots, exit_stub) == ORRERY_SLOT_EXIT_STUB);
static_assert(offsetof(Slots, ticks_in_memory) == ORRERY_SLOT_TICKS_IN_MEMORY);
static_assert(offsetof(Slots, in_guest) == ORRERY_SLOT_IN_GUEST);
static_assert(offsetof(Slots, stop_requested) == ORRERY_SLOT_STOP_REQUESTED);
static_assert(offsetof(Slots, regs.fs_base) == ORRERY_SLOT_FS_BASE);
static_assert(offsetof(Slots, regs.gs_base) == ORRERY_SLOT_GS_BASE);
static_assert(offsetof(Slots, notes_at) == ORRERY_SLOT_NOTES_AT);
static_assert(offsetof(Slots, notes_place) == ORRERY_SLOT_NOTES_PLACE);
static_assert(offsetof(Slots, notes_address) == ORRERY_SLOT_NOTES_ADDRESS);
static_assert(offsetof(Slots, elements_from) == ORRERY_SLOT_ELEMENTS_FROM);
static_assert(offsetof(Slots, path_top) == ORRERY_SLOT_PATH_TOP);
static_assert(offsetof(Slots, shadow_offset) == ORRERY_SLOT_SHADOW_OFFSET);
static_assert(offsetof(Slots, undefined_word) == ORRERY_SLOT_UNDEFINED_WORD);
static_assert(offsetof(Slots, code_kind) == ORRERY_SLOT_CODE_KIND);
static_assert(ORRERY_EXIT_INTERRUPTED == static_cast<int>(ExitCode::interrupted));
static_assert(ORRERY_SLOTS == memory::layout::kEngineState.start);

inline Slots& slots() { return *reinterpret_cast<Slots*>(u64{ORRERY_SLOTS}); }

}  // namespace orrery::translate

#endif
