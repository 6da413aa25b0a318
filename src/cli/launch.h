// Starts an engine: builds its launch block, lays out its descriptors, and executes it
// (machine/launch.h). `record`, `replay`, and whatever asks questions of a replay go through here.
#pragma once

#include <sys/types.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/launch.h"

namespace orrery::cli {

/// A descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  int release();
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// The engine that belongs to this `orrery`: beside it, or in ../lib/orrery.
Result<std::string> find_engine();

struct Program {
  std::string path;       ///< as it will be executed
  std::string directory;  ///< cwd
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
};
std::vector<u8> make_launch_block(machine::LaunchHeader header, const Program& program);
/// The header of a block; its strings follow. Null if it is none of this version.
const machine::LaunchHeader* launch_header(std::span<const u8> block);

/// Room for the engine's descriptors above all that the guest may have. Raises RLIMIT_NOFILE's soft limit
/// in whoever calls apply().
struct DescriptorRoom {
  int first = 0;
  u64 soft_before = 0;  ///< the guest's own soft limit
  u64 hard_before = 0;
  u64 soft_wanted = 0, hard_wanted = 0;
};
Result<DescriptorRoom> find_descriptor_room();
/// Lets this process have as many descriptors as it may; the writer and the keeper of a replay's files need
/// some for each process and each file.
void use_all_descriptors(const DescriptorRoom& room);

/// A memfd that holds the block, close-on-exec.
Result<Fd> make_launch_memory(std::span<const u8> block);

struct EngineStart {
  std::string engine;                            ///< path of the executable
  std::map<machine::EngineFd, int> descriptors;  ///< which of ours becomes which of the engine's
  DescriptorRoom room;
  u64 signals_ignored = 0, signals_blocked = 0;  ///< what the engine is to inherit
  bool dies_with_us = false;                     ///< a replay is of no use without who asked for it
  int announcement_fd = -1;                      ///< a socket that gets the child's pid before it runs; or -1
};
/// Executes the engine in a child. Its standard streams are ours.
Result<pid_t> start_engine(const EngineStart& start);

/// Dispositions and mask as this process was started with; bit n - 1 stands for signal n.
u64 ignored_signals();
u64 blocked_signals();

/// Ends this process as a child has ended: the same status, or the same signal, without a core.
int exit_code_like(int wait_status);

}  // namespace orrery::cli
