// LiveHost against the kernel this test runs on.
#include "host/live_host.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "host/blocking.h"
#include "host/interruptible.h"
#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

LiveHost* g_host;  // handlers get no argument of ours

void queue_handler(int number, void* info, void* context) {
  auto* ucontext = static_cast<ucontext_t*>(context);
  u64 mask;
  std::memcpy(&mask, &ucontext->uc_sigmask, 8);
  g_host->queue_signal(number, info, mask);
  std::memcpy(&ucontext->uc_sigmask, &mask, 8);
  u64 pc = static_cast<u64>(ucontext->uc_mcontext.gregs[REG_RIP]);
  if (fix_interrupted_pc(pc)) ucontext->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(pc);
}

/// Runs `body` in a child with LiveHost's handlers installed, so that gtest's process keeps its own.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    LiveHost host(1000);
    g_host = &host;
    std::vector<u8> stack(64 * 1024);
    host.install_signal_handlers({queue_handler, reinterpret_cast<u64>(stack.data()), stack.size()});
    _exit(body(host));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

HostCall make_call(u32 number, std::array<u64, 6> args = {}) {
  HostCall call;
  call.number = number;
  call.args = args;
  return call;
}

TEST(LiveHost, CallsAnswerAsTheKernelDoes) {
  LiveHost host(1000);
  HostCall pid = make_call(__NR_getpid);
  EXPECT_EQ(host.call(pid), getpid());
  HostCall bad = make_call(__NR_close, {static_cast<u64>(-1)});
  EXPECT_EQ(host.call(bad), -EBADF);
  EXPECT_EQ(host.engine_fd(3), 1003);
}

