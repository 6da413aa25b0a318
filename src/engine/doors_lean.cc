#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/doors.h"
#include "host/futex_waiter.h"
#include "host/raw_syscall.h"
#include "host/replay_filter.h"
#include "host/seeded_host.h"
#include "host/store_calls.h"
#include "machine/engine_memory.h"
#include "machine/family_link.h"
#include "record/event_writer.h"
#include "record/recording_host.h"
#include "record/store_keeper.h"
#include "replay/kept_directory.h"

namespace orrery::engine {

using host::raw_syscall;
using machine::FamilyLink;
using machine::LaunchHeader;

namespace {

void* ring_base() { return reinterpret_cast<void*>(machine::kRingStart); }

/// The host's door, with what --seed decides in front of it.
class LiveDoors final : public Doors, public host::Complaints {
 public:
  /// `seeded`: where a run with --seed keeps what its processes share; null in other runs.
  LiveDoors(const LaunchHeader& launch, host::LiveHost& live, kernel::ReportSink& report, void* seeded)
      : live_(live), report_(report) {
    if (seeded == nullptr) return;
    seeded_ = std::make_unique<host::SeededHost>(
        launch.seed, launch.pid,
        host::SeededHost::Parts{.inner = live,
                                .machine = *static_cast<host::SeededMachine*>(seeded),
                                .complaints = *this,
                                .fd_least = live.engine_fd(machine::kEngineFdFree)});
  }
  host::Host& host() override { return seeded_ != nullptr ? static_cast<host::Host&>(*seeded_) : live_; }
  void complain(std::string_view line) override { report_.line(line); }

 private:
  host::LiveHost& live_;
  kernel::ReportSink& report_;
  std::unique_ptr<host::SeededHost> seeded_;
};

/// `orrery run`.
class RunDoors final : public Doors {
 public:
  static Result<std::unique_ptr<Doors>> open(const LaunchHeader& launch, host::LiveHost& live,
                                             kernel::ReportSink& report) {
    std::unique_ptr<RunDoors> doors(new RunDoors(live));
    if (launch.seeded != 0) TRY(doors->link_.map_machine_page());
    doors->live_ = std::make_unique<LiveDoors>(launch, live, report,
                                               launch.seeded != 0 ? doors->link_.behind_page() : nullptr);
    return std::unique_ptr<Doors>(std::move(doors));
  }
  host::Host& host() override { return live_->host(); }

 private:
  explicit RunDoors(const host::LiveHost& live) : link_(live.engine_fd(0)) {}

  FamilyLink link_;
  std::unique_ptr<LiveDoors> live_;
};

class RecordingDoors final : public Doors, public trace::Family {
 public:
  struct Parts {
    const LaunchHeader& launch;
    host::LiveHost& live;
    kernel::ReportSink& report;
    u64 capacity;
  };
  static Result<std::unique_ptr<Doors>> open(const Parts& parts) {
    auto link = std::make_unique<FamilyLink>(parts.live.engine_fd(0));
    TRY(link->map_machine_page());
    parts.live.use_machine_page(link->page());
    return std::unique_ptr<Doors>(new RecordingDoors(parts, std::move(link)));
  }
  host::Host& host() override { return recording_; }

  // --- trace::Family ---
  u32 new_process() override { return link_->next_process(); }
  u32 new_file() override { return link_->next_file_number(); }
  int keep_file(int guest_fd, u32 file_number) override {
    const int fd = link_->kept_file(file_number, guest_fd);
    if (fd < 0) return -1;
    const i64 moved = raw_syscall(__NR_fcntl, fd, F_DUPFD_CLOEXEC, fd_least_);
    raw_syscall(__NR_close, fd);
    return static_cast<int>(moved);
  }
  bool join(u32 process) override {
    auto joined = link_->join(process);
    if (joined) producer_ = trace::Producer(ring_base(), joined.value().ring_bytes);
    return static_cast<bool>(joined);
  }

 private:
  RecordingDoors(const Parts& parts, std::unique_ptr<FamilyLink> link)
      : link_(std::move(link)),
        fd_least_(parts.live.engine_fd(machine::kEngineFdFree)),
        live_(parts.launch, parts.live, parts.report,
              parts.launch.seeded != 0 ? link_->behind_page() : nullptr),
        calls_(parts.live.engine_fd(machine::kEngineFdFree)),
        keeper_({.calls = calls_,
                 .store_directory = parts.live.engine_fd(machine::kStoreFd),
                 .files_directory = parts.live.engine_fd(machine::kFilesFd),
                 .numbers = *this,
                 .report = parts.report}),
        producer_(ring_base(), parts.capacity),
        writer_(producer_, waiter_,
                {parts.launch.clock_tsc, parts.launch.clock_ns, parts.launch.clock_ns_per_tick_32}),
        recording_({.inner = live_.host(),
                    .writer = writer_,
                    .files = keeper_,
                    .report = parts.report,
                    .family = *this,
                    .live = &parts.live,
                    .serial = parts.launch.seeded != 0}) {}

