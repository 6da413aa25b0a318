// The cage of a replay, tried from inside, each time in a child of its own.
#include "host/replay_filter.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

struct Inside {
  int directory, control;
};

/// The wait status of a child that does `body` behind the filter.
template <class Body>
int behind_filter(Body body) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return -1;
  const int directory = open("/etc", O_PATH | O_DIRECTORY);
  const pid_t child = fork();
  if (child == 0) {
    if (install_replay_filter({.files_directory = directory, .control_socket = ends[1]}) != 0) {
      raw_syscall(__NR_exit_group, 99);
    }
    raw_syscall(__NR_exit_group, body(Inside{directory, ends[1]}) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(directory);
  close(ends[0]);
  close(ends[1]);
  return status;
}

bool killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

constexpr int kReadOnly = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

TEST(ReplayFilter, LetsAReplayDoItsWork) {
  EXPECT_EQ(behind_filter([](const Inside& inside) {
              const i64 page =
                  raw_syscall(__NR_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              if (page < 0 && page > -4096) return false;
              if (raw_syscall(__NR_mprotect, page, 4096, PROT_READ) != 0) return false;
              const i64 file = raw_syscall(__NR_openat, inside.directory, "passwd", kReadOnly);
              char bytes[16];
              if (file < 0 || raw_syscall(__NR_pread64, file, bytes, sizeof bytes, 0) <= 0) return false;
              if (raw_syscall(__NR_write, inside.control, "x", 1) != 1) return false;
              return raw_syscall(__NR_write, 1, bytes, 0) == 0 && raw_syscall(__NR_write, 2, bytes, 0) == 0;
            }),
            0);
}

TEST(ReplayFilter, KillsWhatReachesOut) {
  EXPECT_TRUE(killed(behind_filter([](const Inside&) { return raw_syscall(__NR_socket, 2, 1, 0) >= 0; })));
  EXPECT_TRUE(killed(behind_filter([](const Inside&) { return raw_syscall(__NR_getpid) > 0; })));
  EXPECT_TRUE(
      killed(behind_filter([](const Inside&) { return raw_syscall(__NR_unlink, "/nonexistent") < 0; })));
  EXPECT_TRUE(killed(behind_filter(
      [](const Inside&) { return raw_syscall(__NR_execve, "/bin/true", nullptr, nullptr) < 0; })));
  EXPECT_TRUE(killed(behind_filter([](const Inside&) { return raw_syscall(__NR_fork) > 0; })));
}

TEST(ReplayFilter, OpensOnlyKeptFilesForReading) {
  EXPECT_TRUE(killed(behind_filter([](const Inside& inside) {
    return raw_syscall(__NR_openat, inside.directory, "passwd", O_RDWR | O_CLOEXEC) >= 0;
  })));
  EXPECT_TRUE(killed(behind_filter([](const Inside& inside) {
    return raw_syscall(__NR_openat, inside.directory, "new", kReadOnly | O_CREAT, 0600) >= 0;
  })));
  EXPECT_TRUE(killed(behind_filter(
      [](const Inside&) { return raw_syscall(__NR_openat, AT_FDCWD, "passwd", kReadOnly) >= 0; })));
}

TEST(ReplayFilter, ReadsAndWritesOnlyItsStreams) {
  EXPECT_TRUE(killed(behind_filter([](const Inside&) {
    char byte;
    return raw_syscall(__NR_read, 0, &byte, 1) >= 0;
  })));
  EXPECT_TRUE(killed(behind_filter(
      [](const Inside& inside) { return raw_syscall(__NR_write, inside.directory, "x", 1) >= 0; })));
}

}  // namespace
}  // namespace orrery::host