TEST(LiveHost, SignalsKeepTheirOrderAndTheirInformation) {
  const int status = in_child([](LiveHost& host) {
    sigval value;
    for (int i = 0; i < 5; ++i) {
      value.sival_int = 100 + i;
      sigqueue(getpid(), SIGRTMIN + 1, value);
    }
    kill(getpid(), SIGUSR1);
    HostSignal signal;
    for (int i = 0; i < 5; ++i) {
      if (!host.next_signal(signal) || signal.number != SIGRTMIN + 1) return 10 + i;
      siginfo_t info;
      std::memcpy(&info, signal.siginfo.data(), sizeof info);
      if (info.si_value.sival_int != 100 + i || info.si_pid != getpid()) return 20 + i;
    }
    if (!host.next_signal(signal) || signal.number != SIGUSR1) return 30;
    return host.next_signal(signal) || host.signal_pending() ? 31 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, AFullQueueLeavesTheRestWithTheKernel) {
  const int status = in_child([](LiveHost& host) {
    sigval value;
    for (int i = 0; i < 300; ++i) {
      value.sival_int = i;
      if (sigqueue(getpid(), SIGRTMIN, value) != 0) return 1;
    }
    HostSignal signal;
    for (int i = 0; i < 300; ++i) {
      if (!host.next_signal(signal)) return 2;
      siginfo_t info;
      std::memcpy(&info, signal.siginfo.data(), sizeof info);
      if (info.si_value.sival_int != i) return 3;
    }
    return host.next_signal(signal) ? 4 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, APendingSignalStopsABlockingCallButNotAnother) {
  const int status = in_child([](LiveHost& host) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    kill(getpid(), SIGUSR1);
    char byte;
    HostCall read = make_call(__NR_read, {static_cast<u64>(ends[0]), reinterpret_cast<u64>(&byte), 1});
    if (host.call(read) != -EINTR) return 2;  // would sleep for ever if the signal were missed
    HostCall pid = make_call(__NR_getpid);
    if (host.call(pid) != getpid()) return 3;
    HostSignal signal;
    return host.next_signal(signal) && signal.number == SIGUSR1 ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, NoSignalIsLostAroundTheSyscallInstruction) {
  // A read that nothing but one timer signal ends, with the timer set to go off around the entry into
  // the kernel: were the signal lost, the read would sleep until the watchdog process kills it.
  const int status = in_child([](LiveHost& host) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    const pid_t parent = getpid();
    const pid_t watchdog = fork();
    if (watchdog == 0) {
      usleep(20'000'000);
      kill(parent, SIGKILL);
      _exit(0);
    }
    int result = 0;
    for (int i = 0; i < 20000 && result == 0; ++i) {
      const itimerval once{{0, 0}, {0, 1 + i % 11}};
      setitimer(ITIMER_REAL, &once, nullptr);
      for (int spin = 0; spin < i % 97; ++spin) __asm__ volatile("pause");
      char byte;
      HostCall read = make_call(__NR_read, {static_cast<u64>(ends[0]), reinterpret_cast<u64>(&byte), 1});
      if (host.call(read) != -EINTR) result = 2;
      HostSignal signal;
      if (!host.next_signal(signal) || signal.number != SIGALRM) result = 3;
    }
    kill(watchdog, SIGKILL);
    return result;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, ThePcIsFixedOnlyInsideTheWindow) {
  const u64 check = reinterpret_cast<u64>(orrery_interruptible_check);
  const u64 end = reinterpret_cast<u64>(orrery_interruptible_end);
  const u64 give_up = reinterpret_cast<u64>(orrery_interruptible_give_up);
  for (u64 at = check; at < end; ++at) {
    u64 pc = at;
    EXPECT_TRUE(fix_interrupted_pc(pc));
    EXPECT_EQ(pc, give_up);
  }
  u64 before = check - 1, after = end;
  EXPECT_FALSE(fix_interrupted_pc(before));
  EXPECT_FALSE(fix_interrupted_pc(after));
  EXPECT_EQ(after, end);
}

TEST(LiveHost, WhatTheGuestDoesNotTakeDisturbsNoCallThatWaits) {
  const int status = in_child([](LiveHost& host) {
    constexpr u64 kBlocked = u64{1} << (SIGUSR1 - 1), kIgnored = u64{1} << (SIGUSR2 - 1);
    const auto poll_briefly = [&host] {
      HostCall poll = make_call(__NR_poll, {0, 0, 1});
      return host.call(poll);
    };
    host.set_signal_view({.blocked = kBlocked, .ignored = kIgnored});
    if (poll_briefly() != 0) return 1;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    HostSignal signal;
    if (poll_briefly() != 0 || host.next_signal(signal)) return 2;
    // Both wanted again: what was blocked is there, what was ignored is not.
    host.set_signal_view({});
    if (!host.next_signal(signal) || signal.number != SIGUSR1 || host.next_signal(signal)) return 3;
    // Ignored and blocked is kept, until ignoring is said anew.
    host.set_signal_view({.blocked = kIgnored, .ignored = kIgnored});
    if (poll_briefly() != 0) return 4;
    kill(getpid(), SIGUSR2);
    if (poll_briefly() != 0) return 5;
    host.set_signal_view({});
    if (!host.next_signal(signal) || signal.number != SIGUSR2) return 6;
    host.set_signal_view({.blocked = kBlocked, .held = kBlocked});
    kill(getpid(), SIGUSR1);
    return host.next_signal(signal) ? 7 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, AFullQueueLeavesFaultsOpen) {
  const int status = in_child([](LiveHost& host) {
    for (int i = 0; i < 100; ++i)
      if (sigqueue(getpid(), SIGRTMIN, {}) != 0) return 1;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    if (sigismember(&mask, SIGRTMIN) != 1 || sigismember(&mask, SIGUSR1) != 1) return 2;
    for (const int fault : {SIGSEGV, SIGTRAP, SIGBUS, SIGFPE, SIGILL})
      if (sigismember(&mask, fault) != 0) return 3;
    (void)host;
    return 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, IgnoredSignalsStayIgnored) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGHUP, SIG_IGN);
    LiveHost host(1000);
    g_host = &host;
    std::vector<u8> stack(64 * 1024);
    host.set_signal_view({.ignored = u64{1} << (SIGHUP - 1)});  // as the guest kernel inherits it
    host.install_signal_handlers({queue_handler, reinterpret_cast<u64>(stack.data()), stack.size()});
    kill(getpid(), SIGHUP);
    HostSignal signal;
    _exit(host.next_signal(signal) ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(LiveHost, ExitGivesTheParentTheStatusOrTheSignal) {
  const int plain = in_child([](LiveHost& host) {
    host.exit(37, 0);
    return 0;
  });
  EXPECT_TRUE(WIFEXITED(plain));
  EXPECT_EQ(WEXITSTATUS(plain), 37);
  for (const int number : {SIGSEGV, SIGABRT, SIGTERM, SIGKILL, SIGPIPE}) {
    const int killed = in_child([number](LiveHost& host) {
      host.exit(0, number);
      return 0;
    });
    EXPECT_TRUE(WIFSIGNALED(killed));
    EXPECT_EQ(WTERMSIG(killed), number);
    EXPECT_FALSE(WCOREDUMP(killed));
  }
}

TEST(LiveHost, MemoryIsPlacedExactly) {
  LiveHost host(1000);
  constexpr u64 kAt = 0x1420'0000'0000;
  ASSERT_EQ(host.map({kAt, 4 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}), 0);
  auto* bytes = reinterpret_cast<volatile u8*>(kAt);
  bytes[kPageBytes] = 7;
  EXPECT_EQ(host.move(kAt + kPageBytes, kPageBytes, kAt + 16 * kPageBytes, 2 * kPageBytes), 0);
  EXPECT_EQ(bytes[16 * kPageBytes], 7);
  EXPECT_EQ(host.discard(kAt + 16 * kPageBytes, kPageBytes), 0);
  EXPECT_EQ(bytes[16 * kPageBytes], 0);
  EXPECT_EQ(host.protect(kAt, kPageBytes, PROT_READ), 0);
  EXPECT_EQ(host.unmap(kAt, 32 * kPageBytes), 0);
  EXPECT_EQ(host.map({kAt + 1, kPageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}), -EINVAL);
}

TEST(LiveHost, ReadsTheWorld) {
  LiveHost host(1000);
  const u64 first = host.read_tsc();
  EXPECT_GT(host.read_tsc(), first);
  EXPECT_EQ(host.current_cpu(), 0u);  // the guest is shown one processor
  std::array<u8, 64> one{}, two{};
  host.random_bytes(one);
  host.random_bytes(two);
  EXPECT_NE(one, two);
}

TEST(Blocking, TableNamesWhatCanSleep) {
  EXPECT_TRUE(can_block(__NR_read));
  EXPECT_TRUE(can_block(__NR_clock_nanosleep));
  EXPECT_FALSE(can_block(__NR_close));
  EXPECT_FALSE(can_block(__NR_clock_gettime));
  EXPECT_FALSE(can_block(100000));
}

}  // namespace
}  // namespace orrery::host
