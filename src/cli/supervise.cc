#include "cli/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "base/clock_hosted.h"

namespace orrery::cli {
namespace {

constexpr u64 kWaitingToldAfterNs = 2'000'000'000;
/// How often processes are looked for that the first SIGTERM or SIGKILL did not see.
constexpr u64 kSweepNs = 50'000'000;

// For the signal handlers alone.
volatile pid_t g_guest = 0;
volatile sig_atomic_t g_interrupted = 0;

/// The parent of a process; -1 if it is gone. Asynchronous-signal-safe.
pid_t parent_of(pid_t pid) {
  char path[32] = "/proc/";
  char digits[12];
  int count = 0;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  char* at = path + 6;
  while (count > 0) *at++ = digits[--count];
  std::memcpy(at, "/stat", sizeof "/stat");
  char text[512];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return -1;
  text[size] = 0;
  // pid (name) state ppid: the name may hold anything, also parentheses.
  const char* end = std::strrchr(text, ')');
  if (end == nullptr || std::strlen(end) < 5) return -1;
  pid_t parent = 0;
  for (const char* digit = end + 4; *digit >= '0' && *digit <= '9'; ++digit)
    parent = parent * 10 + (*digit - '0');
  return parent;
}

enum class Sender : u8 { machine, outside, gone };

/// Ancestors may end meanwhile: then the sender has another parent, or is gone itself.
Sender judge_sender(pid_t sender) {
  constexpr int kStepsMost = 4096;
  const pid_t self = getpid();
  pid_t pid = sender;
  for (int i = 0; pid > 1 && i < kStepsMost; ++i) {
    if (pid == self) return Sender::machine;
    const pid_t parent = parent_of(pid);
    if (parent < 0 && pid == sender) return Sender::gone;
    pid = parent < 0 ? sender : parent;
  }
  return Sender::outside;
}

/// Of a sender that is gone already nobody knows what it was: `pkill` by somebody who wants an end, or a
/// subshell that signalled its group. An end is worth more than being told once.
bool is_for_the_guest(int which, Sender sender) {
  const bool asks_for_end = which == SIGTERM || which == SIGINT || which == SIGHUP || which == SIGQUIT;
  return sender == Sender::outside || (sender == Sender::gone && asks_for_end);
}

void hand_on(int which, siginfo_t* info, void*) {
  const int error = errno;
  // si_code tells whether a process sent it (sigaction(2)); what the terminal sends went to all of its group.
  const bool by_process = info->si_code <= 0;
  if (by_process) {
    if (is_for_the_guest(which, judge_sender(info->si_pid))) kill(g_guest, which);
  } else if (which == SIGINT || which == SIGQUIT || which == SIGHUP) {
    g_interrupted = 1;
  }
  errno = error;
}

/// All processes below us but the writer.
std::vector<pid_t> machine_processes(pid_t writer) {
  std::vector<pid_t> all{getpid()};
  for (std::size_t i = 0; i < all.size(); ++i) {
    // A process's children are listed by the thread that made them.
    const std::string tasks = "/proc/" + std::to_string(all[i]) + "/task/";
    const std::string path = tasks + std::to_string(all[i]) + "/children";
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    std::string text;
    char part[4096];
    for (ssize_t size; (size = read(fd, part, sizeof part)) > 0;)
      text.append(part, static_cast<std::size_t>(size));
    close(fd);
    for (const char* at = text.c_str(); *at != 0;) {
      char* end = nullptr;
      const long pid = std::strtol(at, &end, 10);
      if (end == at) break;
      at = end + std::strspn(end, " \n");
      if (pid != writer) all.push_back(static_cast<pid_t>(pid));
    }
  }
  all.erase(all.begin());
  return all;
}

class Supervisor {
 public:
  explicit Supervisor(const Supervision& supervision) : given_(supervision) {
    if (given_.timeout_ns != 0) end_at_ns_ = monotonic_ns() + given_.timeout_ns;
  }

  Supervised run() {
    block_child_signal();
    for (;;) {  // a child may have ended before its signal was blocked: looked at first, then slept
      look_at_writer();
      while (reap(WNOHANG)) {
      }
      if (over()) break;
      if (guest_ended_) tell_waiting();
      end_if_wanted();
      sleep();
    }
    // Its descriptors close before it can be waited for.
    while (!guest_ended_ && reap(0)) {
    }
    return result_;
  }

