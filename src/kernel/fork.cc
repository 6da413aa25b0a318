#include "kernel/fork.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernel/futex_table.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "trace/event.h"

namespace orrery::kernel {
namespace {

/// Private memory that the program may write: what a borrower can have changed.
std::vector<host::PageRange> writable_ranges(const memory::AddressSpace& space) {
  std::vector<host::PageRange> ranges;
  for (const auto& region : space.regions()) {
    if (!region.writable() || region.shared() || region.on_paper) continue;
    if (!ranges.empty() && ranges.back().end == region.start)
      ranges.back().end = region.end;
    else
      ranges.push_back({region.start, region.end});
  }
  return ranges;
}

/// Memory that parent and child will both see and may change.
bool shares_with_children(const memory::AddressSpace& space) {
  return std::any_of(space.regions().begin(), space.regions().end(), [](const memory::Region& region) {
    return region.shared() && (region.protection_most & PROT_WRITE) != 0 && !region.on_paper &&
           !region.has(memory::kNotInFork);
  });
}

/// What the child left in the memory that it borrowed.
void take_memory_back(Process& process) {
  std::vector<u8> changes;
  process.host.take_back(changes);
  std::span<const u8> rest = changes;
  trace::MemoryChange change;
  while (rest.size() >= sizeof change) {
    std::memcpy(&change, rest.data(), sizeof change);
    rest = rest.subspan(sizeof change);
    if (change.count > rest.size()) return;
    process.space().poke(change.address, rest.first(change.count));
    rest = rest.subspan(change.count);
  }
}

/// copy_process: what a child does not inherit.
void become_child(Task& task, const ForkWish& wish, i32 pid) {
  Process& process = task.process;
  process.parent = process.id;
  process.id = ProcessId{pid};
  become_only_task(task);
  process.scheduler.begin_process();
  process.space().begin_child();
  process.shown = {};
  process.pending = {};
  process.posix_timers.clear();
  process.engine_resident = {};
  process.next_task_id = kFirstTaskId;
  process.borrows = wish.waits;
  process.shares_borrowed = wish.shares_memory;
  task.pending = {};
  task.robust_list = {};
  task.clear_child_tid = 0;
  task.restart = {};
  task.saved_mask.reset();
  if (wish.clears_handlers) {
    for (SignalAction& action : process.actions)
      if (action.handler != kHandlerIgnore) action = {};
    actions_changed(task);
  }
  cpu::Registers& regs = task.cpu.regs;
  if (wish.stack != 0) regs[cpu::Gpr::rsp] = wish.stack;
  if (wish.sets_tls) regs.fs_base = wish.tls;
}

}  // namespace

Forked fork_process(Task& maker, const ForkWish& wish) {
  Process& process = maker.process;
  if (shares_with_children(process.space())) process.scheduler.join_turns();
  if (memory::AccessSink* const sink = process.space().access_sink(); sink != nullptr && !wish.waits)
    sink->pages_lent();
  host::ForkRequest request{.flags = wish.host_flags, .borrows = wish.waits};
  const i64 pid = process.host.fork(request);
  if (pid == 0) {
    become_child(maker, wish, request.pid);
    return {};
  }
  if (pid > 0 && wish.waits) {
    process.scheduler.give_turn();
    take_memory_back(process);
    process.scheduler.take_turn();
  }
  return {pid, request.pidfd};
}

void give_memory_back(Process& process) {
  if (!process.borrows) return;
  process.borrows = false;
  std::vector<host::PageRange> ranges;
  if (process.shares_borrowed) ranges = writable_ranges(process.space());
  if (!process.host.let_go(ranges))
    process.say("what a vforked child wrote into its parent's memory is lost: no /proc/self/pagemap");
}

}  // namespace orrery::kernel
