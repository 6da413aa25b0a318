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
#include <sys/syscall.h>
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
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
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

/// Syncs the trace in the background, each time after the kept files that its new events name; where no
/// thread can be had (RLIMIT_NPROC, memory), in the foreground.
class Syncer {
 public:
  Syncer(int fd, std::string recording) : fd_(fd), recording_(std::move(recording)) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::exception&) {
      in_foreground_ = true;
    }
  }
  ~Syncer() {
    if (in_foreground_) return;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void kept(u32 file_number) {
    const std::lock_guard lock(mutex_);
    if (!files_.empty() && files_.back() >= file_number)
      return;  // numbers count up; one file is mapped often
    if (file_number != kZeroPages) files_.push_back(file_number);
  }
  void appended() {
    if (in_foreground_) return sync();
    {
      const std::lock_guard lock(mutex_);
      dirty_ = true;
    }
    changed_.notify_one();
  }
  /// Not to be called while appended() is.
  void sync() {
    std::unique_lock lock(mutex_);
    sync(lock);
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return dirty_ || stop_; });
      if (stop_) return;
      dirty_ = false;
      sync(lock);
    }
  }
  void sync(std::unique_lock<std::mutex>& lock) {
    const std::vector<u32> files(files_.begin() + static_cast<std::ptrdiff_t>(files_synced_), files_.end());
    files_synced_ = files_.size();
    const bool first = !std::exchange(start_synced_, true);
    lock.unlock();
    for (const u32 file : files) sync_file("/files/" + std::to_string(file));
    if (first)
      for (const char* name : {"/engine", "/launch", "/info", "/files", ""}) sync_file(name);
    fdatasync(fd_);
    lock.lock();
  }
  void sync_file(const std::string& name) const {
    const int fd = open((recording_ + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
  }

  int fd_;
  std::string recording_;
  std::vector<u32> files_;  ///< that events have named
  std::size_t files_synced_ = 0;
  bool start_synced_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool dirty_ = false;
  bool stop_ = false;
  bool in_foreground_ = false;
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

class Writer {
 public:
  Writer(const WriterOptions& options, MappedRing& ring, TraceAppender& appender)
      : options_(options),
        guest_(options),
        ring_(ring),
        appender_(appender),
        consumer_(ring.base(), ring.capacity_bytes()),
        reserve_(options.recording) {}

  /// Until the ring is closed and drained, or the guest is gone, or nothing can be written any more.
  void drain(Syncer& syncer) {
    u64 waiting_since_ns = 0;
    for (;;) {
      // In this order: what a producer commits before it closes or dies must be seen.
      const bool over = consumer_.peer() != PeerState::present || guest_.gone();
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
      if (!store(bytes, syncer)) return;
      if (!over) syncer.appended();  // the last sync is run_writer's
    }
  }

  /// The guest's end, when an event told it.
  const std::optional<EventHeader>& exit_event() const { return exit_; }
  std::optional<GapReason> gap() const { return gap_; }
  void wait_for_supervisor() const { guest_.wait_for_supervisor(); }

  /// Says in the trace that events are missing, if they are, and closes it.
  void finish() {
    if (!gap_ && consumer_.lost()) gap_ = GapReason::writer_lost;
    if (gap_) write_gap();
    reserve_.release();
    // Without an index the trace is read by scanning; nothing is lost.
    try {
      [[maybe_unused]] const bool indexed = static_cast<bool>(appender_.finish());
    } catch (const std::bad_alloc&) {
    }
  }

 private:
  /// Appends all whole events of `bytes` and gives their room back. False when that is not possible.
  bool store(std::span<const u8> bytes, Syncer& syncer) {
    u64 begin = 0;
    while (begin < bytes.size()) {
      const u64 end = end_of_chunk(bytes, begin, syncer);
      if (end == begin) {
        end_early(GapReason::bad_record, "the program's engine wrote a broken record");
        return false;
      }
      // Falling behind costs the guest time, so compress less then.
      const int level = bytes.size() > ring_.capacity_bytes() / 4 ? -3 : 1;
      const Status status = append(bytes.subspan(begin, end - begin), level);
      if (!status) {
        const int error = status.error().errno_value;
        end_early(error == ENOMEM ? GapReason::no_memory : GapReason::disk_full, std::strerror(error));
        return false;
      }
      stored_last_ = last_;
      consumer_.consume(end - begin, waiter_);
      begin = end;
    }
    return true;
  }

  /// Memory may be limited (RLIMIT_AS, a cgroup), and the libraries below say so by an exception.
  Status append(std::span<const u8> events, int zstd_level) {
    try {
      return appender_.append(events, zstd_level);
    } catch (const std::bad_alloc&) {
      return Error{"compressing a chunk", ENOMEM};
    }
  }

  /// The events from `begin` that make up one chunk; `begin` itself if the first is broken.
  u64 end_of_chunk(std::span<const u8> bytes, u64 begin, Syncer& syncer) {
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
      if (event.header->kind == EventKind::map) note_kept_file(event, syncer);
      end += size_bytes;
    }
    return end;
  }

  static void note_kept_file(const EventView& event, Syncer& syncer) {
    FileReference reference;
    if (event.payload.size() < sizeof reference) return;
    std::memcpy(&reference, event.payload.data(), sizeof reference);
    syncer.kept(reference.file_number);
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
        static_cast<bool>(append({reinterpret_cast<const u8*>(&gap), sizeof gap}, 1));
  }

  const WriterOptions& options_;
  GuestWatch guest_;
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
  info.state = RecordingState::cut;
  if (const auto& exit = writer.exit_event()) note_end(info, *exit);
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
  Writer writer(options, mapped, appender);
  const u64 started_ns = now_ns(CLOCK_MONOTONIC);
  signal_pipe(options.ready_fd);
  Syncer syncer(appender.fd(), options.recording);
  writer.drain(syncer);
  writer.finish();
  writer.wait_for_supervisor();
  write_final_info(options.recording, writer, appender, started_ns);
  appender.unlock();
  signal_pipe(options.done_fd);
  syncer.sync();
  return writer.gap() ? 1 : 0;
}

}  // namespace

int run_writer(const WriterOptions& options) {
  detach();
  try {
    if (options.trace != nullptr) return write_trace(options, *options.trace);
    auto created = TraceAppender::create(options.recording + "/trace", now_ns(CLOCK_REALTIME));
    if (!created) return cannot_write(created.error());
    TraceAppender appender = created.take();
    return write_trace(options, appender);
  } catch (const std::bad_alloc&) {
    return cannot_write({"starting the writer", ENOMEM});
  }
}

}  // namespace orrery::trace
