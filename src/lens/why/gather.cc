#include <asm/unistd.h>

#include <algorithm>
#include <csignal>

#include "lens/pending_calls.h"
#include "lens/why/facts.h"

namespace orrery::lens::why {
namespace {

using machine::StopReason;

/// How far from the end the calls are read one by one.
constexpr u64 kTailEvents = 400;
/// The same of a program that gave up.
constexpr u64 kLongTailEvents = 4'000;
/// Stops in that tail; a program may make many calls that need nothing from outside.
constexpr u64 kTailStopsMost = 4'000;
constexpr u64 kStopsAnEvent = 3;
/// A loop of calls that need nothing from outside is looked at from so many ticks before its end.
constexpr u64 kTailTicks = 20'000;
/// About five seconds of replay: of a longer run, who wants to know more must ask for it.
constexpr u64 kTicksAgainMost = 500'000'000, kEventsAgainMost = 500'000;
constexpr u64 kFramesShown = 16;
constexpr u64 kCallFramesShown = 24;
/// How far back an unmapping is looked for, and how many stops that may take.
constexpr u64 kUnmapEventsSearched = 100'000;
constexpr int kUnmapStopsMost = 200'000;
constexpr u64 kCallsKept = 400;

/// Below it nobody may map (vm.mmap_min_addr).
constexpr u64 kNullEnd = 0x10000;
constexpr u64 kFaultWrite = 1 << 1;  // page-fault error code, SDM vol. 3, 4.7
constexpr u64 kFaultFetch = 1 << 4;

/// The stack is looked at where the answer is likely to be needed: words for people, and failures.
bool wants_stack_at_entry(const Call& call) {
  return (call.number == __NR_write || call.number == __NR_writev) && call.fd == 2;
}

/// Walks from call to call, to the end of the run or for so many stops.
Status walk_calls(ReplaySession& session, const RunSummary& run, u64 stops_most,
                  PendingCalls<Nothing>& pending, std::vector<Call>& calls) {
  for (u64 stops = 0; !session.stop().ended() && stops < stops_most; ++stops) {
    if (session.stop().reason == StopReason::system_call) {
      Call& call = pending.enter(session, {}).call;
      if (wants_stack_at_entry(call)) call.stack = stack_of(session, run.image, kCallFramesShown);
    } else if (auto made = pending.leave(session)) {
      // Of one that SIGKILL ended, who asked for memory may be to blame.
      const bool grows = run.killed && (made->call.number == __NR_brk || made->call.number == __NR_mmap);
      const bool unmaps = made->call.number == __NR_munmap && !made->call.from_loader;
      if ((made->call.failed() || unmaps || grows) && !made->call.stack)
        made->call.stack = stack_of(session, run.image, kCallFramesShown);
      calls.push_back(std::move(made->call));
    }
    TRY(session.run_before(session.stop().event));
  }
  return Nothing{};
}

/// Walks the last calls to the end of the run; of very many that need nothing from outside, the first and the
/// last ones.
Status walk_tail(ReplaySession& session, const RunSummary& run, const Progress& progress, u64 events,
                 std::vector<Call>& calls) {
  const u64 from = run.last_event > events ? run.last_event - events : 0;
  TRY(session.run_before(from));
  PendingCalls<Nothing> pending;
  TRY(walk_calls(session, run, std::max(kTailStopsMost, events * kStopsAnEvent), pending, calls));
  if (!session.stop().ended() && session.stop().task == progress.last_task &&
      session.stop().ticks + kTailTicks < progress.last_ticks) {
    pending.take_rest();
    TRY(session.stop_at_tick(progress.last_task, progress.last_ticks - kTailTicks));
    TRY(session.run_before(run.last_event));
    TRY(walk_calls(session, run, kTailStopsMost, pending, calls));
  }
  if (!session.stop().ended()) TRY(session.run_to_end());
  for (auto& made : pending.take_rest()) calls.push_back(std::move(made.call));
  if (calls.size() > kCallsKept) {
    // What was said on stderr is kept.
    const auto last = calls.end() - static_cast<i64>(kCallsKept);
    calls.erase(
        std::remove_if(calls.begin(), last, [](const Call& call) { return !wants_stack_at_entry(call); }),
        last);
  }
  return Nothing{};
}

/// The regions around an address.
void look_around(ReplaySession& session, Fault& fault) {
  for (const elf::MappedRegion& region : session.regions()) {
    if (region.contains(fault.address)) fault.region = region;
    if (region.end <= fault.address) fault.below = region;
    if (region.start > fault.address && !fault.above) fault.above = region;
  }
}

std::optional<Fault> read_fault(ReplaySession& session) {
  const Stop& stop = session.stop();
  const bool synchronous = stop.reason == StopReason::fatal_signal && stop.fault_signal != 0 &&
                           static_cast<u64>(stop.fault_signal) == stop.value;
  if (!synchronous) return std::nullopt;
  Fault fault{.signal = stop.fault_signal, .code = stop.fault_code, .address = stop.fault_address};
  const elf::MachineRegisters& registers = session.registers();
  fault.instruction.resize(15);
  fault.instruction.resize(session.read(registers.rip, fault.instruction));
  fault.operand = memory_operand(fault.instruction, registers);
  fault.divisor = divisor(session, fault.instruction);
  if (fault.signal != SIGSEGV && fault.signal != SIGBUS) return fault;
  const bool general_protection = fault.code == SI_KERNEL;
  fault.address_known = !general_protection;
  if (!general_protection) {
    fault.access = (stop.fault_error & kFaultFetch) || fault.address == registers.rip ? Access::execute
                   : (stop.fault_error & kFaultWrite)                                 ? Access::write
                                                                                      : Access::read;
  } else if (!is_canonical(registers.rip)) {
    fault.address = registers.rip;
    fault.address_known = true;
    fault.access = Access::execute;
  } else if (fault.operand && !is_canonical(fault.operand->address)) {
    fault.address = fault.operand->address;
    fault.address_known = true;
  }
  if (fault.address_known) look_around(session, fault);
  return fault;
}

bool takes_away(const Call& call, u64 address) {
  const u64 start = call.arguments[0];
  const u64 size_bytes = page_ceil(call.arguments[1]);
  const bool covers = address >= start && address - start < size_bytes;
  return covers && call.result >= 0 && (call.number == __NR_munmap || call.number == __NR_mremap);
}

/// The last call that unmapped the faulting address. If it is not among the last calls, the calls before are
/// walked in a replay of its own.
Result<std::optional<Call>> find_unmapping(const Facts& facts, const BeginReplay& begin) {
  const RunSummary& run = facts.run;
  const u64 address = facts.fault->address;
  std::optional<Call> found;
  for (const Call& call : facts.calls) {
    if (takes_away(call, address)) found = call;
  }
  if (found) return found;
  std::unique_ptr<ReplaySession> session = TRY(begin());
  TRY(session->run_before(run.last_event > kUnmapEventsSearched ? run.last_event - kUnmapEventsSearched : 0));
  PendingCalls<Nothing> pending;
  for (int stops = 0; !session->stop().ended() && stops < kUnmapStopsMost; ++stops) {
    const u64 number = session->registers().gpr[0];
    if (session->stop().reason == StopReason::system_call) {
      if (number == __NR_munmap || number == __NR_mremap) pending.enter(*session, {});
    } else if (auto made = pending.leave(*session); made && takes_away(made->call, address)) {
      made->call.stack = stack_of(*session, run.image, kCallFramesShown);
      found = std::move(made->call);
    }
    TRY(session->run_before(session->stop().event));
  }
  return found;
}

/// Instants between the last system call and the end, at which a task that ran is looked at.
constexpr u64 kSamples = 6;
/// Fewer ticks than this are no loop worth the look.
constexpr u64 kSampledTicksLeast = 100'000;

/// Where the task that ran last stood meanwhile.
Result<std::vector<StackFact>> sample(const Facts& facts, const BeginReplay& begin) {
  const Progress& progress = facts.progress;
  const u64 ticks = progress.last_ticks - progress.quiet_ticks;
  std::vector<StackFact> samples;
  if (progress.last_ticks < progress.quiet_ticks || ticks < kSampledTicksLeast) return samples;
  std::unique_ptr<ReplaySession> session = TRY(begin());
  TRY(session->run_before(progress.quiet_event));
  for (u64 i = 1; i <= kSamples && !session->stop().ended(); ++i) {
    TRY(session->stop_at_tick(progress.last_task, progress.quiet_ticks + ticks * i / (kSamples + 1)));
    while (!session->stop().ended()) {
      TRY(session->run_before(facts.run.last_event));
      if (session->stop().reason == StopReason::tick || session->stop().event >= facts.run.last_event) break;
    }
    if (session->stop().reason != StopReason::tick) break;
    samples.push_back(stack_of(*session, facts.run.image, kFramesShown));
  }
  return samples;
}

bool has_running_task(const std::vector<TaskFact>& tasks) {
  return std::any_of(tasks.begin(), tasks.end(),
                     [](const TaskFact& task) { return task.waits == Waits::nothing; });
}

}  // namespace

bool is_interrupted(const RunSummary& run) {
  if (!run.ended || run.killed) return true;
  switch (run.signal) {
    case SIGHUP:
    case SIGINT:
    case SIGQUIT:
    case SIGTERM:
    case SIGKILL:
    case SIGALRM:
      return true;
    default:
      return false;
  }
}

Result<std::vector<TaskFact>> gather_tasks(const RunSummary& run, const BeginReplay& begin) {
  std::unique_ptr<ReplaySession> session = TRY(begin());
  TRY(session->run_to_end());
  return read_tasks(*session, run);
}

Result<Facts> gather(RunSummary run, const BeginReplay& begin) {
  Facts facts;
  facts.run = std::move(run);
  facts.progress = read_progress(facts.run);
  // What one that gave up has said may be further back.
  const bool gave_up = facts.run.ended && facts.run.signal == 0 && facts.run.status != 0;
  std::unique_ptr<ReplaySession> session = TRY(begin());
  TRY(walk_tail(*session, facts.run, facts.progress, gave_up ? kLongTailEvents : kTailEvents, facts.calls));
  facts.is_long = facts.progress.last_ticks > kTicksAgainMost || facts.run.last_event > kEventsAgainMost;
  facts.replayed = true;
  facts.stop = session->stop();
  facts.registers = session->registers();
  facts.fault = read_fault(*session);
  facts.stack = stack_of(*session, facts.run.image, kFramesShown);
  facts.images = session->images().all();
  for (elf::Image& image : facts.images) image.module = nullptr;
  for (const elf::MappedRegion& region : session->regions()) facts.mapped_bytes += region.end - region.start;
  if (auto block = session->process_block()) {
    for (u64 i = 0; i < facts.limits.size(); ++i) facts.limits[i] = block.value().process.limits[i][0];
  }
  const bool interrupted = is_interrupted(facts.run);
  if (interrupted) facts.tasks = read_tasks(*session, facts.run);
  session.reset();
  if (interrupted && has_running_task(facts.tasks)) facts.samples = TRY(sample(facts, begin));
  if (facts.fault && facts.fault->address_known && !facts.fault->region && facts.fault->address >= kNullEnd) {
    if (!facts.is_long) facts.fault->unmapped_by = TRY(find_unmapping(facts, begin));
  }
  return facts;
}

}  // namespace orrery::lens::why
