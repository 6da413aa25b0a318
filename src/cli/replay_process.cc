#include "cli/replay_process.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "cli/profile.h"
#include "cli/recording_text.h"
#include "trace/feeder_hosted.h"
#include "trace/recordings_hosted.h"

namespace orrery::cli {
namespace {

/// How long the feeder sleeps at most before it looks whether it is still wanted.
constexpr u64 kFeederWaitNs = 5'000'000;

/// Not open if there is none, or something that is no file: a FIFO would make us wait.
std::ifstream open_kept_engine(const std::string& recording) {
  const std::string path = recording + "/engine";
  std::error_code error;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, error)) file.open(path, std::ios::binary);
  return file;
}

struct ControlSocket {
  Fd ours, engines;
};

Result<ControlSocket> make_control_socket() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{"making a socket", errno};
  return ControlSocket{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

bool made_by_installed_engine(const std::string& recording) {
  std::ifstream kept = open_kept_engine(recording);
  auto installed = find_engine();
  if (!kept.is_open() || !installed) return true;
  std::ifstream here(installed.value(), std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(kept), {}, std::istreambuf_iterator<char>(here), {});
}

Result<std::unique_ptr<ReplayProcess>> ReplayProcess::start(const std::string& recording,
                                                            const ReplayOptions& options) {
  std::string trouble;
  const auto trace = options.trace ? options.trace : trace::OpenedTrace::open(recording, trouble);
  if (!trace) {
    static std::string words;  // an Error does not own them
    words = printable(trouble);
    return Error{words.c_str()};
  }
  std::unique_ptr<ReplayProcess> process(
      new ReplayProcess(TRY(trace::MappedRing::create()), std::make_unique<trace::TraceReader>(trace, 0)));
  TRY(process->start_engine_of(recording, options));
  process->feeder_ = std::thread([replay = process.get()] { replay->feed(); });
  return process;
}

/// A recording may come from a stranger, and so may the engine in it: it runs only when the user says so.
Result<std::string> ReplayProcess::choose_engine(const std::string& recording, bool trust) {
  std::ifstream kept = open_kept_engine(recording);
  if (!trust || !kept.is_open()) return find_engine();
  const std::vector<char> bytes(std::istreambuf_iterator<char>(kept), {});
  engine_copy_ = Fd(memfd_create("orrery-engine", MFD_CLOEXEC));
  const auto wrote = write(engine_copy_.get(), bytes.data(), bytes.size());
  if (wrote != static_cast<ssize_t>(bytes.size())) return Error{"copying the recording's engine", errno};
  return "/proc/self/fd/" + std::to_string(engine_copy_.get());
}

Status ReplayProcess::start_engine_of(const std::string& recording, const ReplayOptions& options) {
  std::vector<u8> block = TRY(trace::read_launch(recording));
  if (!launch_header(block))
    return Error{"reading the recording's launch block: it is of another version", EINVAL};
  auto* header = reinterpret_cast<machine::LaunchHeader*>(block.data());
  header->mode = machine::Mode::replay;
  header->show_output = options.show_output ? 1 : 0;
  TRY(fit_profile(*header));
  ReplayFamily::Wanted wanted;
  const Fd engines_end = TRY(start_control(options, wanted));
  header->control = options.each         ? machine::Control::each
                    : !options.asked     ? machine::Control::none
                    : options.asked == 0 ? machine::Control::first
                                         : machine::Control::forked;
  TRY(start_family(recording, options, std::move(wanted)));
  header->all_processes = family_ != nullptr ? 1 : 0;
  const Fd launch = TRY(make_launch_memory(block));
  const Fd files(TRY(trace::open_files(recording)));
  const DescriptorRoom room = TRY(find_descriptor_room());
  use_all_descriptors(room);
  engine_ = TRY(start_engine({.engine = TRY(choose_engine(recording, options.trust)),
                              .descriptors = {{machine::kLaunchFd, launch.get()},
                                              {machine::kRingFd, ring_.fd()},
                                              {machine::kControlFd, engines_end.get()},
                                              {machine::kFilesFd, files.get()},
                                              {machine::kFamilyFd, family_ ? family_->engines_end() : -1},
                                              {machine::kMachineFd, family_ ? family_->order_fd() : -1}},
                              .room = room,
                              .dies_with_us = true}));
  if (family_) family_->close_engines_end();
  if (options.each) options.each(0, std::move(control_));
  return Nothing{};
}

Result<Fd> ReplayProcess::start_control(const ReplayOptions& options, ReplayFamily::Wanted& wanted) {
  if (!options.asked && !options.each) return Fd();
  ControlSocket socket = TRY(make_control_socket());
  control_ = std::move(socket.ours);
  if (options.each) {
    wanted.control = [each = options.each](u32 process) {
      auto made = make_control_socket();
      if (!made) return Fd();
      each(process, std::move(made.value().ours));
      return std::move(made.value().engines);
    };
  } else if (*options.asked != 0) {
    wanted.asked = options.asked;
    const auto engines = std::make_shared<Fd>(std::move(socket.engines));
    wanted.control = [asked = *options.asked, engines](u32 process) {
      return process == asked ? std::move(*engines) : Fd();
    };
  }
  return std::move(socket.engines);
}

Status ReplayProcess::start_family(const std::string& recording, const ReplayOptions& options,
                                   ReplayFamily::Wanted wanted) {
  if (options.asked) {
    trace::Lineage lineage = TRY(trace::read_lineage(reader_->trace(), *options.asked));
    const bool alone = !trace::shares_memory(reader_->trace(), lineage);
    if (alone && *options.asked == 0) return Nothing{};
    ancestors_end_ = alone;
    if (alone) wanted.only = std::move(lineage);
  }
  wanted.trace = reader_->trace();
  family_ = TRY(ReplayFamily::start(recording, std::move(wanted)));
  return Nothing{};
}

/// The feeding thread is the ring's hosted peer: if this process is killed, the engine learns of it.
void ReplayProcess::feed() {
  if (!ring_.become_hosted_peer()) return;
  trace::FutexWaiter waiter;
  trace::Producer producer(ring_.base(), ring_.capacity_bytes());
  trace::RingFeeder feeder(*reader_, producer, waiter);
  while (!stop_feeding_) {
    if (feeder.feed_and_wait(kFeederWaitNs) == trace::RingFeeder::State::fed) continue;
    stop_feeding_.wait(false);  // the engine takes what is in the ring; the peer must not be gone by then
  }
}

Result<std::unique_ptr<lens::ReplaySession>> ReplayProcess::attach(lens::SessionFiles files) {
  auto session = lens::ReplaySession::attach(control_.release(), std::move(files));
  if (session && ancestors_end_) {
    kill(engine_, SIGKILL);
    family_->kill_ancestors();
  }
  if (session) return session;
  kill(engine_, SIGKILL);  // changes nothing about one that has ended by itself
  const int status = wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kTraceEnded)
    return Error{"the recording ends before the program's first instruction; `orrery info` says why"};
  return session;
}

int ReplayProcess::wait() {
  int status = 0;
  while (waitpid(engine_, &status, 0) < 0 && errno == EINTR) {
  }
  engine_ = -1;
  stop_feeding();
  if (!family_) return status;
  const bool differed = WIFSIGNALED(status) || WEXITSTATUS(status) == kDiffered;
  if (differed) family_->kill_all();
  others_ = family_->wait();
  return status;
}

void ReplayProcess::stop_feeding() {
  stop_feeding_ = true;
  stop_feeding_.notify_all();
  if (feeder_.joinable()) feeder_.join();
}

ReplayProcess::~ReplayProcess() {
  if (engine_ > 0) {
    kill(engine_, SIGKILL);
    // Its end may have come first, as its client asked for; others would wait for their turn behind it.
    if (family_) family_->kill_all();
    wait();
  }
  stop_feeding();
}

}  // namespace orrery::cli
