#include "trace/syncer_hosted.h"

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <utility>

#include "trace/event.h"

namespace orrery::trace {

Syncer::Syncer(int trace_fd, std::string recording) : fd_(trace_fd), recording_(std::move(recording)) {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::exception&) {
    in_foreground_ = true;
  }
}

Syncer::~Syncer() {
  if (in_foreground_) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Syncer::kept(u32 file_number) {
  if (file_number == kZeroPages) return;
  const std::lock_guard lock(mutex_);
  if (named_.insert(file_number).second) files_.push_back(file_number);
}

void Syncer::appended() {
  if (in_foreground_) return sync();
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(dirty_, true)) return;
  }
  changed_.notify_one();
}

void Syncer::sync() {
  std::unique_lock lock(mutex_);
  sync(lock);
}

void Syncer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return dirty_ || stop_; });
    if (stop_) return;
    dirty_ = false;
    sync(lock);
  }
}

void Syncer::sync(std::unique_lock<std::mutex>& lock) {
  const std::vector<u32> files = std::exchange(files_, {});
  const bool first = !std::exchange(start_synced_, true);
  lock.unlock();
  for (const u32 file : files) sync_file("/files/" + std::to_string(file));
  if (first)
    for (const char* name : {"/engine", "/launch", "/info", "/files", ""}) sync_file(name);
  fdatasync(fd_);
  lock.lock();
}

void Syncer::sync_file(const std::string& name) const {
  const int fd = open((recording_ + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace orrery::trace
