#include "lens/io/requests.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <unordered_map>

#include "lens/io/descriptor_watcher.h"
#include "lens/sched/task_timeline.h"
#include "lens/sched/wait_reason.h"

namespace orrery::lens::io {

using kernel::ScheduleNote;
using kernel::ScheduleStep;
using sched::Stretch;
using sched::TaskState;
using sched::WaitKind;

namespace {

constexpr std::size_t kSlowestKept = 1000;
/// What a task did lately: enough for a request of many waits.
constexpr std::size_t kPiecesKept = 50'000;

Share share_of(WaitKind kind) {
  switch (kind) {
    case WaitKind::lock:
    case WaitKind::futex:
    case WaitKind::semaphore:
      return Share::lock;
    case WaitKind::disk:
    case WaitKind::file_lock:
      return Share::disk;
    case WaitKind::pipe:
    case WaitKind::socket:
    case WaitKind::readiness:
      return Share::network;
    case WaitKind::thread:
    case WaitKind::child:
    case WaitKind::timer:
    case WaitKind::signal:
    case WaitKind::other:
      break;
  }
  return Share::other;
}

bool is_readiness(u32 number) {
  return number == __NR_epoll_wait || number == __NR_epoll_pwait || number == __NR_epoll_pwait2 ||
         number == __NR_poll || number == __NR_ppoll || number == __NR_select || number == __NR_pselect6;
}

/// What the kernel answers itself when a signal comes (include/linux/errno.h), or the program.
bool is_broken_off(i64 result) {
  constexpr i64 kRestartFirst = 512, kRestartLast = 516;
  return result == -EINTR || (-result >= kRestartFirst && -result <= kRestartLast);
}

}  // namespace

/// What the tasks of one process did lately, and the requests whose time is still to be told apart.
class ProcessRequests {
 public:
  ProcessRequests(const Recording& recording, const TreeProcess& process)
      : timeline_(recording, process, [this](const Stretch& stretch) { keep(stretch); }) {}

  void note(const ScheduleNote& told, u64 time_ns) {
    if (told.task != last_task_) tasks_.insert(last_task_ = told.task);
    if (told.step == ScheduleStep::returned && is_readiness(told.number)) {
      const auto result = static_cast<i64>(told.words[0]);
      if (result > 0) ready_ns_[told.task] = time_ns;
      if (is_broken_off(result)) keep_time(lately_[told.task].broken_off_ns, time_ns);
    }
    timeline_.note(told);
  }
  void end() {
    timeline_.end();
    for (auto& [task, lately] : lately_)
      for (const Pending& each : lately.pending) tell_apart(*each.request, lately);
  }

  u64 ready_ns(i32 task) const {
    const auto at = ready_ns_.find(task);
    return at == ready_ns_.end() ? 0 : at->second;
  }
  /// The call made by the task at that event waits on a file of that kind.
  void note_file(const Transfer& transfer, const OpenFilePointer& file) {
    files_[transfer.task] = {transfer.event, file};
  }
  /// It has read a signal: the poll before that has waited for it.
  void note_signal(const Transfer& transfer) {
    keep_time(lately_[transfer.task].signals_ns, transfer.begin_ns);
  }
  void tell_apart_later(const RequestPointer& request) {
    lately_[request->task].pending.push_back({request, request->answered_ns});
  }

 private:
  struct Piece {
    u64 begin_ns = 0, end_ns = 0;
    Share share = Share::cpu;
    bool is_poll = false;
    u64 event = 0;  ///< of a poll, at its call
  };
  /// The poll behind the one that is looked at, in the same request.
  struct PollBehind {
    u64 end_ns = ~u64{0}, event = 0;
    std::optional<Share> share{};
  };
  struct Pending {
    RequestPointer request;
    u64 answered_ns;
  };
  struct Lately {
    std::deque<Piece> pieces{};
    std::deque<u64> signals_ns{};     ///< when signals were read from a descriptor
    std::deque<u64> broken_off_ns{};  ///< when polls returned since a signal's handler was to run
    std::deque<Pending> pending{};
  };

  static void keep_time(std::deque<u64>& times_ns, u64 time_ns) {
    times_ns.push_back(time_ns);
    if (times_ns.size() > kPiecesKept) times_ns.pop_front();
  }

