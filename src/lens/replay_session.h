// A replay that is being asked: the client of machine/control.h. It runs the replaying engine forward
// to where a lens wants to look, and shows the machine standing there. Forward only; to look at an
// earlier place, begin another replay.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "elf/images_hosted.h"
#include "elf/stopped_machine_hosted.h"
#include "kernel/schedule_note.h"
#include "machine/control.h"
#include "machine/control_process.h"
#include "memory/layout.h"
#include "translate/access_stream.h"
#include "translate/profile_stream.h"
#include "translate/stretches.h"

namespace orrery::translate {
struct AllocatorEntry;
}

namespace orrery::lens {

/// Where a replay stands and why.
struct Stop {
  machine::StopReason reason = machine::StopReason::start;
  u64 event = 0;  ///< number of the next event
  u64 value = 0;  ///< exit: the status; fatal_signal: the signal
  i32 task = 0;
  u64 ticks = 0;
  u64 pc = 0;
  /// Of the last synchronous fault; signal 0 if there was none.
  u64 fault_address = 0;
  i32 fault_signal = 0;
  i32 fault_code = 0;
  u64 fault_error = 0;
  u64 instructions = 0;       ///< executed by all tasks since ReplaySession::count_instructions()
  u64 task_instructions = 0;  ///< by this task

  bool ended() const {
    using machine::StopReason;
    return reason == StopReason::exit || reason == StopReason::fatal_signal ||
           reason == StopReason::diverged || reason == StopReason::trace_end;
  }
};

/// What the guest kernel keeps of the process.
struct ProcessBlock {
  machine::ControlProcess process{};
  std::string directory{}, program{};
};

/// Where the bytes of a file of the guest's map can be read now; "" if they are not kept.
using KeptFiles = std::function<std::string(const std::string& path, u64 inode)>;

/// The files that a replay's questions are answered from.
struct SessionFiles {
  KeptFiles kept = [](const std::string&, u64) { return std::string(); };
  elf::DebugFiles* debug = nullptr;  ///< outlives the session; null: as for a program without a recording
};

class ReplaySession final : public elf::StoppedMachine {
 public:
  /// Takes over the control socket of a replay that waits at its start.
  static Result<std::unique_ptr<ReplaySession>> attach(int control_fd, SessionFiles files);
  ~ReplaySession() override;
  ReplaySession(const ReplaySession&) = delete;
  ReplaySession& operator=(const ReplaySession&) = delete;

  /// Runs until the next event is `event` or later (see ControlOp::run), or the run has ended.
  Result<Stop> run_before(u64 event);
  /// The same, going on at breakpoints: what was seen at each is added to `hits`. Stops for them only at the
  /// last of `most` (at least 1), or when the engine has a packet full (machine::kHitsMost): run on then.
  Result<Stop> collect_before(u64 event, std::vector<machine::ControlHit>& hits, u64 most = ~u64{0});
  Result<Stop> run_to_end() { return run_before(~u64{0}); }
  /// Lets the process run on by itself; nothing may be asked any more. Without it, the replay of the process
  /// is ended with the session.
  void let_go();
  /// From any thread: the run that is under way fails, and whatever is asked later.
  void cut_off();
  const Stop& stop() const { return stop_; }

  /// The addresses before whose instructions the runs stop too (StopReason::breakpoint); they replace those
  /// of before. What counts as getting there: see ControlOp::break_at. After an execve, and after a failure,
  /// there are none.
  Status set_breakpoints(std::span<const u64> addresses);
  /// The next run stops when this task has so many ticks (StopReason::tick), see ControlOp::stop_at_tick.
  Status stop_at_tick(i32 task, u64 ticks);
  /// From here on, see ControlOp::count_instructions; at the start, of the whole program.
  Status count_instructions();

  // A session notes one of these: accesses, suspects, calls, a profile or first touches.

  /// Whole records, as translate::AccessReader reads them.
  using AccessConsumer =
      std::function<void(std::span<const u64> records, std::span<const translate::AccessPoint> points)>;
  /// From here on the accesses that the process makes are noted and handed over: while a run goes on, and at
  /// its end those up to the stop.
  Status note_accesses(AccessConsumer consumer);
  /// The same with the registers at the entries of watched functions and at all returns.
  Status note_accesses_and_entries(AccessConsumer consumer);
  /// Only accesses of what watched allocators have not given out, and their calls. With `inherits`, in a
  /// process whose parent noted them when it was forked: what it knew of its heap, too.
  Status note_suspects(AccessConsumer consumer, bool inherits);
  /// The same of uses of undefined values.
  Status note_undefined(AccessConsumer consumer, bool inherits);
  Status watch_allocators(std::span<const translate::AllocatorEntry> functions);
  Status mark_heap_code(machine::HeapCode kind, memory::layout::Range code);
  /// An allocator, in which the task is, has got this memory; or it is no allocator's any more.
  Status hold_memory(i32 task, memory::layout::Range memory);
  Status let_go_memory(memory::layout::Range memory);
  /// The same of the calls, as translate::read_calls reads them; to all who asked.
  using CallConsumer = std::function<void(std::span<const u64> records)>;
  Status note_calls(CallConsumer consumer);
  /// Hands over the notes of calls up to the stop. Else they may be handed over only while the run goes on.
  void catch_up();
  /// The same, only of calls that lead to watched functions: translate/call_path.h.
  Status note_watched_calls(CallConsumer consumer);
  /// Functions whose entries are among the notes from here on, by their addresses or as
  /// translate::WatchedFunction has them; a program has none at its start.
  Status watch_functions(std::span<const u64> functions);
  /// From here on executions are counted, and these handed over as calls are.
  using ProfileConsumer = std::function<void(std::span<const translate::ProfileNote> notes)>;
  Status note_profile(ProfileConsumer consumer);
  /// Since the last time.
  Result<std::vector<translate::StretchCount>> take_counts();
  /// From here on, when each page is first read and first written.
  Status note_first_touches();
  /// Those since the last time.
  Result<std::vector<machine::ControlTouch>> take_first_touches();

