// Who ran, who waited for what, and who woke whom. Within a process the guest kernel tells; between processes
// it is found by what they have in common: the two ends of a pipe or a connection, a word of shared memory, a
// pid.
#include <asm/unistd.h>
#include <linux/futex.h>

#include <list>
#include <mutex>

#include "base/base_name.h"
#include "lens/lens.h"
#include "lens/sched/process_history.h"
#include "lens/sched/sched_rows.h"
#include "lens/sched/socket_pairs.h"
#include "lens/sched/wait_reason.h"
#include "lens/sched/wakers.h"
#include "linux/syscall_table.h"

namespace orrery::lens::sched {
namespace {

std::string call_name(u32 number) {
  if (number == kExit) return "exit";
  const abi::SyscallRow* const row = abi::find_syscall(number);
  if (number == ~u32{0}) return "running";
  return row != nullptr && row->name != nullptr ? row->name : "syscall_" + std::to_string(number);
}

const char* state_name(TaskState state) {
  constexpr const char* kNames[] = {"running", "ready", "blocked"};
  return kNames[static_cast<u32>(state)];
}

const char* end_name(StretchEnd end) {
  constexpr const char* kNames[] = {"",       "ran",   "blocked", "quantum", "yielded",
                                    "exited", "woken", "ready",   "timeout", "signal"};
  return kNames[static_cast<u32>(end)];
}

/// A call of a task: what joins its stretch with what it did to descriptors.
struct CallKey {
  u32 process;
  i32 task;
  u64 event;
  auto operator<=>(const CallKey&) const = default;
};

class SchedInquiry final : public Inquiry {
 public:
  SchedInquiry(const Recording& recording, Rows& rows)
      : recording_(recording), rows_(rows), files_(recording.tree) {}

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    const std::lock_guard lock(mutex_);
    ProcessHistory& history = histories_.emplace_back();
    history.process = process.process;
    return watch_tasks(recording_, process, history, journal_);
  }

  Fallible<Nothing> finish() override {
    for (ProcessHistory& history : histories_) index_waits(history);
    journal_.visit_all([&](const auto& each) { play(each); });
    pairs_ = pair_sockets(files_.files());
    for (const ProcessHistory& history : histories_) note_acts(history);
    writes_.sort();
    futex_wakes_.sort();
    kills_.sort();
    exits_.sort();
    for (const ProcessHistory& history : histories_) write(history);
    return Nothing{};
  }

 private:
  struct Readiness {
    std::vector<const Stretch*> waits{};
    std::size_t next = 0;
  };

  void index_waits(const ProcessHistory& history) {
    for (const Stretch& each : history.stretches) {
      if (!each.call) continue;
      waits_[{history.process, each.task, each.event}].push_back(&each);
      if (kind_of(*each.call, nullptr, {}) == WaitKind::readiness)
        readiness_[{history.process, each.task}].waits.push_back(&each);
    }
  }

  // --- what calls waited on ---

  void play(const io::Transfer& transfer) {
    const io::OpenFilePointer file = files_.file_of(transfer);
    files_.play(transfer);
    on_file({transfer.process, transfer.task, transfer.event}, file);
    if (transfer.failed) return;
    if (transfer.kind == io::TransferKind::write)
      writes_.add(file->number, {.time_ns = transfer.begin_ns,
                                 .process = transfer.process,
                                 .task = transfer.task,
                                 .event = transfer.event,
                                 .number = transfer.number});
    if (transfer.kind == io::TransferKind::read)
      after_readiness(transfer.process, transfer.task, transfer.begin_ns, file);
  }

  void play(const io::DescriptorAction& action) {
    const bool on_descriptor =
        action.kind == io::ActionKind::accept || action.kind == io::ActionKind::connect;
    io::OpenFilePointer file;
    if (on_descriptor)
      file = files_.file_of({.begin_ns = action.begin_ns,
                             .time_ns = action.time_ns,
                             .event = action.event,
                             .process = action.process,
                             .task = action.task,
                             .fd = action.fd});
    files_.play(action);
    if (file != nullptr) on_file({action.process, action.task, action.event}, file);
  }

  void on_file(const CallKey& key, const io::OpenFilePointer& file) {
    const auto waits = waits_.find(key);
    if (waits == waits_.end()) return;
    for (const Stretch* each : waits->second) waited_on_[each] = file;
  }

