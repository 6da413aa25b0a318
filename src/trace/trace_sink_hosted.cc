#include "trace/trace_sink_hosted.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>
#include <utility>

namespace orrery::trace {
namespace {

constexpr off_t kReserveBytes = 64 << 10;

/// Memory may be limited (RLIMIT_AS, a cgroup), and the libraries below say so by an exception.
template <class Work>
Status without_memory_trouble(const char* doing, Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Error{doing, ENOMEM};
  }
}

}  // namespace

Reserve::Reserve(const std::string& recording) : path_(recording + "/.reserve") {
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  [[maybe_unused]] const int error = posix_fallocate(fd, 0, kReserveBytes);
  close(fd);
}

void Reserve::release() { unlink(path_.c_str()); }

TraceSink::TraceSink(TraceAppender& appender, const std::string& recording)
    : appender_(appender), recording_(recording), reserve_(recording), syncer_(appender.fd(), recording) {}

Status TraceSink::append(u32 process, std::span<const u8> events, int zstd_level, ChunkEncoder& encoder) {
  std::span<const u8> chunk;
  TRY(without_memory_trouble("compressing a chunk", [&]() -> Status {
    chunk = encoder.encode(events, zstd_level, process);
    return Nothing{};
  }));
  const std::lock_guard lock(mutex_);
  if (trouble_) return *trouble_;
  const Status status =
      without_memory_trouble("writing a chunk", [&] { return appender_.append_chunk(chunk); });
  if (status) return Nothing{};
  trouble_ = status.error();
  return *trouble_;
}

void TraceSink::append_gap(u32 process, const EventHeader& gap, ChunkEncoder& encoder) {
  // Without room or memory for it the process's events end without an explanation of their own.
  (void)without_memory_trouble("writing a gap", [&]() -> Status {
    const auto chunk = encoder.encode({reinterpret_cast<const u8*>(&gap), sizeof gap}, 1, process);
    const std::lock_guard lock(mutex_);
    reserve_.release();
    return appender_.append_chunk(chunk);
  });
}

void TraceSink::complain(const char* why) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(has_complained_, true)) return;
  std::fprintf(stderr, "orrery: recording ended early: %s; the program goes on unrecorded (%s)\n", why,
               recording_.c_str());
}

void TraceSink::process_ended(u32 process, const ProcessEnd& end) {
  const std::lock_guard lock(mutex_);
  ++totals_.process_count;
  if (!end.exit && !end.gap) ++totals_.killed_count;
  if (process == 0) totals_.first = end;
  if (!totals_.gap || process == 0) totals_.gap = end.gap ? end.gap : totals_.gap;
}

int TraceSink::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_ ? trouble_->errno_value : 0;
}

void TraceSink::finish() {
  const std::lock_guard lock(mutex_);
  reserve_.release();
  // Without an index the trace is read by scanning; nothing is lost.
  (void)without_memory_trouble("writing the index", [&] { return appender_.finish(); });
}

}  // namespace orrery::trace
