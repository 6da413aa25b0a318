#include "cli/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace orrery::cli {

using machine::LaunchHeader;

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

int Fd::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Result<std::string> find_engine() {
  char self[PATH_MAX];
  const ssize_t bytes = readlink("/proc/self/exe", self, sizeof self);
  if (bytes <= 0) return Error{"finding the engine: /proc/self/exe", errno};
  std::string directory(self, static_cast<std::size_t>(bytes));
  directory.resize(directory.find_last_of('/'));
  for (const char* place : {"/orrery-engine", "/../lib/orrery/orrery-engine"}) {
    const std::string path = directory + place;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return Error{"finding orrery-engine beside orrery or in ../lib/orrery", ENOENT};
}

// --- the launch block ---

std::vector<u8> make_launch_block(LaunchHeader header, const Program& program) {
  std::vector<u8> block(sizeof header);
  const auto add = [&block](const std::string& text) {
    block.insert(block.end(), text.begin(), text.end());
    block.push_back(0);
  };
  add(program.path);
  add(program.directory);
  for (const std::string& argument : program.arguments) add(argument);
  for (const std::string& variable : program.environment) add(variable);
  header.argument_count = static_cast<u32>(program.arguments.size());
  header.environment_count = static_cast<u32>(program.environment.size());
  header.total_bytes = block.size();
  std::memcpy(block.data(), &header, sizeof header);
  return block;
}

const LaunchHeader* launch_header(std::span<const u8> block) {
  if (block.size() < sizeof(LaunchHeader)) return nullptr;
  const auto* header = reinterpret_cast<const LaunchHeader*>(block.data());
  const bool sound = header->magic == machine::kLaunchMagic && header->version == machine::kLaunchVersion &&
                     header->total_bytes == block.size() && header->cpuid_count <= machine::kCpuidRowsMost;
  return sound ? header : nullptr;
}

Result<Fd> make_launch_memory(std::span<const u8> block) {
  Fd fd(memfd_create("orrery-launch", MFD_CLOEXEC));
  if (!fd) return Error{"making memory for the launch block", errno};
  for (std::size_t done = 0; done < block.size();) {
    const ssize_t wrote = write(fd.get(), block.data() + done, block.size() - done);
    if (wrote < 0) return Error{"writing the launch block", errno};
    done += static_cast<std::size_t>(wrote);
  }
  return fd;
}

// --- descriptors ---

/// Far above what programs use, but not at the end of a huge limit: the host kernel's table of
/// descriptors is as long as the highest one, and every fork copies it.
Result<DescriptorRoom> find_descriptor_room() {
  constexpr u64 kHighest = 65536;
  constexpr u64 kLeast = machine::kEngineFdCount;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Error{"reading RLIMIT_NOFILE", errno};
  DescriptorRoom room{.soft_before = limit.rlim_cur, .hard_before = limit.rlim_max};
  const u64 end =
      std::min<u64>(limit.rlim_max, std::max<u64>(limit.rlim_cur + machine::kEngineFdCount, kHighest));
  if (end < kLeast) return Error{"RLIMIT_NOFILE leaves no room for the engine's descriptors", 0};
  room.first = static_cast<int>(machine::engine_fd_first(std::min<u64>(end, INT_MAX)));
  room.soft_wanted = std::max<u64>(end, limit.rlim_cur);
  room.hard_wanted = limit.rlim_max;
  return room;
}

void use_all_descriptors(const DescriptorRoom& room) {
  const rlimit all{room.hard_before, room.hard_before};
  setrlimit(RLIMIT_NOFILE, &all);
}

// --- starting ---

namespace {

struct Move {
  int from, to;
};

/// Everything the child needs, prepared: after vfork it may only make system calls.
struct Prepared {
  std::vector<Move> moves;
  rlimit limit{};
  std::string first;
  std::vector<char*> arguments;
  sigset_t mask;
};

Prepared prepare(const EngineStart& start) {
  Prepared prepared;
  for (const auto& [which, fd] : start.descriptors)
    if (fd >= 0) prepared.moves.push_back({fd, start.room.first + which});
  prepared.limit = {start.room.soft_wanted, start.room.hard_wanted};
  prepared.first = std::to_string(start.room.first);
  sigemptyset(&prepared.mask);
  for (int number = 1; number < NSIG; ++number)
    if ((start.signals_blocked >> (number - 1) & 1) != 0) sigaddset(&prepared.mask, number);
  return prepared;
}

/// In the child. Returns only on failure, with errno set.
void become_engine(const EngineStart& start, const Prepared& prepared, char* const* arguments) {
  if (start.dies_with_us) prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setrlimit(RLIMIT_NOFILE, &prepared.limit) != 0) return;
  for (const Move& move : prepared.moves)
    if (dup2(move.from, move.to) < 0) return;
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = (start.signals_ignored >> (number - 1) & 1) != 0 ? SIG_IGN : SIG_DFL;
    sigaction(number, &action, nullptr);
  }
  sigprocmask(SIG_SETMASK, &prepared.mask, nullptr);
  // The engine lies at fixed addresses and needs the host's parts out of the way, always in one place.
  personality(ADDR_NO_RANDOMIZE);
  const pid_t self = getpid();
  // A writer that has died meanwhile is no reason not to run.
  if (start.announcement_fd >= 0) send(start.announcement_fd, &self, sizeof self, MSG_NOSIGNAL);
  char* const no_environment[] = {nullptr};
  execve(start.engine.c_str(), arguments, no_environment);
}

}  // namespace

Result<pid_t> start_engine(const EngineStart& start) {
  Prepared prepared = prepare(start);
  std::string name = "orrery-engine";
  char* const arguments[] = {name.data(), prepared.first.data(), nullptr};
  volatile int failure = 0;
  const pid_t child = vfork();
  if (child < 0) return Error{"starting a process", errno};
  if (child == 0) {
    become_engine(start, prepared, arguments);
    failure = errno;
    _exit(69);
  }
  if (failure != 0) {
    waitpid(child, nullptr, 0);
    // A descriptor below the limit that cannot be had is another engine's.
    if (failure == EBADF)
      return Error{"a recording cannot be made inside a recording, nor be replayed there", 0};
    return Error{"executing the engine", failure};
  }
  return child;
}

u64 ignored_signals() {
  u64 bits = 0;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      bits |= u64{1} << (number - 1);
  }
  return bits;
}

u64 blocked_signals() {
  sigset_t mask;
  u64 bits = 0;
  if (sigprocmask(SIG_SETMASK, nullptr, &mask) != 0) return 0;
  for (int number = 1; number < NSIG; ++number)
    if (sigismember(&mask, number) == 1) bits |= u64{1} << (number - 1);
  return bits;
}

int exit_code_like(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return WEXITSTATUS(wait_status);
  const int number = WTERMSIG(wait_status);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  raise(number);
  return 128 + number;
}

}  // namespace orrery::cli