  /// What a task reads first when a poll has returned was ready in it.
  void after_readiness(u32 process, i32 task, u64 time_ns, const io::OpenFilePointer& file) {
    const auto found = readiness_.find({process, task});
    if (found == readiness_.end()) return;
    Readiness& readiness = found->second;
    const Stretch* last = nullptr;
    for (; readiness.next < readiness.waits.size() && readiness.waits[readiness.next]->end_ns <= time_ns;
         ++readiness.next)
      last = readiness.waits[readiness.next];
    if (last != nullptr) became_ready_[last] = file;
  }

  void note_acts(const ProcessHistory& history) {
    const TreeProcess& process = recording_.tree.at(history.process);
    for (const KillCall& each : history.kills)
      kills_.add(each.target,
                 {each.time_ns, history.process, each.task, each.event, each.ticks, each.number});
    for (const SharedWake& each : history.shared_wakes)
      futex_wakes_.add(each.address,
                       {each.time_ns, history.process, each.task, each.event, each.ticks, __NR_futex});
    if (process.parent && !history.stretches.empty())
      exits_.add(*process.parent, {.time_ns = recording_.since_begin(process.end_ns),
                                   .process = history.process,
                                   .task = history.stretches.back().task,
                                   .event = process.event_count,
                                   .number = kExit});
  }

  // --- who ended a wait ---

  std::optional<Act> waker_of(const ProcessHistory& history, const Stretch& wait, WaitKind kind) const {
    const u64 from = wait.begin_ns, to = wait.end_ns;
    if (wait.other != 0 && wait.end == StretchEnd::woken)
      return Act{to, history.process, wait.other, wait.waker_event, wait.waker_ticks, wait.waker_call};
    // A signal may come by a descriptor (signalfd), and a poll's end is what tells then.
    if (wait.end == StretchEnd::signal || kind == WaitKind::signal) {
      const auto& own = recording_.tree.at(history.process);
      auto by_kill = kills_.last(own.pid, from, to, ~u32{0});
      return by_kill ? by_kill : kills_.last(wait.task, from, to, ~u32{0});
    }
    if (wait.end != StretchEnd::ready) return std::nullopt;
    if (kind == WaitKind::child) return exits_.last(history.process, from, to, history.process);
    if (is_on_futex(wait) && kind != WaitKind::thread)
      return futex_wakes_.last(wait.call->arguments[0], from, to, history.process);
    const auto& known = kind == WaitKind::readiness ? became_ready_ : waited_on_;
    const auto file = known.find(&wait);
    if (file == known.end()) return std::nullopt;
    const auto peer = pairs_.find(file->second->number);
    if (peer == pairs_.end()) return std::nullopt;
    return writes_.last(peer->second, from, to, ~u32{0});
  }

  /// A poll that a signal's descriptor ended has waited for the signal: so PostgreSQL's latches do.
  WaitKind kind_of_stretch(const ProcessHistory& history, const Stretch& each,
                           const io::OpenFile* waited_on) const {
    if (!each.call) return WaitKind::other;
    const WaitKind kind = kind_of_wait(history, each, waited_on);
    if (kind != WaitKind::readiness) return kind;
    const auto ready = became_ready_.find(&each);
    const bool by_signal = ready != became_ready_.end() && ready->second->kind == io::kSignalDescriptor;
    return by_signal ? WaitKind::signal : kind;
  }

  // --- rows ---

  void write(const ProcessHistory& history) {
    std::map<i32, TaskRow> tasks;
    std::map<u64, LockRow> locks;
    for (const Stretch& each : history.stretches) {
      add_to(tasks, history, each);
      const auto file = waited_on_.find(&each);
      const io::OpenFile* const waited_on = file == waited_on_.end() ? nullptr : file->second.get();
      const WaitKind kind = kind_of_stretch(history, each, waited_on);
      write_stretch(history, each, kind, waited_on);
      if (each.made) write_wake(history, each, each.begin_ns, maker_of(history, each));
      if (!each.call) continue;
      const std::optional<Act> waker = waker_of(history, each, kind);
      write_wake(history, each, each.end_ns, waker);
      const bool on_futex = is_on_futex(each) || kind == WaitKind::thread;
      if (on_futex) write_lock_wait(history, each, kind, waker, locks);
    }
    for (const auto& [task, row] : tasks) rows_.add(kTasks, row);
    for (const auto& [address, row] : locks) rows_.add(kLocks, row);
  }

  static bool is_on_futex(const Stretch& wait) { return wait.call && wait.call->number == __NR_futex; }

