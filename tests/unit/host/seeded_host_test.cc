// The same seed gives the same world; another seed another one. The rest passes through.
#include "host/seeded_host.h"

#include <asm/unistd.h>
#include <gtest/gtest.h>
#include <linux/time_types.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>

#include "host/live_host.h"

namespace orrery::host {
namespace {

/// A seeded host of a machine of its own.
class Seeded : private Complaints {
 public:
  explicit Seeded(u64 seed, Host& inner)
      : machine_(std::make_unique<SeededMachine>()),
        host(seed, 5000, {.inner = inner, .machine = *machine_, .complaints = *this, .fd_least = 900}) {}
  void complain(std::string_view) override {}

 private:
  std::unique_ptr<SeededMachine> machine_;

 public:
  SeededHost host;
};

HostCall make_call(u32 number, std::array<u64, 6> args) {
  HostCall call;
  call.number = number;
  call.args = args;
  return call;
}

u64 now(Host& host, u64 clock) {
  __kernel_timespec time{};
  HostCall call = make_call(__NR_clock_gettime, {clock, reinterpret_cast<u64>(&time)});
  EXPECT_EQ(host.call(call), 0);
  return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}

/// What a program could tell one run from another by.
std::vector<u64> look_around(u64 seed) {
  LiveHost live(1000);
  Seeded seeded(seed, live);
  SeededHost& host = seeded.host;
  std::vector<u64> seen;
  for (int i = 0; i < 3; ++i) {
    for (const u64 clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID})
      seen.push_back(now(host, clock));
    seen.push_back(host.read_tsc());
    seen.push_back(host.current_cpu());
    u64 word = 0;
    host.random_bytes({reinterpret_cast<u8*>(&word), sizeof word});
    seen.push_back(word);
    HostCall call = make_call(__NR_getrandom, {reinterpret_cast<u64>(&word), sizeof word, 0});
    call.out.add({.address = call.args[0], .capacity_bytes = sizeof word, .extent = Extent::result_bytes});
    EXPECT_EQ(host.call(call), static_cast<i64>(sizeof word));
    seen.push_back(word);
    HostCall seconds = make_call(__NR_time, {0});
    seen.push_back(static_cast<u64>(host.call(seconds)));
  }
  return seen;
}

TEST(SeededHost, TheSeedDecides) {
  const std::vector<u64> first = look_around(7);
  EXPECT_EQ(first, look_around(7));
  EXPECT_NE(first, look_around(8));
}

TEST(SeededHost, ClocksRunForward) {
  LiveHost live(1000);
  Seeded seeded(1, live);
  SeededHost& host = seeded.host;
  u64 before = now(host, CLOCK_MONOTONIC);
  u64 tsc = host.read_tsc();
  for (int i = 0; i < 100; ++i) {
    const u64 after = now(host, CLOCK_MONOTONIC);
    EXPECT_GT(after, before);
    before = after;
    const u64 next_tsc = host.read_tsc();
    EXPECT_GT(next_tsc, tsc);
    tsc = next_tsc;
  }
}

TEST(SeededHost, SleepTakesVirtualTimeOnly) {
  LiveHost live(1000);
  Seeded seeded(1, live);
  SeededHost& host = seeded.host;
  const auto real_start = std::chrono::steady_clock::now();
  const u64 start = now(host, CLOCK_MONOTONIC);
  const __kernel_timespec hour{.tv_sec = 3600, .tv_nsec = 0};
  HostCall sleep = make_call(__NR_nanosleep, {reinterpret_cast<u64>(&hour), 0});
  EXPECT_EQ(host.call(sleep), 0);
  const u64 slept = now(host, CLOCK_MONOTONIC);
  EXPECT_GE(slept - start, 3600ull * 1'000'000'000);
  EXPECT_LT(slept - start, 3601ull * 1'000'000'000);

  const u64 wanted = slept + 5'000'000'000;
  const __kernel_timespec until{.tv_sec = static_cast<i64>(wanted / 1'000'000'000),
                                .tv_nsec = static_cast<i64>(wanted % 1'000'000'000)};
  HostCall absolute =
      make_call(__NR_clock_nanosleep, {CLOCK_MONOTONIC, TIMER_ABSTIME, reinterpret_cast<u64>(&until), 0});
  EXPECT_EQ(host.call(absolute), 0);
  EXPECT_GE(now(host, CLOCK_MONOTONIC), wanted);
  EXPECT_EQ(host.call(absolute), 0);  // in the past: returns at once
  EXPECT_LT(now(host, CLOCK_MONOTONIC), wanted + 1'000'000);
  EXPECT_LT(std::chrono::steady_clock::now() - real_start, std::chrono::seconds(60));

  const __kernel_timespec bad{.tv_sec = 0, .tv_nsec = 1'000'000'000};
  HostCall wrong = make_call(__NR_nanosleep, {reinterpret_cast<u64>(&bad), 0});
  EXPECT_EQ(host.call(wrong), -EINVAL);
}

TEST(SeededHost, TheRestPasses) {
  LiveHost live(1000);
  Seeded seeded(1, live);
  SeededHost& host = seeded.host;
  HostCall pid = make_call(__NR_getpid, {});
  EXPECT_EQ(host.call(pid), getpid());
  __kernel_timespec time{};
  HostCall no_clock = make_call(__NR_clock_gettime, {12345, reinterpret_cast<u64>(&time)});
  EXPECT_EQ(host.call(no_clock), -EINVAL);
}

/// The ticks at which the turns of a task end, as the machine sees them.
std::vector<u64> turns(u64 seed) {
  LiveHost live(1000);
  Seeded seeded(seed, live);
  SeededHost& host = seeded.host;
  HostSignal signal;
  std::vector<u64> ends;
  host.at({.task = 1, .ticks = 10, .pc = 0});
  EXPECT_EQ(host.stop_at_tick(), ~u64{0});
  host.set_preemption(true);
  for (int i = 0; i < 8; ++i) {
    const u64 end = host.stop_at_tick();
    host.at({.task = 1, .ticks = end - 1, .pc = 0});
    EXPECT_FALSE(host.next_signal(signal));
    host.at({.task = 1, .ticks = end, .pc = 0});
    EXPECT_TRUE(host.next_signal(signal));
    EXPECT_EQ(signal.number, kQuantumOver);
    EXPECT_FALSE(host.next_signal(signal));
    EXPECT_GT(host.stop_at_tick(), end);
    ends.push_back(end);
  }
  host.set_preemption(false);
  EXPECT_EQ(host.stop_at_tick(), ~u64{0});
  return ends;
}

TEST(SeededHost, TheSeedDecidesWhenTurnsEnd) {
  const std::vector<u64> first = turns(7);
  EXPECT_EQ(first, turns(7));
  EXPECT_NE(first, turns(8));
}

/// A task that was left has a turn of its own when it is gone on with.
TEST(SeededHost, EachTaskHasItsOwnTurn) {
  LiveHost live(1000);
  Seeded seeded(7, live);
  SeededHost& host = seeded.host;
  host.at({.task = 1, .ticks = 1'000'000'000, .pc = 0});
  host.set_preemption(true);
  host.at({.task = 2, .ticks = 5, .pc = 0});
  EXPECT_LT(host.stop_at_tick(), 1'000'000u);
  host.at({.task = 1, .ticks = 1'000'000'000, .pc = 0});
  EXPECT_GT(host.stop_at_tick(), 1'000'000'000u);
}

TEST(SeededHost, WaitsThatEndByTheirTimeOutMoveTime) {
  LiveHost live(1000);
  Seeded seeded(7, live);
  SeededHost& host = seeded.host;
  const u64 before = now(host, CLOCK_MONOTONIC);
  __kernel_timespec hour{3600, 0};
  HostCall sleep = make_call(__NR_ppoll, {0, 0, reinterpret_cast<u64>(&hour), 0, 0});
  EXPECT_EQ(host.call(sleep), 0);
  EXPECT_EQ(hour.tv_sec, 0);
  const u64 after = now(host, CLOCK_MONOTONIC);
  EXPECT_GE(after - before, 3600'000'000'000u);
  EXPECT_LT(after - before, 3601'000'000'000u);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  struct {
    int fd;
    short events, ready;
  } entry{ends[0], 1, 0};
  HostCall poll = make_call(__NR_poll, {reinterpret_cast<u64>(&entry), 1, 20});
  EXPECT_EQ(host.call(poll), 0);
  EXPECT_GE(now(host, CLOCK_MONOTONIC) - after, 20'000'000u);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace orrery::host
