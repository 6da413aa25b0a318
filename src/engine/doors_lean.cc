#include <asm/unistd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/doors.h"
#include "host/futex_waiter.h"
#include "host/raw_syscall.h"
#include "host/replay_filter.h"
#include "host/seeded_host.h"
#include "host/store_calls.h"
#include "machine/engine_memory.h"
#include "record/event_writer.h"
#include "record/recording_host.h"
#include "record/store_keeper.h"
#include "replay/kept_directory.h"

namespace orrery::engine {

using host::raw_syscall;
using machine::LaunchHeader;

namespace {

/// Maps the ring behind `fd` and returns its capacity.
Result<u64> map_ring(int fd) {
  const i64 file_bytes = raw_syscall(__NR_lseek, fd, 0, SEEK_END);
  const u64 capacity = file_bytes > 0 ? trace::ring_capacity_of_file(static_cast<u64>(file_bytes)) : 0;
  if (capacity == 0) return Error{"find the event ring"};
  for (const trace::RingPiece& piece : trace::ring_pieces(machine::kRingStart, capacity)) {
    const i64 mapped = raw_syscall(__NR_mmap, piece.address, piece.size_bytes, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_FIXED, fd, piece.file_offset);
    if (mapped < 0 && mapped > -4096) return Error{"map the event ring", static_cast<int>(-mapped)};
  }
  if (!trace::ring_is_valid(reinterpret_cast<void*>(machine::kRingStart), capacity))
    return Error{"recognise the event ring"};
  return capacity;
}

void* ring_base() { return reinterpret_cast<void*>(machine::kRingStart); }

class LiveDoors final : public Doors {
 public:
  LiveDoors(const LaunchHeader& launch, host::LiveHost& live)
      : seeded_(launch.seed, live), host_(launch.seeded != 0 ? static_cast<host::Host&>(seeded_) : live) {}
  host::Host& host() override { return host_; }

 private:
  host::SeededHost seeded_;
  host::Host& host_;
};

class RecordingDoors final : public Doors {
 public:
  RecordingDoors(const LaunchHeader& launch, host::LiveHost& live, kernel::ReportSink& report, u64 capacity)
      : live_(launch, live),
        calls_(live.engine_fd(machine::kEngineFdFree)),
        keeper_(calls_, live.engine_fd(machine::kStoreFd), live.engine_fd(machine::kFilesFd), report),
        producer_(ring_base(), capacity),
        writer_(producer_, waiter_, {launch.clock_tsc, launch.clock_ns, launch.clock_ns_per_tick_32}),
        recording_({live_.host(), writer_, keeper_, report}) {}
  host::Host& host() override { return recording_; }

 private:
  LiveDoors live_;
  host::RawStoreCalls calls_;
  record::StoreKeeper keeper_;
  host::RawFutexWaiter waiter_;
  trace::Producer producer_;
  record::EventWriter writer_;
  record::RecordingHost recording_;
};

[[noreturn]] void leave(int status) {
  for (;;) raw_syscall(__NR_exit_group, status);
}

class ReplayDoors final : public Doors, public replay::ReplayEnd {
 public:
  ReplayDoors(const LaunchHeader& launch, const host::LiveHost& live, u64 capacity)
      : consumer_(ring_base(), capacity),
        events_(consumer_, waiter_),
        files_(live.engine_fd(machine::kFilesFd)),
        replaying_({events_, files_, *this, launch.show_output != 0}) {}

  host::Host& host() override { return replaying_; }
  replay::ReplayHost* replaying() override { return &replaying_; }
  void set_control(machine::ControlServer* control, kernel::Kernel* kernel) override {
    control_ = control;
    kernel_ = kernel;
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
    leave(kReplayDiffered);
  }
  void trace_ended() override {
    if (control_ != nullptr) control_->at_trace_end(kernel_->current());
    leave(kReplayTraceEnded);
  }
  void finished(int, int) override { leave(kReplayedToTheEnd); }

 private:
  host::RawFutexWaiter waiter_;
  trace::Consumer consumer_;
  replay::EventReader events_;
  replay::KeptDirectory files_;
  replay::ReplayHost replaying_;
  machine::ControlServer* control_ = nullptr;
  kernel::Kernel* kernel_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Doors>> Doors::open(const LaunchHeader& launch, host::LiveHost& live,
                                           kernel::ReportSink& report) {
  if (launch.mode == machine::Mode::run) return std::unique_ptr<Doors>(new LiveDoors(launch, live));
  const u64 capacity = TRY(map_ring(live.engine_fd(machine::kRingFd)));
  if (launch.mode == machine::Mode::record)
    return std::unique_ptr<Doors>(new RecordingDoors(launch, live, report, capacity));
  // From here on the process can do nothing but replay. A host without filters still replays.
  host::install_replay_filter({.files_directory = live.engine_fd(machine::kFilesFd),
                               .control_socket = live.engine_fd(machine::kControlFd)});
  return std::unique_ptr<Doors>(new ReplayDoors(launch, live, capacity));
}

}  // namespace orrery::engine
