// All that `why` looks at, gathered from one or two replays. Values only: the explanations are functions
// of these, and tests can make them up.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lens/call.h"
#include "lens/code_place.h"
#include "lens/errors/error_tables.h"
#include "lens/memory_operand.h"
#include "lens/replay_session.h"
#include "lens/run_summary.h"
#include "lens/why/culprit.h"
#include "lens/why/slowness.h"
#include "lens/why/waits.h"

namespace orrery::lens::why {

enum class Access : u8 { unknown, read, write, execute };

/// A synchronous fault that ended the run.
struct Fault {
  int signal = 0;
  int code = 0;     ///< si_code
  u64 address = 0;  ///< what was accessed, from the fault or from the instruction's operand
  bool address_known = false;
  Access access = Access::unknown;
  std::optional<MemoryOperand> operand{};
  std::optional<u64> divisor{};               ///< of a division that faulted
  std::vector<u8> instruction{};              ///< up to 15 bytes at the pc
  std::optional<elf::MappedRegion> region{};  ///< that holds the address
  std::optional<elf::MappedRegion> below{};   ///< the nearest region under the address
  std::optional<elf::MappedRegion> above{};
  std::optional<Call> unmapped_by{};  ///< the call that took the memory away, if it was mapped once
};

/// An error of heap memory that was made before the end, with the stacks of what it tells of.
struct HeapError {
  errors::MemoryErrorRow row{};
  StackFact stack{}, made{}, gone{};
};

/// Another process that sent this one SIGKILL, and where it did.
struct Killer {
  ProcessFact process{};
  Sight sight{};
};

struct Facts {
  RunSummary run{};
  bool replayed = false;  ///< false: the rest is empty
  bool is_long = false;   ///< a replay takes so long that there was no second one
  Stop stop{};            ///< where the replay ended
  elf::MachineRegisters registers{};
  std::optional<Fault> fault{};
  StackFact stack{};
  std::vector<Call> calls{};         ///< the last calls, in order
  std::vector<elf::Image> images{};  ///< mapped at the end; their modules are null
  /// Processes above this one that ended as they did because this one did, the first one in front.
  std::vector<ProcessFact> blaming{};
  std::vector<ProcessFact> crashed{};    ///< below it, where its own end does not tell of them
  std::vector<HeapError> heap_errors{};  ///< in the order of the run; empty too if the heap was not checked
  /// Of a process that was ended from outside, or whose recording stops: what its tasks were doing.
  std::vector<TaskFact> tasks{};
  std::vector<TaskFact> others{};                     ///< of other processes that lived then
  std::vector<HeldDescriptor> descriptors{};          ///< of all of these, if some task waits on one
  Progress progress{};                                ///< of the process
  std::array<u64, machine::kControlLimits> limits{};  ///< setrlimit's soft ones, at the end
  u64 mapped_bytes = 0;                               ///< its address space at the end
  std::vector<StackFact> samples{};  ///< of the task that ran, at instants since the last system call
  std::optional<Killer> killer{};
  std::optional<Slowness> slowness{};   ///< of one that ended by itself, if one reason dominates
  std::optional<ProcessFact> native{};  ///< whose end this one passed on, and whose program was not recorded
};

/// Begins a new replay of the same recording.
using BeginReplay = std::function<Result<std::unique_ptr<ReplaySession>>()>;

/// Whether the process did not end by itself: its recording stops, or a signal came that ends programs.
bool is_interrupted(const RunSummary& run);

Result<Facts> gather(RunSummary run, const BeginReplay& begin);

/// What the tasks of another process were doing at its end.
Result<std::vector<TaskFact>> gather_tasks(const RunSummary& run, const BeginReplay& begin);

}  // namespace orrery::lens::why
