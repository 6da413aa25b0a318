// The writer process.
//
// Each ring has a thread (ring_drain_hosted.h), the first process's is the main one. It sleeps on the ring
// until half a megabyte waits there or 50 ms have passed, compresses what is there, and appends it as a
// chunk: so at most 100 ms or 1 MiB of events are not yet in the file (design invariant 7). Should the whole
// host lose power, what counts is what has reached the disk: a thread of its own calls fdatasync after
// appends, as often as the disk can follow, so that a slow disk delays neither the writer nor the guest. The
// last sync happens after the supervisor was told that the recording is complete, because nobody should wait
// a disk's time for the end of /bin/true.
//
// A full disk must leave a readable recording that says what is missing. Room for the gap events is set
// aside beforehand in a file of its own, and given back when it is needed.
#include "trace/writer_hosted.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>

#include "base/clock_hosted.h"
#include "trace/family_writer_hosted.h"
#include "trace/info_hosted.h"
#include "trace/ring_drain_hosted.h"

namespace orrery::trace {
namespace {

/// Leaves everything that could kill the writer with the guest or its terminal.
void detach() {
  setsid();
  for (const int signal :
       {SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP, SIGXFSZ, SIGXCPU, SIGUSR1, SIGUSR2})
    std::signal(signal, SIG_IGN);
  // A pipe that the guest's output goes to must close when the guest ends, not when we do.
  if (const int null = open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  // Out of memory, the guest goes first. Needs a privilege; without it we are as likely as others.
  if (const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const ssize_t written = write(fd, "-900", 4);
    close(fd);
  }
}

/// Knows whether the guest still is.
class GuestWatch {
 public:
  explicit GuestWatch(const WriterOptions& options)
      : pidfd_(options.guest_pidfd), announcement_(options.guest_announcement_fd) {}

  bool gone() {
    if (announcement_ >= 0 && pidfd_ < 0 && !never_came_ && is_readable(announcement_)) take_announcement();
    return never_came_ || (pidfd_ >= 0 && is_readable(pidfd_));
  }
  /// Until the supervisor has written what it knows, or is gone.
  void wait_for_supervisor() const {
    char byte;
    while (announcement_ >= 0 && (read(announcement_, &byte, 1) > 0 || errno == EINTR)) {
      errno = 0;
    }
  }

 private:
  static bool is_readable(int descriptor) {
    pollfd fd{.fd = descriptor, .events = POLLIN, .revents = 0};
    return poll(&fd, 1, 0) == 1;
  }
  void take_announcement() {
    pid_t guest = 0;
    const ssize_t got = read(announcement_, &guest, sizeof guest);
    if (got < 0 && errno == EINTR) return;
    if (got == sizeof guest) pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, guest, 0));
    never_came_ = pidfd_ < 0;
  }

  int pidfd_;
  int announcement_;
  bool never_came_ = false;
};

void signal_pipe(int fd) {
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, "!", 1);
  close(fd);
}

void write_final_info(const std::string& recording, const TraceSink& sink, u64 started_ns) {
  const WrittenTotals& totals = sink.totals();
  auto read = read_info(recording);
  RecordingInfo info = read ? read.take() : RecordingInfo{};
  info.duration_ns = monotonic_ns() - started_ns;
  info.gap = totals.gap;
  info.event_count = sink.appender().event_count();
  info.raw_bytes = sink.appender().raw_bytes();
  info.trace_bytes = sink.appender().stored_bytes();
  info.process_count = totals.process_count;
  info.killed_count = totals.killed_count;
  info.state = RecordingState::cut;
  if (totals.first.exit) note_end(info, *totals.first.exit);
  if (info.gap) info.state = RecordingState::gap;
  if (const Status status = write_info(recording, info); !status)
    std::fprintf(stderr, "orrery: %s: %s\n", status.error().doing, std::strerror(status.error().errno_value));
}

int cannot_write(const Error& error) {
  std::fprintf(stderr, "orrery: cannot record: %s: %s\n", error.doing, std::strerror(error.errno_value));
  return 1;
}

int write_trace(const WriterOptions& options, TraceAppender& appender) {
  auto ring = MappedRing::map(options.ring_fd);
  if (!ring) return cannot_write(ring.error());
  MappedRing mapped = ring.take();
  if (const Status status = mapped.become_hosted_peer(); !status) return cannot_write(status.error());
  const FlushLimits limits{.bytes = options.flush_bytes, .ns = options.flush_ns};
  const u64 started_ns = monotonic_ns();
  signal_pipe(options.ready_fd);
  ChunkEncoder encoder;
  TraceSink sink(appender, options.recording);
  FamilyWriter family(options.family_fd, options.recording, sink, limits);
  RingDrain drain(0, mapped, sink, encoder, limits);
  GuestWatch guest(options);
  sink.process_ended(0, drain.run([&] { return guest.gone(); }));
  family.wait();
  sink.finish();
  guest.wait_for_supervisor();
  write_final_info(options.recording, sink, started_ns);
  appender.unlock();
  signal_pipe(options.done_fd);
  sink.sync();
  return sink.totals().gap ? 1 : 0;
}

}  // namespace

int run_writer(const WriterOptions& options) {
  detach();
  try {
    if (options.trace != nullptr) return write_trace(options, *options.trace);
    auto created = TraceAppender::create(options.recording + "/trace", realtime_ns());
    if (!created) return cannot_write(created.error());
    TraceAppender appender = created.take();
    return write_trace(options, appender);
  } catch (const std::bad_alloc&) {
    return cannot_write({"starting the writer", ENOMEM});
  }
}

}  // namespace orrery::trace
