// How far a long work is, on stderr: a line that is written again and again once the work takes more than a
// second. Nothing where stderr is no terminal.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::cli {

class Progress {
 public:
  /// `whole` in any unit; `what` is what is being done: "replaying".
  Progress(std::string what, u64 whole);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// So much more is done. From any thread.
  void add(u64 done);

 private:
  void show(u64 now_ns);

  std::string what_;
  u64 whole_;
  u64 began_ns_;
  bool wanted_;
  std::atomic<u64> done_ = 0;
  std::atomic<u64> next_ns_;
  std::mutex mutex_;
  bool shown_ = false;
};

/// "replaying  43 %  [#########           ]  12 s left"; for tests.
std::string progress_line(const std::string& what, u64 done, u64 whole, u64 elapsed_ns);

}  // namespace orrery::cli
