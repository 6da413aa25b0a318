// The oracle of the address space: a forked child that performs memory system calls for real, in an arena
// at the same addresses, and reports the result and what /proc/self/maps and the bytes then say.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::memory {

/// One mapping as /proc/self/maps tells it.
struct MapLine {
  u64 start = 0, end = 0;
  int protection = 0;
  bool shared = false;
  u64 offset = 0;
  u64 inode = 0;  ///< 0 for private anonymous memory
  bool operator==(const MapLine&) const = default;
};
std::string to_string(const std::vector<MapLine>& lines);

/// Joins neighbours that differ in nothing shown: when the kernel merges them depends on which pages were
/// touched, which the guest's own map does not follow.
std::vector<MapLine> canonical(std::vector<MapLine> lines);

/// The calling process's mappings within [start, end).
std::vector<MapLine> read_maps(u64 start, u64 end);

/// The first word of the page, or ~0 if it cannot be read without a signal.
u64 first_word(u64 page);

enum class Operation : u64 { call, store, maps, words, quit };

struct Request {
  Operation operation = Operation::call;
  long number = 0;
  u64 args[6] = {};
};

class RealKernel {
 public:
  /// Forks. `prepare` runs in the child.
  RealKernel(u64 arena_start, u64 arena_end, void (*prepare)());
  ~RealKernel();
  RealKernel(const RealKernel&) = delete;
  RealKernel& operator=(const RealKernel&) = delete;

  i64 call(long number, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0);
  bool store(u64 address, u64 value);  ///< false where the guest would get a signal
  std::vector<MapLine> maps();
  std::vector<u64> words();  ///< first_word of every page of the arena

 private:
  struct Shared;
  void exchange(const Request& request);
  [[noreturn]] void serve();

  u64 arena_start_, arena_end_;
  Shared* shared_ = nullptr;
  int to_child_[2] = {-1, -1}, to_parent_[2] = {-1, -1};
  pid_t child_ = -1;
};

}  // namespace orrery::memory
