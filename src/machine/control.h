// The versioned protocol between an engine that replays and the process that asks about it: fixed
// requests and replies over a SOCK_SEQPACKET socket. The engine answers only while it is stopped; it
// stops at the start, where `run` told it to, and always before the process's end takes effect.
#pragma once

#include "base/types.h"

namespace orrery::machine {

inline constexpr u32 kControlVersion = 3;
inline constexpr u32 kControlBytesMost = 64 * 1024;  ///< most bytes of memory in one reply
inline constexpr u32 kAddressesMost = 4096;          ///< most addresses in one request
inline constexpr u32 kBreakpointsMost = 1 << 16;     ///< most breakpoints a process can have

enum class ControlOp : u32 {
  hello = 0,  ///< reply.value = kControlVersion
  /// Argument = event number to stop before, ~0 for the end; replies when stopped. Stops wherever the next
  /// event is that or a later one: before guest code runs on, and at the entry of each system call,
  /// so that repeating it walks from call to call. With `collect`, breakpoints do not stop it: what is seen
  /// at each is the reply's payload, ControlHit[], and it stops (StopReason::breakpoint) when no more fit.
  run = 1,
  registers = 2,    ///< reply payload: cpu::CpuState of the current task
  read_memory = 3,  ///< argument = address, size = bytes; payload: as many bytes as are readable
  regions = 4,  ///< argument = list those that end above this address; payload: ControlRegion[] (0 of them:
                ///< no more)
  quit = 5,
  vector_state = 6,  ///< payload: FXSAVE/XSAVE image of the current task
  /// The request's payload, u64[]: addresses before whose instructions `run` stops too, whichever task gets
  /// there, each time one does. The replay is not changed by it. One at the present pc counts, unless the
  /// present stop is for it. They are gone after a successful execve, and a forked process has none.
  /// E2BIG past kBreakpointsMost.
  break_at = 7,
  break_clear = 8,  ///< payload: those of them to be forgotten; without one, all
  /// Argument = tick of the request's task at which `run` stops too, if it is not behind; ~0: none, which it
  /// is again after the stop. Meant for the last stretch, which runs slower. A program that has set TF or AC
  /// in its flags is not stopped there.
  stop_at_tick = 9,
  /// Argument 1: from here on, and from zero, the instructions that the process executes are counted and each
  /// reply has their number; 0: no more. One that faults does not count, a repeated string instruction counts
  /// once; at a stop for a system call that is counted. A forked process does not count unless it is asked
  /// to.
  count_instructions = 10,
  /// Argument: an AccessNotes. Memory accesses of the process are noted from here on, or no more. A forked
  /// process notes none unless it is asked to.
  note_accesses = 11,
  /// Argument = bytes to leave out; payload: what follows of the records (u64[], see
  /// translate/access_stream.h), or of the first touches (ControlTouch[]), as many as fit; reply.value =
  /// bytes in all. Left out are all: they are forgotten. Before the next `run` they have to be, if the stop
  /// was StopReason::notes_full.
  take_notes = 12,
  access_points = 13,  ///< argument = index of the first; payload: translate::AccessPoint[], no more if none
};

enum class AccessNotes : u32 {
  none = 0,
  all = 1,            ///< each access, in order
  first_touches = 2,  ///< when each page is first read, first written and first executed
};

struct ControlRequest {
  ControlOp op = ControlOp::hello;
  u32 size_bytes = 0;  ///< wanted by read_memory; of the payload behind break_at and break_clear
  u64 argument = 0;
  i32 task = 0;
  u32 collect = 0;
};

enum class StopReason : u32 {
  start = 0,
  event = 1,  ///< before guest code runs on
  exit = 2,
  fatal_signal = 3,
  diverged = 4,
  trace_end = 5,
  system_call = 6,  ///< at the entry of a system call: the registers hold its number and arguments
  breakpoint = 7,   ///< before the instruction at pc
  tick = 8,         ///< ControlOp::stop_at_tick
  notes_full = 9,   ///< ControlOp::note_accesses: no room is left; not a point of the run
};

struct ControlReply {
  u32 error = 0;  ///< 0 or an errno
  StopReason stop = StopReason::start;
  u64 event = 0;  ///< number of the next event
  u64 value = 0;  ///< by op; for stop exit: status, fatal_signal: the signal
  i32 task = 0;
  u32 payload_bytes = 0;  ///< follows in the same packet
  u64 ticks = 0, pc = 0;
  u64 fault_address = 0;  ///< of the last synchronous fault, with fault_code = si_code
  i32 fault_signal = 0, fault_code = 0;
  u64 fault_error = 0;        ///< page fault error code
  u32 breakpoints = 0;        ///< how many are set
  u32 notes_lost = 0;         ///< accesses of the engine for which there was no room
  u64 instructions = 0;       ///< counted so far, of all tasks
  u64 task_instructions = 0;  ///< of the current task
};

/// What is collected at a breakpoint.
struct ControlHit {
  u64 pc = 0, ticks = 0;
  u64 instructions = 0;  ///< counted so far, of all tasks
  u64 return_address =
      0;             ///< the word at rsp, which it is at the entry of a function; 0 if it cannot be read
  u64 gpr[16] = {};  ///< numbered as cpu::Gpr
  i32 task = 0;
  u32 reserved = 0;
};
inline constexpr u32 kHitsMost = kControlBytesMost / sizeof(ControlHit);

/// The first access of some kind to a page. A page that was unmapped, or given back, is a new one.
struct ControlTouch {
  u64 page = 0, pc = 0;
  u64 event = 0, ticks = 0;  ///< the task's instant
  u64 instructions = 0;      ///< of the process, since accesses are noted
  i32 task = 0;
  u8 how = 0;  ///< 1 it was read, 2 written, 4 executed, or several at once
  bool by_kernel = false;
  u16 reserved = 0;
};

struct ControlRegion {
  u64 start, end, offset, inode;
  u32 protection, flags;
  u32 kind;  ///< memory::RegionKind
  u32 file;  ///< the same number for regions of the same file, 0 if none
  char path[200];
};

}  // namespace orrery::machine
