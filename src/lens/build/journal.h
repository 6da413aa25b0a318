// The actions of all processes, as their Watchers write them down at once, and the bytes that went with
// them. Those lie in a file that has no name: the outputs of a large build do not fit into memory.
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <vector>

#include "lens/build/file_action.h"
#include "lens/replay_session.h"

namespace orrery::lens::build {

class Spool {
 public:
  Spool();
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  Data add(std::span<const u8> bytes);
  /// Memory of a stopped process; what cannot be read is left out.
  Data add(ReplaySession& session, u64 address, u64 size_bytes);
  /// False if it does not have all of it.
  bool read(u64 at, std::span<u8> out) const;

 private:
  static constexpr u64 kBytesMost = u64{16} << 30;
  int fd_;
  std::atomic<u64> end_ = 0;
};

class Journal {
 public:
  void add(FileAction action);
  Spool& spool() { return spool_; }
  /// In the order of their times; those of one process stay as they came.
  std::vector<FileAction> take();

 private:
  std::mutex mutex_;
  std::vector<FileAction> actions_;
  Spool spool_;
};

}  // namespace orrery::lens::build