  /// The process's tasks, those that ended among them while somebody may still wait for them; leader first.
  const std::vector<machine::ControlTask>& tasks();
  /// The XSAVE area of a task in standard form, or FXSAVE's where the recording's processor has no XSAVE.
  Result<std::vector<u8>> vector_state(i32 task);
  using ScheduleConsumer = std::function<void(std::span<const kernel::ScheduleNote>)>;
  /// From here on what tasks do is handed over, all of it up to a stop before the run to there returns; the
  /// consumer must not ask the session, which may have gone on. Of system calls runs stop only at those of
  /// `stop_calls`; `how`: kScheduleStopsAtLocks and the like, see ControlOp::note_schedule.
  Status note_schedule(std::span<const u64> stop_calls, u32 how, ScheduleConsumer consumer);
  /// Runs stop at each system call again.
  Status note_schedule_no_more();
  /// Of any task of the process, where it last left guest code; nothing if there is no such task.
  std::optional<elf::MachineRegisters> registers_of(i32 task);
  /// The process of the task that the session stands at.
  Result<ProcessBlock> process_block();

  /// What the kernel told the program at its start: pairs.
  Result<std::vector<u64>> auxv();
  /// As read(), for much: nothing of it is kept.
  u64 read_through(u64 address, std::span<u8> out);

  const elf::MachineRegisters& registers() override;
  u64 read(u64 address, std::span<u8> out) override;
  const std::vector<elf::MappedRegion>& regions() override;
  /// The images of the present map. Valid until the map changes.
  const elf::Images& images();
  /// Where images of its files find their debug files.
  elf::DebugFiles& debug_files();

 private:
  struct Packet {
    machine::ControlReply reply;
    u8 payload[machine::kControlBytesMost];
  };

  ReplaySession(int control_fd, SessionFiles files) : control_fd_(control_fd), files_(std::move(files)) {}
  Result<Stop> run(machine::ControlRequest request, std::vector<machine::ControlHit>* hits = nullptr);
  Status ask(machine::ControlRequest request, std::span<const u64> addresses = {}, int fd = -1);
  Status send_request(machine::ControlRequest request, std::span<const u64> addresses = {}, int fd = -1);
  Status receive_reply();
  Status ask_with_addresses(machine::ControlOp op, std::span<const u64> addresses);
  Status note(machine::Notes wanted, bool inherits = false);
  Status note_accesses_as(machine::Notes wanted, AccessConsumer consumer, bool inherits = false);
  void consume(u32 half, u64 words);
  struct Unread {
    u32 half = 0;
    u64 words = 0;
  };
  Status learn_access_points();
  Status fetch_schedule();
  Status learn_counts();
  Status keep_packet_while(Status (ReplaySession::*ask)());
  Status receive_stop(machine::ControlRequest& request, std::vector<machine::ControlHit>* hits);
  void note_stop();
  bool keep_registers();
  std::optional<elf::MachineRegisters> sent_registers() const;
  const std::vector<u8>& page(u64 address);
  void forget();

  int control_fd_;
  SessionFiles files_;
  std::unique_ptr<elf::DebugFiles> own_debug_files_;  ///< if it was given none
  Stop stop_;
  std::vector<u64> breakpoints_;  ///< those set, sorted
  std::unique_ptr<Packet> packet_ = std::make_unique<Packet>();

  AccessConsumer access_consumer_;
  std::vector<CallConsumer> call_consumers_;
  Unread unread_;  ///< at a stop: where the notes of calls end that were not handed over
  ProfileConsumer profile_consumer_;
  std::vector<translate::StretchCount> counts_;
  std::vector<translate::AccessPoint> access_points_;
  struct Unmap {
    void operator()(const u64* notes) const;
  };
  std::unique_ptr<const u64, Unmap> notes_;  ///< machine::kNotesFileBytes, both halves
  u32 notes_half_ = 0;                       ///< that is being written
  u64 notes_read_ = 0;                       ///< words of it
  ScheduleConsumer schedule_consumer_;
  std::vector<kernel::ScheduleNote> schedule_;

  machine::ControlLooks looks_;

  // What was asked at the present stop.
  bool has_registers_ = false;
  elf::MachineRegisters registers_;
  bool has_regions_ = false;  ///< of a stop with so many changes of the map
  u64 map_changes_ = 0;
  std::vector<elf::MappedRegion> regions_;
  bool has_tasks_ = false;
  std::vector<machine::ControlTask> tasks_;
  std::unordered_map<u64, std::vector<u8>> pages_;  ///< readable prefix of each page

  // Images outlive a stop as long as the map has the same files at the same places.
  std::unique_ptr<elf::Images> images_;
  std::vector<elf::MappedRegion> images_regions_;
};

}  // namespace orrery::lens
