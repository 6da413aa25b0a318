// The writer process.
//
// It sleeps on the ring until half a megabyte waits there or 50 ms have passed, compresses what is
// there, and appends it as a chunk: so at most 100 ms or 1 MiB of events are not yet in the file (design
// invariant 7). Should the whole host lose power, what counts is what has reached the disk: a
// thread of its own calls fdatasync after each append, as often as the disk can follow, so that a slow disk
// delays neither the writer nor the guest. The last sync happens after the supervisor was told that the
// recording is complete, because nobody should wait a disk's time for the end of /bin/true.
//
// A full disk must leave a readable recording that says what is missing. Room for the gap event is set
// aside beforehand in a file of its own, and given back when it is needed.
#include "trace/writer_hosted.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "trace/info_hosted.h"
#include "trace/ring_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {
namespace {

constexpr u64 kWakeBytes = 512 << 10;
constexpr u64 kSleepNs = 50'000'000;
constexpr off_t kReserveBytes = 64 << 10;

u64 now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

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

/// Syncs the trace in the background.
class Syncer {
 public:
  explicit Syncer(int fd) : fd_(fd), thread_([this] { run(); }) {}
  ~Syncer() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void appended() {
    {
      const std::lock_guard lock(mutex_);
      dirty_ = true;
    }
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return dirty_ || stop_; });
      if (stop_) return;
      dirty_ = false;
      lock.unlock();
      fdatasync(fd_);
      lock.lock();
    }
  }

  int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool dirty_ = false;
  bool stop_ = false;
  std::thread thread_;
};

