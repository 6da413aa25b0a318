// The versioned protocol between an engine that replays and the process that asks about it: fixed
// requests and replies over a SOCK_SEQPACKET socket. The engine answers only while it is stopped; it
// stops at the start, where `run` told it to, and always before the process's end takes effect.
#pragma once

#include "base/types.h"

namespace orrery::machine {

inline constexpr u32 kControlVersion = 15;
inline constexpr u32 kControlBytesMost = 64 * 1024;  ///< most bytes of memory in one reply

/// How often either side looks for a message before it sleeps: most answers take less than waking does, the
/// more so in a virtual machine. Where processors are scarce, though, who looks keeps the other side from
/// answering: who looked in vain more often than not does so now and then only.
class ControlLooks {
 public:
  /// Calls `look()` until it answers 0 or more, at most as often as pays. What it answered last; -1: never
  /// called.
  template <class Look>
  i64 operator()(Look look) {
    if (score_ == 0 && ++left_out_ % kSeldom != 0) return -1;
    i64 got = look();
    if (got >= 0) return got;  // it was there already: tells nothing of who waits for whom
    for (u32 tries = 1; got < 0 && tries < kTries; ++tries) got = look();
    if (got >= 0)
      score_ = score_ + 2 < kScoreMost ? score_ + 2 : kScoreMost;
    else if (score_ != 0)
      --score_;
    return got;
  }