  /// The object of glibc's that the futex is part of, as far as that was seen.
  static SyncObject object_of_futex(const ProcessHistory& history, const Stretch& wait) {
    const auto seen = history.seen_waits.find({wait.task, wait.futex_wait});
    if (seen != history.seen_waits.end()) return seen->second.object;
    const auto last = history.objects.find(wait.call->arguments[0]);
    return last != history.objects.end() ? last->second : SyncObject{.address = wait.call->arguments[0]};
  }

  static WaitKind kind_of_wait(const ProcessHistory& history, const Stretch& wait, const io::OpenFile* file) {
    const WaitKind kind = kind_of(*wait.call, file, history.tasks);
    if (!is_on_futex(wait) || kind == WaitKind::thread) return kind;
    switch (object_of_futex(history, wait).kind) {
      case SyncKind::rwlock:
        return WaitKind::lock;
      case SyncKind::semaphore:
        return WaitKind::semaphore;
      case SyncKind::condition:
      case SyncKind::barrier:
        return WaitKind::futex;
      case SyncKind::unknown:
        break;
    }
    return kind;
  }

  static std::optional<Act> maker_of(const ProcessHistory& history, const Stretch& made) {
    return Act{made.begin_ns,    history.process,  made.other,
               made.waker_event, made.waker_ticks, made.waker_call};
  }

  void add_to(std::map<i32, TaskRow>& tasks, const ProcessHistory& history, const Stretch& each) {
    const auto [at, is_new] = tasks.try_emplace(each.task);
    TaskRow& row = at->second;
    if (is_new) {
      row.process = history.process;
      row.task = each.task;
      row.begin_ns = each.begin_ns;
      const auto name = history.names.find(each.task);
      const TreeProcess& process = recording_.tree.at(history.process);
      row.name = name != history.names.end() ? name->second : std::string(base_name(process.program));
      const auto maker = history.makers.find(each.task);
      if (maker != history.makers.end()) row.maker = maker->second;
    }
    row.end_ns = each.end_ns;
    const u64 lasted = each.end_ns - each.begin_ns;
    (each.state == TaskState::running ? row.running_ns
     : each.state == TaskState::ready ? row.ready_ns
                                      : row.blocked_ns) += lasted;
    if (each.state != TaskState::running) return;
    row.blocks += each.end == StretchEnd::blocked ? 1 : 0;
    row.quanta += each.end == StretchEnd::quantum ? 1 : 0;
    row.yields += each.end == StretchEnd::yielded ? each.turns : 0;
  }

  std::string object_of(const ProcessHistory& history, const Stretch& each, WaitKind kind,
                        const io::OpenFile* file) const {
    if (kind == WaitKind::thread) return "thread " + std::to_string(each.call->arguments[2]);
    if (is_on_futex(each)) return futex_name(history, each);
    if (kind == WaitKind::child && each.call->number == __NR_wait4) {
      const auto pid = static_cast<i32>(each.call->arguments[0]);
      return pid > 0 ? "pid " + std::to_string(pid) : "any child";
    }
    if (file == nullptr) {
      const int fd = descriptor_of(*each.call);
      return fd < 0 ? "" : "fd " + std::to_string(fd);
    }
    const std::string name = io::name_of(*file);
    if (kind == WaitKind::pipe) return "pipe (file " + std::to_string(file->number) + "), " + name;
    return kind == WaitKind::disk && !name.empty() ? name : file->kind + (name.empty() ? "" : " " + name);
  }

  static std::string futex_name(const ProcessHistory& history, const Stretch& each) {
    const auto seen = history.seen_waits.find({each.task, each.futex_wait});
    if (seen != history.seen_waits.end() && !seen->second.name.empty()) return seen->second.name;
    char text[24];
    std::snprintf(text, sizeof text, "0x%lx", each.call->arguments[0]);
    return text;
  }

  static std::optional<i32> owner_of(const ProcessHistory& history, const Stretch& each, WaitKind kind) {
    if (kind == WaitKind::thread) return static_cast<i32>(each.call->arguments[2]);
    if (kind != WaitKind::lock) return std::nullopt;
    const auto seen = history.seen_waits.find({each.task, each.futex_wait});
    if (seen != history.seen_waits.end() && seen->second.object.kind == SyncKind::rwlock) {
      const i32 writer = seen->second.object.owner;
      return history.tasks.contains(writer) && writer != each.task ? std::optional(writer) : std::nullopt;
    }
    const u64 operation = each.call->arguments[1] & FUTEX_CMD_MASK;
    const bool is_pi = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
    const auto owner = static_cast<i32>(is_pi ? each.call->word & FUTEX_TID_MASK : each.call->owner);
    if (!history.tasks.contains(owner)) return std::nullopt;
    return owner;
  }

