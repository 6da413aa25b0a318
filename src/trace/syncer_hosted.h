// Brings a recording to disk in the background while it is being written, so that a power cut costs
// little and a slow disk delays nobody.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/types.h"

namespace orrery::trace {

/// Syncs the trace each time after the kept files that its new events name; where no thread can be had
/// (RLIMIT_NPROC, memory), in the foreground. May be called from several threads.
class Syncer {
 public:
  Syncer(int trace_fd, std::string recording);
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;
  ~Syncer();

  /// An event names this file of REC/files. Call before the event is appended.
  void kept(u32 file_number);
  /// Something was appended.
  void appended();
  /// Now, in the caller's time.
  void sync();

 private:
  void run();
  void sync(std::unique_lock<std::mutex>& lock);
  void sync_file(const std::string& name) const;

  int fd_;
  std::string recording_;
  std::unordered_set<u32> named_;  ///< all files that events have named
  std::vector<u32> files_;         ///< of these, those not yet synced
  bool start_synced_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool dirty_ = false;
  bool stop_ = false;
  bool in_foreground_ = false;
  std::thread thread_;
};

}  // namespace orrery::trace
