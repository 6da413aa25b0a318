// One event: something that entered or left the machine (docs/format.md). The same bytes travel
// through the ring and stand in a chunk of the file.
#pragma once

#include "base/types.h"

namespace orrery::trace {

enum class EventKind : u16 {
  none = 0,
  start = 1,         ///< a forked process begins; payload: ProcessStart. First of its events
  syscall = 2,       ///< a HostCall's answer; payload: the output ranges' bytes, in order
  map = 3,           ///< a file mapping; payload: FileReference
  memory = 4,        ///< unmap, protect, move, discard or anonymous map: only checked
  tsc = 5,           ///< result = the value read
  cpu_number = 6,    ///< result = the number
  random = 7,        ///< payload: the bytes
  signal = 8,        ///< payload: siginfo; result = signal number
  exec = 9,          ///< the process becomes another program; payload: path and argv, each with NUL
  exit = 10,         ///< result = status, or 0x100 | signal, or kExitToNative; payload: ResourceUsage
  gap = 11,          ///< the recorder says: events are missing from here; result = a GapReason
  more = 12,         ///< payload: what did not fit into the event before (see kEventBytesMost)
  file_change = 13,  ///< the call before changed a live file; payload: FileChange and the bytes
  fork = 14,         ///< result = the new process's pid or -errno; payload: ForkedProcess, if there is one
  /// What a child that borrowed the address space (vfork) left in it; payload: MemoryChange and the bytes, as
  /// often as wanted. Follows its fork, when the child has let go.
  memory_change = 15,
  turn = 16,     ///< it is this process's turn among those that share memory
  meeting = 17,  ///< before a file is mapped shared, or others' file changed; result = whether another
                 ///< process has it for writing; detail 1: whether a file from others is the machine's
};
/// EventHeader::detail of a meeting that is found when the call has changed the file.
inline constexpr u16 kLateMeeting = 2;
/// EventHeader::result of an exit: the process executes a program that is not recorded, and lives on.
inline constexpr i64 kExitToNative = 0x200;
inline constexpr u16 kEventKindCount = 18;

/// The largest event, padding included; rings hold at least two. An answer with more bytes (a read of
/// a gigabyte) goes on in events of kind `more`, each with a number of its own, until all is told.
inline constexpr u32 kEventBytesMost = 4 << 20;

enum class GapReason : u8 {
  disk_full = 1,    ///< the writer could not write; the guest went on unrecorded
  writer_lost = 2,  ///< records were dropped in the engine: nobody took them
  bad_record = 3,   ///< the ring held bytes that are no event
  no_memory = 4,    ///< the writer was refused memory
};

/// A kept copy of a mapped file: REC/files/<file_number>. Payload of `map`, followed by the path (no
/// NUL; as the guest's map shows it).
struct FileReference {
  u32 file_number = 0;
  u32 flags = 0;  ///< kLiveFile; readers ignore bits they do not know
  u64 size_bytes = 0;
  u64 mtime_ns = 0;  ///< since the epoch
  u64 device = 0;    ///< st_dev, st_ino of the original
  u64 inode = 0;
};
static_assert(sizeof(FileReference) == 40);

/// FileReference::flags: the program could write the file. All mappings of it show one set of pages, and
/// file_change events say what system calls did to it after it was kept.
inline constexpr u32 kLiveFile = 1;

/// What a system call did to a live file.
struct FileChange {
  u32 file_number = 0;
  u32 reserved = 0;
  u64 size_bytes = 0;  ///< of the file, afterwards
  u64 offset = 0;
  u64 count = 0;  ///< bytes that follow, new at `offset`
};
static_assert(sizeof(FileChange) == 32);

/// What a process used until its end, as getrusage(2) says of the host's process: with the engine's share.
/// Payload of an exit that is the process's end; recordings of older recorders, and seeded ones, have none.
struct ResourceUsage {
  u64 user_ns = 0;
  u64 system_ns = 0;
  u64 peak_bytes = 0;  ///< largest resident set
};
static_assert(sizeof(ResourceUsage) == 24);

struct ForkedProcess {
  u32 process = 0;  ///< its number in the recording
  u32 flags = 0;    ///< kForkBorrows
  i32 pidfd = -1;   ///< the descriptor that refers to it, if the program asked for one
  u32 reserved = 0;
};
static_assert(sizeof(ForkedProcess) == 16);
/// ForkedProcess::flags: the child uses its parent's memory until it executes a program or ends (vfork).
inline constexpr u32 kForkBorrows = 1;

struct ProcessStart {
  u32 process = 0;
  u32 parent_process = 0;
  u64 parent_event = 0;  ///< number of the fork in the parent's events
  i32 pid = 0;
  i32 parent_pid = 0;
};
static_assert(sizeof(ProcessStart) == 24);

struct MemoryChange {
  u64 address = 0;
  u64 count = 0;  ///< bytes that follow
};
static_assert(sizeof(MemoryChange) == 16);

/// FileReference::file_number of a mapping of /dev/zero: there is no file, only new zero pages.
inline constexpr u32 kZeroPages = ~u32{0};

/// Little-endian, 8-byte aligned, followed by `size_bytes - sizeof(EventHeader)` bytes of payload,
/// padded to a multiple of 8.
struct EventHeader {
  u32 size_bytes = 0;  ///< header, payload and padding
  EventKind kind = EventKind::none;
  u16 detail = 0;         ///< syscall number, or the memory operation
  u64 number = 0;         ///< EventNumber
  i32 task = 0;           ///< TaskId
  u32 payload_bytes = 0;  ///< without padding
  u64 ticks = 0;
  u64 pc = 0;
  u64 request_hash = 0;  ///< XXH64 of the request: arguments and input bytes
  i64 result = 0;
  u64 time_ns = 0;    ///< CLOCK_MONOTONIC of the host when it was written
  u64 waited_ns = 0;  ///< how long the call took if that was kWaitLeastNs or more; kDatedByBeginning besides

  /// When the call began, and when it ended.
  u64 begin_ns() const { return is_dated_by_beginning() ? time_ns : time_ns - duration_ns(); }
  u64 end_ns() const { return is_dated_by_beginning() ? time_ns + duration_ns() : time_ns; }
  u64 duration_ns() const { return waited_ns & ~kDatedByBeginning; }
  bool is_dated_by_beginning() const { return (waited_ns & kDatedByBeginning) != 0; }

  /// Of calls that take less it is not told, so that it costs nothing in the file.
  static constexpr u64 kWaitLeastNs = 10'000;
  /// `time_ns` is when the call began: it tells others something.
  static constexpr u64 kDatedByBeginning = u64{1} << 63;
};
static_assert(sizeof(EventHeader) == 72);

}  // namespace orrery::trace