  Share share_of_stretch(const Stretch& stretch) const {
    if (stretch.state == TaskState::running) return Share::cpu;
    if (stretch.state == TaskState::ready || !stretch.call) return Share::sched;
    const auto file = files_.find(stretch.task);
    const bool is_its = file != files_.end() && file->second.first == stretch.event;
    return share_of(sched::kind_of(*stretch.call, is_its ? file->second.second.get() : nullptr, tasks_));
  }

  void keep(const Stretch& stretch) {
    Lately& lately = lately_[stretch.task];
    const bool is_poll = stretch.state == TaskState::blocked && is_readiness(stretch.call->number);
    lately.pieces.push_back(
        {stretch.begin_ns, stretch.end_ns, share_of_stretch(stretch), is_poll, stretch.event});
    if (lately.pieces.size() > kPiecesKept) lately.pieces.pop_front();
    while (!lately.pending.empty() && lately.pending.front().answered_ns <= stretch.end_ns) {
      tell_apart(*lately.pending.front().request, lately);
      lately.pending.pop_front();
    }
  }

  /// Where another thread than the reader answers, it waits first until the request is handed to it.
  static void tell_apart(Request& request, const Lately& lately) {
    request.shares = {};
    auto& shares = request.shares;
    shares[static_cast<u32>(Share::queue)] = request.read_ns - request.arrived_ns;
    u64 told = 0;
    PollBehind behind;
    for (auto piece = lately.pieces.rbegin(); piece != lately.pieces.rend(); ++piece) {
      if (piece->end_ns <= request.read_ns) break;
      const u64 begin = std::max(piece->begin_ns, request.read_ns);
      const u64 end = std::min(piece->end_ns, request.answered_ns);
      if (end <= begin) continue;
      const bool handed_over =
          request.task != request.reader && piece->begin_ns <= request.read_ns && piece->share != Share::cpu;
      const Share own = piece->is_poll ? share_of_poll(lately, *piece, behind) : piece->share;
      const Share share = handed_over ? Share::queue : own;
      shares[static_cast<u32>(share)] += end - begin;
      told += end - begin;
    }
    shares[static_cast<u32>(Share::cpu)] += request.answered_ns - request.read_ns - told;
  }

  /// A poll has waited for a signal that its descriptor gave. One that a handler broke off, or that slept
  /// again in the same call, has waited for what the poll behind it waits for, since the wait goes on there;
  /// with none behind it, for the signal: so PostgreSQL waits for a lock, looking for a deadlock when an
  /// alarm tells it to.
  static Share share_of_poll(const Lately& lately, const Piece& poll, PollBehind& behind) {
    const bool broken_off = is_any_between(lately.broken_off_ns, poll.end_ns, behind.end_ns);
    const bool goes_on = behind.share && (broken_off || poll.event == behind.event);
    const bool for_signal = broken_off || is_any_between(lately.signals_ns, poll.end_ns, behind.end_ns);
    const Share share = goes_on ? *behind.share : for_signal ? Share::lock : poll.share;
    behind = {.end_ns = poll.end_ns, .event = poll.event, .share = share};
    return share;
  }

  static bool is_any_between(const std::deque<u64>& times_ns, u64 from_ns, u64 to_ns) {
    const auto at = std::lower_bound(times_ns.begin(), times_ns.end(), from_ns);
    return at != times_ns.end() && *at < to_ns;
  }

  sched::TaskTimeline timeline_;
  std::set<i32> tasks_;
  i32 last_task_ = 0;
  std::unordered_map<i32, u64> ready_ns_;
  std::unordered_map<i32, std::pair<u64, OpenFilePointer>> files_;  ///< by task: of its last long call
  std::unordered_map<i32, Lately> lately_;
};

namespace {

class RequestWatcher final : public Watcher {
 public:
  RequestWatcher(std::unique_ptr<Watcher> descriptors, ProcessRequests& requests)
      : descriptors_(std::move(descriptors)), requests_(requests) {}

  const CallSet* calls() const override { return descriptors_->calls(); }
  bool wants_notes() const override { return true; }
  void begin(ReplaySession& session, const Instant& at) override { descriptors_->begin(session, at); }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    descriptors_->enter(session, walked);
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    descriptors_->leave(session, walked);
  }
  void note(const ScheduleNote& told, u64 time_ns) override {
    descriptors_->note(told, time_ns);
    requests_.note(told, time_ns);
  }
  void end(ReplaySession& session, const Instant& at) override {
    descriptors_->end(session, at);
    requests_.end();
  }