/// A file that only holds room.
class Reserve {
 public:
  explicit Reserve(const std::string& recording) : path_(recording + "/.reserve") {
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    [[maybe_unused]] const int error = posix_fallocate(fd, 0, kReserveBytes);
    close(fd);
  }
  ~Reserve() { release(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  void release() { unlink(path_.c_str()); }

 private:
  std::string path_;
};

class Writer {
 public:
  Writer(const WriterOptions& options, MappedRing& ring, TraceAppender& appender)
      : options_(options),
        ring_(ring),
        appender_(appender),
        consumer_(ring.base(), ring.capacity_bytes()),
        reserve_(options.recording) {}

  /// Until the ring is closed and drained, or the guest is gone, or nothing can be written any more.
  void drain(Syncer& syncer) {
    u64 waiting_since_ns = 0;
    for (;;) {
      // In this order: what a producer commits before it closes or dies must be seen.
      const bool over = consumer_.peer() != PeerState::present || guest_gone();
      const std::span<const u8> bytes = consumer_.peek();
      const u64 now = now_ns(CLOCK_MONOTONIC);
      if (bytes.empty()) {
        if (over) return;
        waiting_since_ns = 0;
        consumer_.wait(kWakeBytes, waiter_, kSleepNs);
        continue;
      }
      if (waiting_since_ns == 0) waiting_since_ns = now;
      if (!over && bytes.size() < options_.flush_bytes &&
          now - waiting_since_ns + kSleepNs < options_.flush_ns) {
        consumer_.wait(std::min<u64>(options_.flush_bytes, ring_.capacity_bytes() / 2), waiter_, kSleepNs);
        continue;
      }
      waiting_since_ns = 0;
      if (!store(bytes)) return;
      if (!over) syncer.appended();  // the last sync is run_writer's
    }
  }

  /// The guest's end, when an event told it.
  const std::optional<EventHeader>& exit_event() const { return exit_; }
  std::optional<GapReason> gap() const { return gap_; }

  /// Says in the trace that events are missing, if they are, and closes it.
  void finish() {
    if (!gap_ && consumer_.lost()) gap_ = GapReason::writer_lost;
    if (gap_) write_gap();
    reserve_.release();
    // Without an index the trace is read by scanning; nothing is lost.
    [[maybe_unused]] const bool indexed = static_cast<bool>(appender_.finish());
  }

 private:
  bool guest_gone() {
    if (options_.guest_pidfd < 0) return false;
    pollfd fd{.fd = options_.guest_pidfd, .events = POLLIN, .revents = 0};
    return poll(&fd, 1, 0) == 1;
  }

  /// Appends all whole events of `bytes` and gives their room back. False when that is not possible.
  bool store(std::span<const u8> bytes) {
    u64 begin = 0;
    while (begin < bytes.size()) {
      const u64 end = end_of_chunk(bytes, begin);
      if (end == begin) {
        end_early(GapReason::bad_record, "the program's engine wrote a broken record");
        return false;
      }
      // Falling behind costs the guest time, so compress less then.
      const int level = bytes.size() > ring_.capacity_bytes() / 4 ? -3 : 1;
      const Status status = appender_.append(bytes.subspan(begin, end - begin), level);
      if (!status) {
        end_early(GapReason::disk_full, std::strerror(status.error().errno_value));
        return false;
      }
      stored_last_ = last_;
      consumer_.consume(end - begin, waiter_);
      begin = end;
    }
    return true;
  }

  /// The events from `begin` that make up one chunk; `begin` itself if the first is broken.
  u64 end_of_chunk(std::span<const u8> bytes, u64 begin) {
    u64 end = begin;
    while (end < bytes.size()) {
      EventView event;
      // The ring shows whole records only, so an incomplete one is broken too.
      if (parse_event(bytes.subspan(end), event) != ParseResult::event) break;
      if (last_ && event.header->number != last_->number + 1) break;
      const u64 size_bytes = event.header->size_bytes;
      if (end != begin && end - begin + size_bytes > std::min<u64>(options_.flush_bytes, kChunkBytesAim))
        break;
      last_ = *event.header;
      if (event.header->kind == EventKind::exit) exit_ = *event.header;
      end += size_bytes;
    }
    return end;
  }

  void end_early(GapReason reason, const char* why) {
    gap_ = reason;
    consumer_.close(waiter_);
    std::fprintf(stderr, "orrery: recording ended early: %s; the program goes on unrecorded (%s)\n", why,
                 options_.recording.c_str());
  }

  void write_gap() {
    reserve_.release();
    EventHeader gap;
    gap.size_bytes = sizeof gap;
    gap.kind = EventKind::gap;
    gap.result = static_cast<i64>(*gap_);
    gap.time_ns = now_ns(CLOCK_MONOTONIC);
    if (stored_last_) {
      gap.number = stored_last_->number + 1;
      gap.task = stored_last_->task;
      gap.ticks = stored_last_->ticks;
    }
    [[maybe_unused]] const bool appended =
        static_cast<bool>(appender_.append({reinterpret_cast<const u8*>(&gap), sizeof gap}, 1));
  }

  const WriterOptions& options_;
  MappedRing& ring_;
  TraceAppender& appender_;
  FutexWaiter waiter_;
  Consumer consumer_;
  Reserve reserve_;
  std::optional<EventHeader> last_;         ///< seen in the ring
  std::optional<EventHeader> stored_last_;  ///< in the file
  std::optional<EventHeader> exit_;
  std::optional<GapReason> gap_;
};

void signal_pipe(int fd) {
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, "!", 1);
  close(fd);
}

void write_final_info(const std::string& recording, const Writer& writer, const TraceAppender& appender,
                      u64 started_ns) {
  auto read = read_info(recording);
  RecordingInfo info = read ? read.take() : RecordingInfo{};
  info.duration_ns = now_ns(CLOCK_MONOTONIC) - started_ns;
  info.gap = writer.gap();
  info.event_count = appender.event_count();
  info.raw_bytes = appender.raw_bytes();
  info.trace_bytes = appender.stored_bytes();
  if (const auto& exit = writer.exit_event()) {
    if ((exit->result & 0x100) != 0)
      info.fatal_signal = static_cast<int>(exit->result & 0xff);
    else
      info.exit_status = static_cast<int>(exit->result & 0xff);
  }
  info.state = writer.gap()          ? RecordingState::gap
               : writer.exit_event() ? RecordingState::complete
                                     : RecordingState::cut;
  if (const Status status = write_info(recording, info); !status)
    std::fprintf(stderr, "orrery: %s: %s\n", status.error().doing, std::strerror(status.error().errno_value));
}

int cannot_write(const Error& error) {
  std::fprintf(stderr, "orrery: cannot record: %s: %s\n", error.doing, std::strerror(error.errno_value));
  return 1;
}

}  // namespace

int run_writer(const WriterOptions& options) {
  detach();
  auto ring = MappedRing::map(options.ring_fd);
  if (!ring) return cannot_write(ring.error());
  MappedRing mapped = ring.take();
  auto created = TraceAppender::create(options.recording + "/trace", now_ns(CLOCK_REALTIME));
  if (!created) return cannot_write(created.error());
  TraceAppender appender = created.take();
  if (const Status status = mapped.become_hosted_peer(); !status) return cannot_write(status.error());
  Writer writer(options, mapped, appender);
  const u64 started_ns = now_ns(CLOCK_MONOTONIC);
  signal_pipe(options.ready_fd);
  Syncer syncer(appender.fd());
  writer.drain(syncer);
  writer.finish();
  write_final_info(options.recording, writer, appender, started_ns);
  appender.unlock();
  signal_pipe(options.done_fd);
  fdatasync(appender.fd());
  return writer.gap() ? 1 : 0;
}

}  // namespace orrery::trace