  std::unique_ptr<FamilyLink> link_;
  int fd_least_;
  LiveDoors live_;
  host::RawStoreCalls calls_;
  record::StoreKeeper keeper_;
  host::RawFutexWaiter waiter_;
  trace::Producer producer_;
  record::EventWriter writer_;
  record::RecordingHost recording_;
};

class ReplayDoors final : public Doors, public replay::ReplayEnd, public trace::Family {
 public:
  ReplayDoors(const LaunchHeader& launch, const host::LiveHost& live, u64 capacity)
      : link_(live.engine_fd(0)),
        consumer_(ring_base(), capacity),
        events_(consumer_, waiter_),
        files_(live.engine_fd(machine::kFilesFd), launch.all_processes != 0 ? this : nullptr),
        order_(waiter_),
        replaying_({.events = events_,
                    .files = files_,
                    .end = *this,
                    .family = *this,
                    .order = order_,
                    .show_output = launch.show_output != 0,
                    .all_processes = launch.all_processes != 0}) {}

  /// Replays of several processes keep in step; and nobody waits for their ends here.
  void join_others() {
    const auto [page, size_bytes] = link_.map_replay_order();
    if (page != nullptr) order_.use(page, size_bytes);
    host::ignore_children();
  }

  host::Host& host() override { return replaying_; }
  replay::ReplayHost* replaying() override { return &replaying_; }
  void set_control(machine::ControlServer* control, kernel::Kernel* kernel) override {
    control_ = control;
    kernel_ = kernel;
  }

  // --- trace::Family ---
  u32 new_process() override { return 0; }  // the recording has given the numbers
  u32 new_file() override { return 0; }
  int shared_file(u32 file_number) override { return link_.kept_file(file_number, -1); }
  bool join(u32 process) override {
    auto joined = link_.join(process);
    if (!joined && joined.error().errno_value == ECANCELED)
      for (;;) raw_syscall(__NR_exit_group, kReplayedToTheEnd);
    if (!joined) return false;
    consumer_ = trace::Consumer(ring_base(), joined.value().ring_bytes);
    if (control_ != nullptr) control_->begin_process(joined.value().controlled);
    return true;
  }

  // --- replay::ReplayEnd ---
  void diverged(const replay::Divergence& divergence) override {
    constexpr std::string_view kPrefix = "orrery: ";
    std::array<char, 640> line;
    std::copy(kPrefix.begin(), kPrefix.end(), line.begin());
    const std::string_view words = replay::describe(
        divergence, std::span(line).subspan(kPrefix.size(), line.size() - kPrefix.size() - 1));
    const std::size_t bytes = kPrefix.size() + words.size();
    line[bytes] = '\n';
    raw_syscall(__NR_write, 2, line.data(), bytes + 1);
    end_as(kReplayDiffered);
  }
  void trace_ended() override {
    if (control_ != nullptr) control_->at_trace_end(kernel_->current());
    end_as(kReplayTraceEnded);
  }
  void finished(int, int) override { end_as(kReplayedToTheEnd); }

 private:
  [[noreturn]] void end_as(ReplayStatus status) {
    order_.ended();
    link_.tell_end(status);
    for (;;) raw_syscall(__NR_exit_group, status);
  }

  FamilyLink link_;
  host::RawFutexWaiter waiter_;
  trace::Consumer consumer_;
  replay::EventReader events_;
  replay::KeptDirectory files_;
  replay::Order order_;
  replay::ReplayHost replaying_;
  machine::ControlServer* control_ = nullptr;
  kernel::Kernel* kernel_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Doors>> Doors::open(const LaunchHeader& launch, host::LiveHost& live,
                                           kernel::ReportSink& report) {
  if (launch.mode == machine::Mode::run) return RunDoors::open(launch, live, report);
  const u64 capacity = TRY(machine::map_ring(live.engine_fd(machine::kRingFd)));
  if (launch.mode == machine::Mode::record) return RecordingDoors::open({launch, live, report, capacity});
  // From here on the process can do nothing but replay. A host without filters still replays.
  host::install_replay_filter({.files_directory = live.engine_fd(machine::kFilesFd),
                               .control_socket = live.engine_fd(machine::kControlFd),
                               .family_socket = live.engine_fd(machine::kFamilyFd),
                               .own_socket = live.engine_fd(machine::kOwnFd),
                               .answer_socket = live.engine_fd(machine::kAnswerFd),
                               .life_pipe = live.engine_fd(machine::kLifeFd),
                               .makes_processes = launch.all_processes != 0});
  std::unique_ptr<ReplayDoors> doors(new ReplayDoors(launch, live, capacity));
  if (launch.all_processes != 0) doors->join_others();
  return std::unique_ptr<Doors>(std::move(doors));
}

}  // namespace orrery::engine