 private:
  bool over() const {
    if (given_.writer == 0) return guest_ended_ || no_children_;
    return result_.complete || (writer_gone_ && no_children_);
  }

  static void block_child_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGCHLD, &action, nullptr);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
  }

  /// Until a child ends, the writer says something, a signal comes, or it is time for something.
  void sleep() const {
    sigset_t during;
    sigprocmask(SIG_SETMASK, nullptr, &during);
    sigdelset(&during, SIGCHLD);
    pollfd writer{.fd = writer_gone_ ? -1 : given_.writer_done_fd, .events = POLLIN, .revents = 0};
    u64 until_ns = ~u64{0};
    if (end_at_ns_ != 0) until_ns = end_at_ns_;
    if (ending_) until_ns = next_sweep_ns_;
    if (guest_ended_ && !told_ && given_.waiting)
      until_ns = std::min(until_ns, guest_ended_ns_ + kWaitingToldAfterNs);
    const u64 now = monotonic_ns();
    const u64 left = until_ns > now ? until_ns - now : 0;
    const timespec timeout{.tv_sec = static_cast<time_t>(left / 1'000'000'000),
                           .tv_nsec = static_cast<long>(left % 1'000'000'000)};
    ppoll(&writer, 1, until_ns == ~u64{0} ? nullptr : &timeout, &during);
  }

  void look_at_writer() {
    if (writer_gone_ || given_.writer_done_fd < 0) return;
    pollfd writer{.fd = given_.writer_done_fd, .events = POLLIN, .revents = 0};
    if (poll(&writer, 1, 0) != 1) return;
    char byte;
    const ssize_t got = read(given_.writer_done_fd, &byte, 1);
    if (got < 0 && errno == EINTR) return;
    if (got == 1)
      result_.complete = true;
    else
      writer_gone_ = true;
  }

  /// One child that has ended, if there is one.
  bool reap(int flags) {
    int status = 0;
    const pid_t child = waitpid(-1, &status, flags);
    if (child < 0 && errno == EINTR) return true;
    no_children_ = child < 0;
    if (child == given_.guest) {
      guest_ended_ = true;
      guest_ended_ns_ = monotonic_ns();
      result_.status = status;
    }
    return child > 0;
  }

  void tell_waiting() {
    if (told_ || !given_.waiting || monotonic_ns() < guest_ended_ns_ + kWaitingToldAfterNs) return;
    told_ = true;
    given_.waiting();
  }

  /// When the time is over, or somebody interrupts us while only what the program left behind still runs:
  /// SIGTERM to all, and after a while SIGKILL.
  void end_if_wanted() {
    const u64 now = monotonic_ns();
    if (!ending_) {
      const bool timed_out = end_at_ns_ != 0 && now >= end_at_ns_;
      const bool interrupted = guest_ended_ && g_interrupted != 0;
      if (!timed_out && !interrupted) return;
      result_.timed_out = timed_out;
      ending_ = true;
      kill_at_ns_ = now + kGraceSeconds * 1'000'000'000;
      for (const pid_t pid : machine_processes(given_.writer)) {
        kill(pid, SIGTERM);
        kill(pid, SIGCONT);  // one that is stopped would not notice
      }
    }
    if (now < next_sweep_ns_) return;
    next_sweep_ns_ = now + kSweepNs;
    if (now < kill_at_ns_) return;
    for (const pid_t pid : machine_processes(given_.writer)) kill(pid, SIGKILL);
  }

  const Supervision& given_;
  Supervised result_;
  u64 end_at_ns_ = 0, kill_at_ns_ = 0, next_sweep_ns_ = 0, guest_ended_ns_ = 0;
  bool guest_ended_ = false, writer_gone_ = false, no_children_ = false, told_ = false, ending_ = false;
};

}  // namespace

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void pass_on_signals(pid_t guest) {
  g_guest = guest;
  for (int number = 1; number < NSIG; ++number) {
    constexpr int kEnds[] = {SIGHUP,    SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,  SIGALRM,
                             SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGPIPE, SIGSTKFLT};
    if (number < SIGRTMIN && std::find(std::begin(kEnds), std::end(kEnds), number) == std::end(kEnds))
      continue;
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_sigaction = hand_on;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

Supervised supervise(const Supervision& supervision) { return Supervisor(supervision).run(); }

}  // namespace orrery::cli
