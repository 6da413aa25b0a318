#include "host/seeded_machine.h"

#include "host/seeded_clock.h"

namespace orrery::host {
namespace {

/// In the year 2033: later than the times of all files, so that no program finds one from the future.
constexpr u64 kEpochSeconds = 2'000'000'000;
constexpr u64 kSecondsPerYear = 31'536'000;
constexpr i32 kFirstOutside = 300;  ///< below all ids of the machine (machine::seeded_pid)
constexpr i32 kInit = 1;

}  // namespace

void SeededMachine::begin(u64 seed, i32 pid, i32 host_pid) {
  random = SplitMix64(seed);
  quanta = SplitMix64(~seed);
  order = SplitMix64(seed ^ 0x6f72'6465'7221);
  epoch_ns = (kEpochSeconds + seed % kSecondsPerYear) * kNsPerSecond;
  first_pid = pid;
  first = last = holder = count = live = 1;
  host_pids[1] = host_pid;
  processes[1].state = TurnState::ready;
}

u32 SeededMachine::number_of(i32 pid) const {
  const i64 number = i64{pid} - first_pid + 1;
  return number >= 1 && number <= count ? static_cast<u32>(number) : kNobody;
}

/// The host uses ids again: the youngest of that id is meant.
u32 SeededMachine::number_of_host(i32 host_pid) const {
  for (u32 number = count; number != kNobody; --number)
    if (host_pids[number] == host_pid) return number;
  return kNobody;
}

i32 SeededMachine::to_guest(i32 host_pid) {
  if (host_pid <= kInit) return host_pid;
  if (const u32 number = number_of_host(host_pid); number != kNobody) return pid_of(number);
  for (u32 i = 0; i < outside_count; ++i)
    if (outside_ids[i] == host_pid) return kFirstOutside + static_cast<i32>(i);
  if (outside_count == kOutsideMost) return 0;
  outside_ids[outside_count] = host_pid;
  return kFirstOutside + static_cast<i32>(outside_count++);
}

/// Who was waited for, or has no parent left that could, is gone: the host may have given its id to another.
bool SeededMachine::is_known(u32 number) const {
  const SeededProcess& process = processes[number];
  if (process.state != TurnState::ended) return true;
  const u32 parent = process.parent;
  return process.reaped == 0 && parent != kNobody && processes[parent].state != TurnState::ended;
}

i32 SeededMachine::to_host(i32 pid) const {
  if (pid >= 0 && pid <= kInit) return pid;
  if (const u32 number = number_of(pid); number != kNobody) return is_known(number) ? host_pids[number] : -1;
  const i32 outside = pid - kFirstOutside;
  return outside >= 0 && outside < static_cast<i32>(outside_count) ? outside_ids[outside] : -1;
}

}  // namespace orrery::host
