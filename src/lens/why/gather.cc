#include <asm/unistd.h>

#include <algorithm>
#include <csignal>

#include "lens/why/facts.h"

namespace orrery::lens::why {
namespace {

using machine::StopReason;

/// How far from the end the calls are read one by one.
constexpr u64 kTailEvents = 400;
/// Stops in that tail; a program may make many calls that need nothing from outside.
constexpr int kTailStopsMost = 20'000;
constexpr u64 kFramesShown = 16;
constexpr u64 kCallFramesShown = 12;
constexpr u64 kMemoryEventsSearched = 4'000;
constexpr u64 kCallsKept = 400;

constexpr u64 kFaultWrite = 1 << 1;  // page-fault error code, SDM vol. 3, 4.7
constexpr u64 kFaultFetch = 1 << 4;

/// The stack is looked at where the answer is likely to be needed: words for people, and failures.
bool wants_stack_at_entry(const Call& call) {
  return (call.number == __NR_write || call.number == __NR_writev) && call.fd == 2;
}

/// Walks the last calls to the end of the run.
Status walk_tail(ReplaySession& session, const RunSummary& run, std::vector<Call>& calls) {
  const u64 from = run.last_event > kTailEvents ? run.last_event - kTailEvents : 0;
  TRY(session.run_before(from));
  std::optional<Call> pending;
  for (int stops = 0; !session.stop().ended() && stops < kTailStopsMost; ++stops) {
    if (session.stop().reason == StopReason::system_call) {
      pending = read_call(session);
      if (wants_stack_at_entry(*pending)) pending->stack = stack_of(session, run.image, kCallFramesShown);
    } else if (pending) {
      finish_call(session, *pending);
      if (pending->failed() && !pending->stack)
        pending->stack = stack_of(session, run.image, kCallFramesShown);
      calls.push_back(std::move(*pending));
      pending.reset();
    }
    TRY(session.run_before(session.stop().event));
  }
  if (!session.stop().ended()) TRY(session.run_to_end());
  if (pending) calls.push_back(std::move(*pending));
  if (calls.size() > kCallsKept) calls.erase(calls.begin(), calls.end() - static_cast<i64>(kCallsKept));
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

/// The last call that unmapped `address`: walks the events that changed the map in a replay of its own.
Result<std::optional<Call>> find_unmapping(const RunSummary& run, const BeginReplay& begin, u64 address) {
  std::optional<Call> found;
  if (run.memory_events.empty()) return found;
  std::unique_ptr<ReplaySession> session = TRY(begin());
  const u64 count = run.memory_events.size();
  for (u64 i = count > kMemoryEventsSearched ? count - kMemoryEventsSearched : 0; i < count; ++i) {
    const u64 event = run.memory_events[i];
    if (session->stop().event <= event) TRY(session->run_before(event));
    std::optional<Call> pending;
    while (!session->stop().ended() && session->stop().event <= event) {
      if (session->stop().reason == StopReason::system_call) pending = read_call(*session);
      TRY(session->run_before(session->stop().event));
    }
    if (session->stop().ended()) break;
    if (!pending) continue;
    finish_call(*session, *pending);
    if (!takes_away(*pending, address)) continue;
    pending->stack = stack_of(*session, run.image, kCallFramesShown);
    found = std::move(pending);
  }
  return found;
}

}  // namespace

Result<Facts> gather(RunSummary run, const BeginReplay& begin) {
  Facts facts;
  facts.run = std::move(run);
  std::unique_ptr<ReplaySession> session = TRY(begin());
  TRY(walk_tail(*session, facts.run, facts.calls));
  facts.replayed = true;
  facts.stop = session->stop();
  facts.registers = session->registers();
  facts.fault = read_fault(*session);
  facts.stack = stack_of(*session, facts.run.image, kFramesShown);
  facts.images = session->images().all();
  for (elf::Image& image : facts.images) image.module = nullptr;
  session.reset();
  if (facts.fault && facts.fault->address_known && !facts.fault->region && facts.fault->address >= 0x10000) {
    facts.fault->unmapped_by = TRY(find_unmapping(facts.run, begin, facts.fault->address));
  }
  return facts;
}

}  // namespace orrery::lens::why