 private:
  static constexpr u32 kTries = 64, kSeldom = 16, kScoreMost = 16;
  u32 score_ = kScoreMost, left_out_ = 0;
};

inline constexpr u32 kAddressesMost = 4096;       ///< most addresses in one request
inline constexpr u32 kBreakpointsMost = 1 << 16;  ///< most breakpoints a process can have

enum class ControlOp : u32 {
  hello = 0,  ///< reply.value = kControlVersion
  /// Argument = event number to stop before, ~0 for the end; replies when stopped. Stops wherever the next
  /// event is that or a later one: before guest code runs on, and at the entry of each system call,
  /// so that repeating it walks from call to call. The payload: as that of `registers`. With `collect`,
  /// breakpoints do not stop it: what is seen at each is the reply's payload, ControlHit[], and it stops
  /// (StopReason::breakpoint) at the last of as many as `collect` says, or as fit.
  run = 1,
  registers = 2,    ///< reply payload: cpu::CpuState of the request's task, where it last left guest code; of
                    ///< task 0 the current one; ESRCH if the process has no such task
  read_memory = 3,  ///< argument = address, size = bytes; payload: as many bytes as are readable
  regions = 4,  ///< argument = list those that end above this address; payload: ControlRegion[] (0 of them:
                ///< no more)
  quit = 5,
  vector_state = 6,  ///< payload: FXSAVE/XSAVE image of the request's task; 0: of the current one
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
  /// Argument: a Notes. The process notes this from here on, and nothing else. With accesses, calls and
  /// profile goes a descriptor, of a file in memory of kNotesFileBytes: see there. A forked process notes
  /// nothing unless it is asked to.
  note = 11,
  /// Argument = bytes to leave out; payload: what follows of the first touches (ControlTouch[]), as many as
  /// fit; reply.value = bytes in all. Left out are all: they are forgotten.
  take_touches = 12,
  access_points = 13,  ///< argument = index of the first; payload: translate::AccessPoint[], no more if none
  /// Payload: functions whose entries are noted too while calls or accesses are, by their addresses or as
  /// translate::WatchedFunction has them; they join those of before.
  /// Gone after a successful execve; a forked process has none.
  watch_functions = 14,
  tasks = 15,  ///< argument = index of the first; payload: ControlTask[] of the process, leader first
  /// Argument: kScheduleNotes and the like. What tasks do is noted from here on (kernel/schedule_note.h), or
  /// no more. The request's payload: bits, one a system call by number; `run` stops at the entry of these
  /// only, and before guest code runs on only if that task has returned from one. A forked process notes
  /// nothing unless it is asked to.
  note_schedule = 16,
  /// Argument = bytes to leave out; payload: what follows of the kernel::ScheduleNote[], as many as fit. Left
  /// out are all: they are forgotten. Before the next `run` they have to be, if the stop was
  /// StopReason::schedule_full.
  take_schedule = 17,
  auxv = 18,  ///< payload: u64 pairs, as the program found them, with AT_NULL
  /// Argument = row to begin with; payload: translate::StretchCount[] of a profile so far, those that have a
  /// count, reply.value = row to go on with. ~0: all are forgotten.
  take_counts = 20,
  /// Payload: translate::AllocatorEntry[], functions that Notes::suspects is about; they join those of
  /// before.
  watch_allocators = 21,
  /// Argument: a HeapCode. Payload: begin and end of code that Notes::suspects tests otherwise.
  mark_heap_code = 22,
  /// Payload: begin and end of memory. Argument 1: an allocator, in which the request's task is, has got it
  /// from the kernel; 0: it is no allocator's any more.
  hold_memory = 23,
  process = 19,  ///< payload: ControlProcess and its texts (machine/control_process.h), of the current task's
};

enum class Notes : u32 {
  nothing = 0,
  accesses = 1,       ///< each memory access, in order: translate/access_stream.h
  first_touches = 2,  ///< when each page is first read, first written and first executed
  calls = 3,          ///< each call and return: translate/call_stream.h
  profile = 4,        ///< the same as translate/profile_stream.h has it, and counts: translate/stretches.h
  watched_calls = 5,  ///< as calls, only those that lead to watched functions
  accesses_and_entries = 6,  ///< as accesses, with the registers at watched functions
  /// Accesses of what allocators have not given out, and their calls: translate/heap_watch.h. With `collect`,
  /// what the forked process has of its parent's notes stays.
  suspects = 7,
  /// Uses of undefined values, and allocators' calls: translate/definedness.h. With `collect` as suspects.
  undefined = 8,
};

enum class HeapCode : u32 {
  allocators = 0,    ///< what it accesses is not looked at
  reads_vectors = 1  ///< may read whole vectors of which the first byte is right
};

/// Records go into one half of the file, from its beginning on; every reply says into which and how many
/// words there are. When it is full the engine stops (StopReason::notes_full), and with the next `run` it
/// goes on into the other half, while this one is read.
inline constexpr u64 kNotesHalfBytes = 2 << 20;
inline constexpr u64 kNotesFileBytes = 2 * kNotesHalfBytes;

/// Bits of what note_schedule asks for.
inline constexpr u32 kScheduleNotes = 1;
inline constexpr u32 kScheduleStopsAtLocks = 2;  ///< StopReason::waits_for_lock
inline constexpr u32 kScheduleStopsOnly = 4;     ///< only now and then a note: it is about where `run` stops
inline constexpr u32 kStopCallWords = 8;         ///< of 64 bits: system calls by number

struct ControlRequest {
  ControlOp op = ControlOp::hello;
  u32 size_bytes = 0;  ///< wanted by read_memory; of the addresses behind the request
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
  notes_full = 9,   ///< ControlOp::note: no room is left in this half; not a point of the run
  /// Before guest code runs on, of whichever task: `value` is one that has begun to wait on a futex.
  waits_for_lock = 10,
  schedule_full = 11,  ///< note_schedule: no room is left; not a point of the run
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
  u64 notes_words = 0;        ///< in the half of the notes' file that is being written
  u64 access_points = 0;      ///< how many there are
  u32 notes_half = 0;
  u32 counts_full = 0;     ///< 1: they have to be taken before the next `run`, which forgets them
  u64 schedule_notes = 0;  ///< how many wait to be taken
  u64 map_changes = 0;     ///< another number than before: `regions` has another answer
};

/// What is collected at a breakpoint.
struct ControlHit {
  u64 pc = 0, ticks = 0;
  u64 event = 0;         ///< the number of the next one
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

enum class TaskState : u32 { runs, ready, waits, stopped, ended };

/// A thread of the process, with its registers: for one that waits in a system call, those that it has when
/// it comes back, but for the result.
struct ControlTask {
  i32 task = 0;
  TaskState state = TaskState::ready;
  i64 call = -1;  ///< number of the system call in which it waits, or which it makes
  u64 blocked_signals = 0, pending_signals = 0;
  u64 ticks = 0;
  u64 gpr[16] = {};  ///< numbered as cpu::Gpr
  u64 rip = 0, rflags = 0, fs_base = 0, gs_base = 0;
  char name[16] = {};
  u64 alternate_stack = 0, alternate_bytes = 0;  ///< sigaltstack(2); no bytes: it has none
  i32 status = 0;                                ///< stopped: the signal; ended: as wait(2) tells it
  u32 traced = 0;                                ///< 1: it stands in a stop of its tracer's (ptrace)
};

struct ControlRegion {
  u64 start, end, offset, inode;
  u32 protection, flags;
  u32 kind;    ///< memory::RegionKind
  u32 file;    ///< the same number for regions of the same file, 0 if none
  u64 object;  ///< memory::Region::object
  char path[200];
};

}  // namespace orrery::machine
