#include "lens/why/waits.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <set>

#include "lens/sched/stack_words.h"
#include "lens/sched/sync_object.h"
#include "lens/task_machine.h"
#include "lens/task_place.h"
#include "linux/syscall_table.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens::why {
namespace {

constexpr u64 kFramesShown = 16;
constexpr int kRdi = 7, kRsi = 6, kRdx = 2, kR10 = 10, kR8 = 8, kR9 = 9;
/// nptl/pthreadP.h, the value of a mutex's futex word that has waiters: what lll_lock_wait waits to change.
constexpr u32 kLockedWithWaiters = 2;

std::string name_of_call(u64 number) {
  const abi::SyscallRow* row = abi::find_syscall(number);
  return row != nullptr && row->name != nullptr ? row->name : "system call " + std::to_string(number);
}

u32 read_word(ReplaySession& session, u64 address) {
  u8 bytes[4] = {};
  u32 word = 0;
  if (session.read(address, bytes) == sizeof bytes) std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// The system's functions between the call and the program's own code, innermost first.
std::string functions_called(const StackFact& stack) {
  std::string names;
  for (const FrameFact& frame : stack.inner) {
    if (frame.users) break;
    names += frame.function + " ";
  }
  return names;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void read_rwlock(ReplaySession& session, const std::string& functions, TaskFact& fact) {
  constexpr u64 kReaders = offsetof(pthread_rwlock_t, __data.__readers);
  constexpr u32 kReaderShift = 3;  // nptl/pthread_rwlock_common.c, PTHREAD_RWLOCK_READER_SHIFT
  fact.waits = has(functions, "wrlock") ? Waits::write_lock : Waits::read_lock;
  fact.readers = read_word(session, fact.object_address + kReaders) >> kReaderShift;
}

/// Without the flag for it, a futex in private memory is still the process's own (std::future's are such).
bool is_shared_memory(ReplaySession& session, u64 address) {
  const auto& regions = session.regions();
  const auto at = std::find_if(regions.begin(), regions.end(),
                               [&](const elf::MappedRegion& region) { return region.contains(address); });
  return at == regions.end() || (at->flags & MAP_SHARED) != 0;
}

void read_futex(ReplaySession& session, const std::set<i32>& tasks, TaskFact& fact) {
  const u64 operation = fact.arguments[1] & FUTEX_CMD_MASK;
  const auto value = static_cast<u32>(fact.arguments[2]);
  const std::string functions = functions_called(fact.stack);
  fact.for_ever = fact.arguments[3] == 0;
  fact.shared = (fact.arguments[1] & FUTEX_PRIVATE_FLAG) == 0 && is_shared_memory(session, fact.arguments[0]);
  const sched::SyncObject object = sched::sync_object(session, functions, fact.arguments[0]);
  fact.object_address = object.address;
  switch (object.kind) {
    case sched::SyncKind::rwlock:
      read_rwlock(session, functions, fact);
      fact.other = object.owner;
      return;
    case sched::SyncKind::condition:
      fact.waits = Waits::condition;
      return;
    case sched::SyncKind::semaphore:
      fact.waits = Waits::semaphore;
      return;
    case sched::SyncKind::barrier:
      fact.waits = Waits::barrier;
      return;
    case sched::SyncKind::unknown:
      break;
  }
  const bool is_pi = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
  if (is_pi || (value == kLockedWithWaiters && has(functions, "mutex"))) {
    constexpr u64 kOwner = offsetof(pthread_mutex_t, __data.__owner);
    fact.waits = Waits::lock;
    fact.other = static_cast<i32>(is_pi ? read_word(session, fact.arguments[0]) & FUTEX_TID_MASK
                                        : read_word(session, fact.arguments[0] + kOwner));
    return;
  }
  fact.waits = Waits::futex;
  // Who joins a thread waits for its id to go (nptl/pthread_join_common.c), which the kernel does with a wake
  // that may come from another process as far as the call tells.
  if (tasks.contains(static_cast<i32>(value)) && has(functions, "join")) {
    fact.waits = Waits::thread;
    fact.other = static_cast<i32>(value);
    fact.shared = false;
  }
}

/// A time-out in milliseconds: negative is none.
bool is_negative(u64 argument) { return static_cast<i32>(argument) < 0; }

void read_wait(ReplaySession& session, const std::set<i32>& tasks, TaskFact& fact) {
  fact.for_ever = true;
  switch (fact.number) {
    case __NR_futex:
      return read_futex(session, tasks, fact);
    case __NR_wait4:
    case __NR_waitid:
      fact.waits = Waits::child;
      return;
    case __NR_nanosleep:
    case __NR_clock_nanosleep:
      fact.waits = Waits::timer;
      fact.for_ever = false;
      return;
    case __NR_pause:
    case __NR_rt_sigsuspend:
      fact.waits = Waits::signal;
      return;
    case __NR_rt_sigtimedwait:
      fact.waits = Waits::signal;
      fact.for_ever = fact.arguments[2] == 0;
      return;
    case __NR_flock:
      fact.waits = Waits::file_lock;
      fact.fd = static_cast<int>(fact.arguments[0]);
      return;
    case __NR_fcntl:
      fact.waits =
          fact.arguments[1] == F_SETLKW || fact.arguments[1] == F_OFD_SETLKW ? Waits::file_lock : Waits::call;
      fact.fd = static_cast<int>(fact.arguments[0]);
      return;
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
      fact.waits = Waits::readiness;
      fact.fd = static_cast<int>(fact.arguments[0]);
      fact.for_ever = is_negative(fact.arguments[3]);
      return;
    case __NR_poll:
      fact.waits = Waits::readiness;
      fact.for_ever = is_negative(fact.arguments[2]);
      return;
    case __NR_ppoll:
      fact.waits = Waits::readiness;
      fact.for_ever = fact.arguments[2] == 0;
      return;
    case __NR_select:
    case __NR_pselect6:
      fact.waits = Waits::readiness;
      fact.for_ever = fact.arguments[4] == 0;
      return;
    case __NR_read:
    case __NR_readv:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_accept:
    case __NR_accept4:
    case __NR_connect:
    case __NR_write:
    case __NR_writev:
    case __NR_sendto:
    case __NR_sendmsg:
      fact.waits = Waits::descriptor;
      fact.fd = static_cast<int>(fact.arguments[0]);
      return;
    default:
      fact.waits = Waits::call;
      fact.for_ever = false;
  }
}

TaskFact read_task(ReplaySession& session, const RunSummary& run, const machine::ControlTask& task,
                   const std::set<i32>& tasks, sched::StackWords& words) {
  TaskFact fact{.process = run.process, .pid = run.pid, .task = task.task};
  fact.name.assign(task.name, strnlen(task.name, sizeof task.name));
  TaskMachine machine(session, task);
  fact.stack = stack_of(session, machine, run.image, kFramesShown);
  if (task.call < 0) return fact;
  fact.number = static_cast<u64>(task.call);
  fact.call = name_of_call(fact.number);
  constexpr int kArguments[6] = {kRdi, kRsi, kRdx, kR10, kR8, kR9};
  for (u64 i = 0; i < 6; ++i) fact.arguments[i] = task.gpr[kArguments[i]];
  read_wait(session, tasks, fact);
  if (fact.object_address != 0) fact.object = words.name_of(session, fact.object_address);
  return fact;
}

bool is_outside(trace::EventKind kind) {
  switch (kind) {
    case trace::EventKind::tsc:
    case trace::EventKind::cpu_number:
    case trace::EventKind::signal:
    case trace::EventKind::exit:
    case trace::EventKind::turn:
    case trace::EventKind::meeting:
    case trace::EventKind::gap:
      return false;
    default:
      return true;
  }
}

/// The clock is no sign of progress: loops that wait for something look at it.
bool is_wait_of_all(const trace::EventHeader& header) {
  return header.kind == trace::EventKind::syscall &&
         (header.detail == __NR_ppoll || header.detail == __NR_clock_gettime);
}

}  // namespace

std::vector<TaskFact> read_tasks(ReplaySession& session, const RunSummary& run) {
  const std::vector<machine::ControlTask> all = session.tasks();
  std::set<i32> tasks;
  for (const machine::ControlTask& task : all) tasks.insert(task.task);
  sched::StackWords words(run.image);
  std::vector<TaskFact> facts;
  for (const machine::ControlTask& task : all) {
    if (task.call != __NR_exit) facts.push_back(read_task(session, run, task, tasks, words));
  }
  return facts;
}

Progress read_progress(const RunSummary& run) {
  Progress progress;
  std::string trouble;
  const auto reader = trace::TraceReader::open(run.directory, trouble, run.process);
  if (reader == nullptr) return progress;
  trace::EventView event;
  std::map<i32, u64> ticks, quiet_ticks;
  u64 first_ns = 0, moved_ns = 0, called_ns = 0, last_ns = 0;
  while (reader->next(event) == trace::ReadStatus::event) {
    const trace::EventHeader& header = *event.header;
    last_ns = header.end_ns();
    if (first_ns == 0) first_ns = moved_ns = called_ns = header.begin_ns();
    u64& before = ticks[header.task];
    if (header.ticks != before) {
      moved_ns = header.begin_ns();
      progress.last_task = header.task;
      progress.last_ticks = header.ticks;
    }
    before = header.ticks;
    if (is_outside(header.kind) && !is_wait_of_all(header)) {
      called_ns = last_ns;
      progress.quiet_event = header.number + 1;
      quiet_ticks = ticks;
    }
    if (header.kind == trace::EventKind::signal) {
      siginfo_t info{};
      std::memcpy(&info, event.payload.data(), std::min(sizeof info, event.payload.size()));
      progress.signal_code = info.si_code;
      progress.sender = info.si_code <= 0 ? std::optional(info.si_pid) : std::nullopt;
    }
  }
  progress.run_ns = last_ns - first_ns;
  progress.quiet_ns = last_ns - called_ns;
  progress.still_ns = last_ns - moved_ns;
  progress.quiet_ticks = quiet_ticks[progress.last_task];
  return progress;
}

}  // namespace orrery::lens::why
