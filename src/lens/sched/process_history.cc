#include "lens/sched/process_history.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <sys/prctl.h>

#include <unordered_map>

#include "lens/call_set.h"
#include "lens/io/descriptor_watcher.h"
#include "trace/event.h"

namespace orrery::lens::sched {

using kernel::ScheduleNote;
using kernel::ScheduleStep;

namespace {

/// Stacks of more waits at one address tell nothing new.
constexpr u64 kStacksMostPerFutex = 200;
constexpr u64 kNameBytesMost = 16;
constexpr u64 kPolls[] = {__NR_epoll_wait, __NR_epoll_pwait, __NR_epoll_pwait2, __NR_poll,
                          __NR_ppoll,      __NR_select,      __NR_pselect6};

/// Of what goes through descriptors it keeps what tells of waits; a server has a hundred times as much. Those
/// are calls that waited, writes, which end others' waits, and the first read after a poll.
class TransfersOfWaits final : public io::DescriptorSink {
 public:
  explicit TransfersOfWaits(io::DescriptorSink& journal) : journal_(journal) {}

  /// Its next transfer is kept.
  void waited(i32 task) { waited_.insert(task); }
  /// Its next read is.
  void polled(i32 task) { polled_.insert(task); }

  void add(io::DescriptorAction action) override { journal_.add(std::move(action)); }
  void add(const io::Transfer& transfer) override {
    const bool has_waited = waited_.erase(transfer.task) != 0 ||
                            transfer.time_ns - transfer.begin_ns >= trace::EventHeader::kWaitLeastNs;
    const bool is_first = transfer.kind == io::TransferKind::read && polled_.erase(transfer.task) != 0;
    if (has_waited || is_first || transfer.kind == io::TransferKind::write) journal_.add(transfer);
  }

 private:
  io::DescriptorSink& journal_;
  std::set<i32> waited_, polled_;
};

class TaskWatcher final : public Watcher {
 public:
  TaskWatcher(const Recording& recording, const TreeProcess& process, ProcessHistory& history,
              io::DescriptorSink& journal)
      : history_(history),
        transfers_(journal),
        descriptors_(io::watch_descriptors(recording, process, transfers_)),
        calls_(*descriptors_->calls()),
        words_(process.program),
        timeline_(recording, process, [this](const Stretch& stretch) { keep(stretch); }) {
    calls_.set(__NR_prctl);
  }

  const CallSet* calls() const override { return &calls_; }
  bool wants_notes() const override { return true; }
  bool wants_lock_waits() const override { return true; }

  void begin(ReplaySession& session, const Instant& at) override { descriptors_->begin(session, at); }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (descriptors_->calls()->test(walked.call.number)) descriptors_->enter(session, walked);
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    const Call& call = walked.call;
    if (descriptors_->calls()->test(call.number)) descriptors_->leave(session, walked);
    if (walked.replaced_program()) words_.forget();
    if (call.number == __NR_prctl && call.arguments[0] == PR_SET_NAME)
      history_.names[walked.entry.task] = session.read_string(call.arguments[1], kNameBytesMost);
  }

  void note(const ScheduleNote& told, u64 time_ns) override {
    descriptors_->note(told, time_ns);
    history_.tasks.insert(told.task);
    timeline_.note(told);
    if (told.step == ScheduleStep::waits) transfers_.waited(told.task);
    if (told.step == ScheduleStep::returned && told.number < polls_.size() && polls_.test(told.number))
      transfers_.polled(told.task);
    if (told.step == ScheduleStep::waits && told.number == __NR_futex)
      waits_[told.task] = {++futex_waits_[told.task], futexes_[told.task],
                           static_cast<i32>(static_cast<u32>(told.words[1]))};
    if (told.step != ScheduleStep::call) return;
    if (told.number == __NR_futex) note_futex(told, time_ns);
    note_kill(told, time_ns);
  }

  void lock_wait(ReplaySession& session, i32 task) override {
    const Wait& wait = waits_[task];
    if (++stacks_[wait.address] > kStacksMostPerFutex) return;
    SeenWait seen;
    seen.stack = words_.stack_of(session, task);
    const std::string_view function = std::string_view(seen.stack).substr(0, seen.stack.find(" < "));
    seen.object = history_.objects[wait.address] = sync_object(session, function, wait.address);
    seen.name = words_.name_of(session, seen.object.address);
    const i32 owner = seen.object.owner != 0 ? seen.object.owner : wait.owner;
    if (history_.tasks.contains(owner)) seen.owner_stack = words_.stack_of(session, owner);
    history_.seen_waits[{task, wait.number}] = std::move(seen);
  }

  void end(ReplaySession& session, const Instant& at) override {
    descriptors_->end(session, at);
    timeline_.end();
  }

 private:
  struct Wait {
    u64 number = 0, address = 0;
    i32 owner = 0;
  };

  void keep(const Stretch& stretch) {
    if (stretch.made) history_.makers[stretch.task] = stretch.other;
    history_.stretches.push_back(stretch);
  }

  void note_futex(const ScheduleNote& told, u64 time_ns) {
    futexes_[told.task] = told.words[0];
    const u64 operation = told.words[1] & FUTEX_CMD_MASK;
    const bool wakes =
        operation == FUTEX_WAKE || operation == FUTEX_WAKE_BITSET || operation == FUTEX_WAKE_OP;
    if (!wakes || (told.words[1] & FUTEX_PRIVATE_FLAG) != 0) return;
    history_.shared_wakes.push_back({.time_ns = time_ns,
                                     .event = told.event,
                                     .ticks = told.ticks,
                                     .address = told.words[0],
                                     .task = told.task});
  }

  void note_kill(const ScheduleNote& told, u64 time_ns) {
    const bool is_kill = told.number == __NR_kill || told.number == __NR_tkill ||
                         told.number == __NR_tgkill || told.number == __NR_rt_sigqueueinfo;
    if (!is_kill) return;
    history_.kills.push_back({.time_ns = time_ns,
                              .event = told.event,
                              .ticks = told.ticks,
                              .task = told.task,
                              .target = static_cast<i32>(told.words[0]),
                              .number = told.number});
  }

  ProcessHistory& history_;
  TransfersOfWaits transfers_;
  std::unique_ptr<Watcher> descriptors_;
  CallSet calls_;
  CallSet polls_ = set_of(kPolls);
  StackWords words_;
  TaskTimeline timeline_;
  std::unordered_map<i32, u64> futex_waits_, futexes_;
  std::unordered_map<i32, Wait> waits_;
  std::unordered_map<u64, u64> stacks_;  ///< by address: how many were looked at
};

}  // namespace

std::unique_ptr<Watcher> watch_tasks(const Recording& recording, const TreeProcess& process,
                                     ProcessHistory& history, io::DescriptorSink& journal) {
  return std::make_unique<TaskWatcher>(recording, process, history, journal);
}

}  // namespace orrery::lens::sched
