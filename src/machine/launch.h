// How `orrery` tells a fresh engine what to be. The engine is executed with two arguments: its own
// name and `first`, a decimal descriptor number; the descriptors from there on are fixed below and
// stay the engine's for life. The launch block (a memfd, also kept in the recording as `launch`) is
// this header followed by NUL-terminated strings: the program, cwd, then argv, then envp.
#pragma once

#include "base/types.h"
#include "x86/cpu_profile.h"

namespace orrery::machine {

/// Offsets from `first`.
enum EngineFd : int {
  kLaunchFd = 0,         ///< memfd with the launch block
  kRingFd = 1,           ///< memfd with the event ring (trace/ring.h); -1 kept free when mode is run
  kControlFd = 2,        ///< SOCK_SEQPACKET to the controlling process (machine/control.h), replay only
  kStoreFd = 3,          ///< O_PATH directory of the content store (record), see trace/store.h
  kFilesFd = 4,          ///< O_PATH directory REC/files: kept copies of mapped files
  kFamilyFd = 5,         ///< SOCK_SEQPACKET to who gives forked processes their rings (trace/family.h)
  kMachineFd = 6,        ///< memfd with the trace::MachinePage (record)
  kOwnFd = 7,            ///< the engine's own: the socket by which others see that this process lives
  kAnswerFd = 8,         ///< for a short time: the socket of a question (FamilyLink::kept_file)
  kLifeFd = 9,           ///< replay, the engine's own: a pipe that hangs up when nobody waits for the replay
  kEngineFdFree = 10,    ///< from here on: whatever the engine opens later
  kEngineFdCount = 128,  ///< at least: see engine_fd_count()
};

/// How many descriptors from `first` on are the engine's. Each file that the guest has mapped and may write
/// takes one (record/live_files.h), and browsers have hundreds; but many must not be taken from a low limit.
inline constexpr u64 kRoomyFrom = 8192, kEngineFdCountRoomy = 2048;
constexpr u64 engine_fd_count(u64 first) {
  return first >= kRoomyFrom ? kEngineFdCountRoomy : u64{kEngineFdCount};
}
/// The first of them, where descriptors end at `end`.
constexpr u64 engine_fd_first(u64 end) {
  if (end >= kRoomyFrom + kEngineFdCountRoomy) return end - kEngineFdCountRoomy;
  return (end < kRoomyFrom ? end : kRoomyFrom) - kEngineFdCount;
}

enum class Mode : u32 {
  run = 0,  ///< no recording (tests: the same machine without a ring)
  record = 1,
  replay = 2,
};

/// Who is asked questions in a replay (machine/control.h).
enum class Control : u32 {
  none = 0,
  first = 1,   ///< the first process, over kControlFd
  forked = 2,  ///< one that is forked: its socket comes with its ring (trace/family.h)
  each = 3,    ///< both: every process has a socket of its own
};

using CpuidRow = x86::CpuidRow;
using x86::kCpuidRowsMost;

inline constexpr u64 kLaunchMagic = 0x31'79'72'65'72'72'6f'00;
inline constexpr u32 kLaunchVersion = 2;

struct LaunchHeader {
  u64 magic = kLaunchMagic;
  u32 version = kLaunchVersion;
  Mode mode = Mode::run;
  u64 total_bytes = 0;  ///< header and strings
  u32 argument_count = 0, environment_count = 0;
  i32 pid = 0, parent_pid = 0;  ///< the guest's; record: filled in by the engine (its own host pid)
  u64 hwcap = 0, hwcap2 = 0, xcr0 = 7, xsave_bytes = 832;
  u64 seed = 0;  ///< --seed
  u32 seeded = 0;
  u32 show_output = 0;    ///< replay -a: write the guest's output again
  u32 all_processes = 0;  ///< replay: also the ones that the program made; else the first alone
  Control control = Control::none;
  u32 verbosity = 0;
  u64 signals_ignored = 0, signals_blocked = 0;  ///< as the guest inherits them; bit n - 1: signal n
  u64 clock_tsc = 0, clock_ns = 0, clock_ns_per_tick_32 = 0;  ///< host/tsc_clock.h
  u64 engine_fd_first = 0;  ///< when recorded; a replay's own may differ, what the guest sees may not
  u64 nofile_soft = 0;      ///< the guest's RLIMIT_NOFILE soft limit (the host's may be higher)
  char profile[32] = {};    ///< name of the CPU profile
  char vendor[16] = {};     ///< cpuid vendor of the recording host
  u32 ticks_in_memory = 0;  ///< 1: tick counter in memory (no AVX-512VL on this host, or the guest sees it)
  u32 cpuid_count = 0;
  CpuidRow cpuid[kCpuidRowsMost] = {};
  u64 no_follow = 0;    ///< record --no-follow: programs of other processes than the first run natively
  char only[248] = {};  ///< record --only: all but those that match this do; "": none does
  u64 aslr = 0;         ///< record --aslr: moves the layout; 0: the usual one
};

/// The process id of a run with --seed: like a real one, and the seed's.
constexpr i32 seeded_pid(u64 seed) { return static_cast<i32>(1000 + seed % 30000); }

}  // namespace orrery::machine
