#include "kernel/signal_queue.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <vector>

namespace orrery::kernel {
namespace {

SignalInfo info(int number, int code = SI_USER, u32 value = 0) {
  SignalInfo out = SignalInfo::from_sender(number, code, 1, 0);
  out.set32(SignalInfo::kValue, value);
  return out;
}

std::vector<int> drain(PendingSignals& queue, SignalSet wanted = ~SignalSet{0}) {
  std::vector<int> order;
  SignalInfo out;
  while (queue.take(wanted, out)) order.push_back(out.number);
  return order;
}

TEST(PendingSignals, CoalescesStandardOnesAndQueuesRealTimeOnes) {
  PendingSignals queue;
  for (int i = 0; i < 3; ++i) {
    queue.add(info(SIGUSR1));
    queue.add(info(40, SI_QUEUE, static_cast<u32>(i)));
  }
  EXPECT_EQ(queue.set(), signal_bit(SIGUSR1) | signal_bit(40));
  EXPECT_EQ(drain(queue), (std::vector<int>{SIGUSR1, 40, 40, 40}));
  EXPECT_EQ(queue.set(), 0U);
}

TEST(PendingSignals, KeepsTheOrderWithinANumber) {
  PendingSignals queue;
  for (u32 i = 0; i < 5; ++i) queue.add(info(40, SI_QUEUE, i));
  SignalInfo out;
  for (u32 i = 0; i < 5; ++i) {
    ASSERT_TRUE(queue.take(signal_bit(40), out));
    EXPECT_EQ(out.get32(SignalInfo::kValue), i);
  }
}

TEST(PendingSignals, TakesSynchronousOnesFirst) {
  PendingSignals queue;
  queue.add(info(SIGHUP));
  queue.add(info(SIGSEGV));
  queue.add(info(SIGUSR2));
  queue.add(info(SIGILL));
  EXPECT_EQ(drain(queue), (std::vector<int>{SIGILL, SIGSEGV, SIGHUP, SIGUSR2}));
}

TEST(PendingSignals, TakesOnlyWhatIsWanted) {
  PendingSignals queue;
  queue.add(info(SIGHUP));
  queue.add(info(SIGTERM));
  EXPECT_EQ(drain(queue, ~signal_bit(SIGHUP)), (std::vector<int>{SIGTERM}));
  queue.discard(signal_bit(SIGHUP));
  EXPECT_EQ(queue.set(), 0U);
  EXPECT_TRUE(queue.queued().empty());
}

TEST(PendingSignals, CountsATimersFurtherExpiriesAsOverruns) {
  PendingSignals queue;
  SignalInfo timer = info(40, SI_TIMER);
  timer.set32(SignalInfo::kTimerId, 3);
  timer.set32(SignalInfo::kOverrun, 2);
  queue.add(timer);
  queue.add(timer);
  SignalInfo other = timer;
  other.set32(SignalInfo::kTimerId, 4);
  queue.add(other);
  SignalInfo out;
  ASSERT_TRUE(queue.take(~SignalSet{0}, out));
  EXPECT_EQ(out.get32(SignalInfo::kTimerId), 3U);
  EXPECT_EQ(out.get32(SignalInfo::kOverrun), 5U);
  ASSERT_TRUE(queue.take(~SignalSet{0}, out));
  EXPECT_EQ(out.get32(SignalInfo::kTimerId), 4U);
  EXPECT_FALSE(queue.take(~SignalSet{0}, out));
}

}  // namespace
}  // namespace orrery::kernel
