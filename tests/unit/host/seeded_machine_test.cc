// What the processes of a seeded run share: their ids, their timers, and whose turn it is.
#include "host/seeded_machine.h"

#include <asm/unistd.h>
#include <gtest/gtest.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "host/live_host.h"
#include "host/seeded_host.h"

namespace orrery::host {
namespace {

constexpr i32 kFirstPid = 5000;

class Silent final : public Complaints {
 public:
  void complain(std::string_view) override {}
};

TEST(SeededMachine, IdsFollowFromTheOrderOfMaking) {
  const auto machine = std::make_unique<SeededMachine>();
  machine->begin(7, kFirstPid, 111);
  SeededTurns turns(*machine, 900);
  const u32 second = turns.add_process(false, 1), third = turns.add_process(false, 1);
  turns.made(second, 222);
  turns.made(third, 33);
  EXPECT_EQ(machine->to_guest(111), kFirstPid);
  EXPECT_EQ(machine->to_guest(222), kFirstPid + 1);
  EXPECT_EQ(machine->to_guest(33), kFirstPid + 2);
  EXPECT_EQ(machine->to_host(kFirstPid + 2), 33);
  EXPECT_EQ(machine->to_host(kFirstPid + 3), -1);
  EXPECT_EQ(machine->to_host(222), -1);  // an id of the host's names nobody
  EXPECT_EQ(machine->to_guest(0), 0);
  EXPECT_EQ(machine->to_host(1), 1);
}

TEST(SeededMachine, OutsideIdsAreNumberedAsTheyAreMet) {
  const auto machine = std::make_unique<SeededMachine>();
  machine->begin(7, kFirstPid, 111);
  const i32 shell = machine->to_guest(40'000), terminal = machine->to_guest(39'999);
  EXPECT_EQ(terminal, shell + 1);
  EXPECT_EQ(machine->to_guest(40'000), shell);
  EXPECT_EQ(machine->to_host(shell), 40'000);
  EXPECT_LT(shell, 1000);
}

/// A host id that was given out anew means the youngest; who was waited for is gone.
TEST(SeededMachine, HostIdsAreUsedAgain) {
  const auto machine = std::make_unique<SeededMachine>();
  machine->begin(7, kFirstPid, 111);
  SeededTurns turns(*machine, 900);
  const u32 old = turns.add_process(false, 1);
  turns.made(old, 222);
  machine->processes[old].state = TurnState::ended;
  EXPECT_EQ(machine->to_host(kFirstPid + 1), 222);  // a zombie
  machine->processes[old].reaped = 1;
  EXPECT_EQ(machine->to_host(kFirstPid + 1), -1);
  const u32 young = turns.add_process(false, 1);
  turns.made(young, 222);
  EXPECT_EQ(machine->to_guest(222), kFirstPid + 2);
}

/// Four processes that say their number in each of some turns.
std::string letters_of(u64 seed) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  void* const memory =
      mmap(nullptr, sizeof(SeededMachine), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const machine = new (memory) SeededMachine;
  LiveHost live(500);
  Silent silent;
  SeededHost host(seed, kFirstPid,
                  {.inner = live, .machine = *machine, .complaints = silent, .fd_least = 500});
  std::vector<i64> children;
  for (char letter = 'a'; letter < 'd'; ++letter) {
    ForkRequest request{.flags = SIGCHLD};
    children.push_back(host.fork(request));
    if (children.back() != 0) continue;
    host.take_turn();
    for (int i = 0; i < 20; ++i) {
      (void)!::write(ends[1], &letter, 1);
      host.give_turn();
      host.take_turn();
    }
    host.exit(0, 0);
  }
  for (const i64 child : children) {  // gives its turn until they have ended
    for (int status = 0;;) {
      HostCall wait;
      wait.number = __NR_wait4;
      wait.args = {static_cast<u64>(child), reinterpret_cast<u64>(&status), WNOHANG, 0};
      const i64 result = host.call(wait);
      if (result != 0) {
        EXPECT_EQ(result, child);
        break;
      }
      host.give_turn();
      host.take_turn();
    }
  }
  ::close(ends[1]);
  std::string all;
  for (char letter; ::read(ends[0], &letter, 1) == 1;) all += letter;
  ::close(ends[0]);
  munmap(memory, sizeof(SeededMachine));
  return all;
}

TEST(SeededTurns, TheSeedDecidesWhoIsNext) {
  const std::string first = letters_of(7);
  EXPECT_EQ(first.size(), 60u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(letters_of(7), first);
  EXPECT_NE(letters_of(8), first);
  EXPECT_NE(first, std::string(20, 'a') + std::string(20, 'b') + std::string(20, 'c'));
}

HostCall set_interval_timer(const itimerval& timer, u64 which) {
  HostCall call;
  call.number = __NR_setitimer;
  call.args = {which, reinterpret_cast<u64>(&timer), 0};
  call.in.add({call.args[1], sizeof timer});
  return call;
}

TEST(VirtualTimers, TimesComeWithTheClock) {
  LiveHost live(500);
  VirtualTimers timers;
  VirtualTimers::Clocks clocks{.now_ns = 1'000, .cpu_ns = 500, .epoch_ns = 0, .booted_ns = 0};
  const itimerval each_second{{1, 0}, {1, 0}};
  HostCall call = set_interval_timer(each_second, ITIMER_REAL);
  EXPECT_EQ(timers.call(call, clocks, live), 0);
  EXPECT_EQ(timers.next_deadline_ns(), 1'000'001'000u);
  HostSignal signal;
  EXPECT_FALSE(timers.take_due(clocks, signal));
  clocks.now_ns = 3'500'000'000;
  EXPECT_TRUE(timers.take_due(clocks, signal));
  EXPECT_EQ(signal.number, SIGALRM);
  EXPECT_FALSE(timers.take_due(clocks, signal));  // those that were missed are lost
  EXPECT_EQ(timers.next_deadline_ns(), 4'000'001'000u);
}

TEST(VirtualTimers, ProcessorTimeStandsStillInASleep) {
  LiveHost live(500);
  VirtualTimers timers;
  VirtualTimers::Clocks clocks{.now_ns = 0, .cpu_ns = 0, .epoch_ns = 0, .booted_ns = 0};
  const itimerval in_a_second{{0, 0}, {1, 0}};
  HostCall call = set_interval_timer(in_a_second, ITIMER_VIRTUAL);
  EXPECT_EQ(timers.call(call, clocks, live), 0);
  EXPECT_EQ(timers.next_deadline_ns(), ~u64{0});
  EXPECT_TRUE(timers.any_is_set());
  HostSignal signal;
  clocks.now_ns = 10'000'000'000;
  EXPECT_FALSE(timers.take_due(clocks, signal));
  clocks.cpu_ns = 1'000'000'000;
  EXPECT_TRUE(timers.take_due(clocks, signal));
  EXPECT_EQ(signal.number, SIGVTALRM);
  EXPECT_FALSE(timers.any_is_set());
}

TEST(VirtualTimers, DescriptorsCountTheirTimes) {
  LiveHost live(500);
  VirtualTimers timers;
  VirtualTimers::Clocks clocks{.now_ns = 0, .cpu_ns = 0, .epoch_ns = 0, .booted_ns = 0};
  HostCall create;
  create.number = __NR_timerfd_create;
  create.args = {CLOCK_MONOTONIC, 0};
  const auto fd = timers.call(create, clocks, live);
  ASSERT_TRUE(fd.has_value());
  const __kernel_itimerspec each_second{{1, 0}, {1, 0}};
  HostCall set;
  set.number = __NR_timerfd_settime;
  set.args = {static_cast<u64>(*fd), 0, reinterpret_cast<u64>(&each_second), 0};
  set.in.add({set.args[2], sizeof each_second});
  EXPECT_EQ(timers.call(set, clocks, live), 0);
  EXPECT_FALSE(timers.tell_descriptors(999'999'999));
  EXPECT_TRUE(timers.tell_descriptors(3'000'000'000));
  u64 count = 0;
  EXPECT_EQ(::read(static_cast<int>(*fd), &count, sizeof count), 8);
  EXPECT_EQ(count, 3u);
  ::close(static_cast<int>(*fd));
}

}  // namespace
}  // namespace orrery::host