  void write_stretch(const ProcessHistory& history, const Stretch& each, WaitKind kind,
                     const io::OpenFile* file) {
    StretchRow row{.process = history.process,
                   .task = each.task,
                   .state = state_name(each.state),
                   .begin_ns = each.begin_ns,
                   .end_ns = each.end_ns,
                   .event = each.event,
                   .ticks = each.ticks,
                   .ending = end_name(each.end),
                   .turns = each.turns};
    if (each.call) {
      row.reason = name_of(kind);
      row.call = call_name(each.call->number);
      row.object = object_of(history, each, kind, file);
      row.owner = owner_of(history, each, kind);
    }
    rows_.add(kStretches, row);
  }

  void write_wake(const ProcessHistory& history, const Stretch& each, u64 time_ns,
                  const std::optional<Act>& by) {
    if (!by) return;
    rows_.add(kWakes, WakeRow{.process = history.process,
                              .task = each.task,
                              .time_ns = time_ns,
                              .by_process = by->process,
                              .by_task = by->task,
                              .by_event = by->event,
                              .by_ticks = by->ticks,
                              .by_ns = by->time_ns,
                              .how = each.made ? "made" : call_name(by->number)});
  }

  void write_lock_wait(const ProcessHistory& history, const Stretch& each, WaitKind kind,
                       const std::optional<Act>& waker, std::map<u64, LockRow>& locks) {
    const u64 address = object_of_futex(history, each).address;
    LockWaitRow wait{.process = history.process,
                     .address = address,
                     .task = each.task,
                     .begin_ns = each.begin_ns,
                     .end_ns = each.end_ns,
                     .event = each.event,
                     .ticks = each.ticks,
                     .owner = owner_of(history, each, kind)};
    if (waker && waker->process == history.process) wait.woken_by = waker->task;
    const auto seen = history.seen_waits.find({each.task, each.futex_wait});
    if (seen != history.seen_waits.end()) {
      wait.stack = seen->second.stack;
      if (!seen->second.owner_stack.empty()) wait.owner_stack = seen->second.owner_stack;
    }
    rows_.add(kLockWaits, wait);
    LockRow& lock = locks[address];
    if (lock.waits++ == 0) lock = {.process = history.process, .address = address, .waits = 1};
    if (lock.name.empty() || lock.name.starts_with("0x")) lock.name = futex_name(history, each);
    if (lock.reason.empty() || kind == WaitKind::lock) lock.reason = name_of(kind);
    const u64 lasted = each.end_ns - each.begin_ns;
    lock.total_ns += lasted;
    lock.waiters = std::max<u64>(lock.waiters, count_waiter(history.process, address, each.task));
    if (lasted < lock.longest_ns) return;
    lock.longest_ns = lasted;
    lock.owner = wait.owner;
    lock.taken_in = wait.stack.value_or("");
  }

  u64 count_waiter(u32 process, u64 address, i32 task) {
    auto& waiters = waiters_[{process, address}];
    waiters.insert(task);
    return waiters.size();
  }

  const Recording& recording_;
  Rows& rows_;
  std::mutex mutex_;
  std::list<ProcessHistory> histories_;
  io::Journal journal_;
  io::DescriptorHistory files_;
  std::map<CallKey, std::vector<const Stretch*>> waits_;
  std::map<std::pair<u32, i32>, Readiness> readiness_;
  std::unordered_map<const Stretch*, io::OpenFilePointer> waited_on_, became_ready_;
  std::unordered_map<u64, u64> pairs_;
  std::map<std::pair<u32, u64>, std::set<i32>> waiters_;
  Acts<u64> writes_;       ///< by open file
  Acts<u64> futex_wakes_;  ///< by address: of memory shared from before a fork
  Acts<i32> kills_;        ///< by pid
  Acts<u32> exits_;        ///< by the parent's number
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<SchedInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kTasks), db::describe(kStretches), db::describe(kWakes), db::describe(kLocks),
          db::describe(kLockWaits)};
}

}  // namespace
}  // namespace orrery::lens::sched

namespace orrery::lens {

extern const Lens kSchedLens;
const Lens kSchedLens = {.name = "sched",
                         .version = 3,
                         .sentence = "What each thread did when, what it waited for, and who woke it.",
                         .tables = sched::tables,
                         .read = nullptr,
                         .watch = nullptr,
                         .inquire = sched::inquire};

}  // namespace orrery::lens