 private:
  std::unique_ptr<Watcher> descriptors_;
  ProcessRequests& requests_;
};

bool is_slower(const RequestPointer& left, const RequestPointer& right) {
  return left->latency_ns() > right->latency_ns();
}

}  // namespace

RequestFinder::RequestFinder(const Recording& recording) : recording_(recording), files_(recording.tree) {}

RequestFinder::~RequestFinder() = default;

std::unique_ptr<Watcher> RequestFinder::watch(const TreeProcess& process) {
  const std::lock_guard lock(mutex_);
  auto& requests = processes_[process.process];
  requests = std::make_unique<ProcessRequests>(recording_, process);
  return std::make_unique<RequestWatcher>(watch_descriptors(recording_, process, *this), *requests);
}

void RequestFinder::add(DescriptorAction action) {
  const std::lock_guard lock(mutex_);
  files_.play(action);
}

void RequestFinder::add(const Transfer& transfer) {
  const std::lock_guard lock(mutex_);
  const OpenFilePointer file = files_.file_of(transfer);
  DescriptorHistory::play(transfer, *file);
  if (transfer.time_ns - transfer.begin_ns >= trace::EventHeader::kWaitLeastNs)
    processes_.at(transfer.process)->note_file(transfer, file);
  if (transfer.kind == TransferKind::read && file->kind == kSignalDescriptor && !transfer.failed)
    processes_.at(transfer.process)->note_signal(transfer);
  const bool was_accepted = file->how != nullptr && std::string_view(file->how) == "accepted";
  if (!was_accepted || transfer.failed || transfer.bytes == 0) return;
  if (transfer.kind == TransferKind::read) read(transfer, file);
  if (transfer.kind == TransferKind::write) write(transfer, file);
}

void RequestFinder::read(const Transfer& transfer, const OpenFilePointer& file) {
  RequestPointer& open = open_[file->number];
  if (open != nullptr && open->writes != 0) {
    complete(open);
    open.reset();
  }
  if (open == nullptr) {
    open = std::make_shared<Request>();
    open->process = transfer.process;
    open->event = transfer.event;
    open->socket = file;
    open->reader = open->task = transfer.task;
    open->read_ns = transfer.time_ns;
    const bool waited = transfer.time_ns - transfer.begin_ns >= trace::EventHeader::kWaitLeastNs;
    const u64 told =
        std::max(processes_.at(transfer.process)->ready_ns(transfer.task), answered_[file->number]);
    open->arrived_ns = waited || told == 0 ? transfer.time_ns : std::min(told, transfer.time_ns);
  }
  ++open->reads;
  open->bytes_in += transfer.bytes;
}

void RequestFinder::write(const Transfer& transfer, const OpenFilePointer& file) {
  const auto at = open_.find(file->number);
  if (at == open_.end() || at->second == nullptr) return;  // it speaks first
  Request& request = *at->second;
  request.process = transfer.process;
  request.task = transfer.task;
  request.answered_ns = std::max(transfer.time_ns, request.read_ns);
  ++request.writes;
  request.bytes_out += transfer.bytes;
  answered_[file->number] = transfer.time_ns;
  if (may_be_slow(request)) processes_.at(transfer.process)->tell_apart_later(at->second);
}

bool RequestFinder::may_be_slow(const Request& request) const {
  return slowest_.size() < kSlowestKept || request.latency_ns() > slowest_.front()->latency_ns();
}

void RequestFinder::complete(const RequestPointer& request) {
  ServerSums& sums = sums_[request->process];
  ++sums.requests;
  sums.total_ns += request->latency_ns();
  sums.longest_ns = std::max(sums.longest_ns, request->latency_ns());
  sums.bytes_in += request->bytes_in;
  sums.bytes_out += request->bytes_out;
  sums.latencies.add(request->latency_ns());
  if (!may_be_slow(*request)) return;
  slowest_.push_back(request);
  std::push_heap(slowest_.begin(), slowest_.end(), is_slower);
  if (slowest_.size() <= kSlowestKept) return;
  std::pop_heap(slowest_.begin(), slowest_.end(), is_slower);
  slowest_.pop_back();
}

void RequestFinder::finish() {
  for (const auto& [file, request] : open_)
    if (request != nullptr && request->writes != 0) complete(request);
  open_.clear();
  std::sort(slowest_.begin(), slowest_.end(), is_slower);
}

}  // namespace orrery::lens::io
