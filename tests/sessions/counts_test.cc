// Instructions counted by a replay, against the kernel's single steps through the same program run natively.
#include <chrono>
#include <map>

#include "recorded_session.h"
#include "stepped.h"

namespace orrery::testing {
namespace {

using machine::StopReason;

lens::Stop stop_at(Session& session, u64 address) {
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{address})));
  lens::Stop stop = session.run();
  EXPECT_EQ(stop.reason, StopReason::breakpoint);
  return stop;
}

class Counts : public ::testing::TestWithParam<const char*> {};

TEST_P(Counts, EqualTheStepsOfTheProgramRunNatively) {
  const std::string argument = GetParam();
  const Recorded recorded("static_counted " + argument);
  ASSERT_EQ(recorded.status(), 0);
  const u64 begin = recorded.address("begin"), end = recorded.address("end");
  Stepped native(ORRERY_PROGRAMS "/static_counted", argument);
  native.run_to(begin);
  const u64 steps = native.steps_to(end);

  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
  const u64 before = stop_at(session, begin).instructions;
  EXPECT_GT(before, 1000U);  // the loader's and libc's
  EXPECT_EQ(stop_at(session, end).instructions - before, steps);
  const lens::Stop last = session.run();
  EXPECT_EQ(last.task_instructions, last.instructions);
  EXPECT_TRUE(session.ends_equal());

  const Recorded in_memory("static_counted " + argument, "--cpu host");  // where the count has no register
  Session other(in_memory);
  ASSERT_TRUE(static_cast<bool>(other->count_instructions()));
  const u64 other_before = stop_at(other, begin).instructions;
  EXPECT_EQ(stop_at(other, end).instructions - other_before, steps);

  Session late(recorded);  // counted only from there
  stop_at(late, begin);
  EXPECT_EQ(late->stop().instructions, 0U);
  ASSERT_TRUE(static_cast<bool>(late->count_instructions()));
  EXPECT_EQ(stop_at(late, end).instructions, steps);
  EXPECT_EQ(late.run().instructions, last.instructions - before);
  EXPECT_TRUE(late.ends_equal());
}

// With a stop before each instruction, and so in blocks of one; where the program may use the registers that
// else count. An instruction that faults has a stop and is not counted.
TEST_P(Counts, AreTheSameAtEveryBreakpoint) {
  const Recorded recorded("static_counted " + std::string(GetParam()), "--cpu host");
  const u64 begin = recorded.address("begin"), end = recorded.address("end");
  Session whole(recorded), stopped(recorded);
  ASSERT_TRUE(static_cast<bool>(whole->count_instructions()));
  ASSERT_TRUE(static_cast<bool>(stopped->count_instructions()));
  const u64 first = stop_at(whole, begin).instructions, last = stop_at(whole, end).instructions;
  EXPECT_EQ(stop_at(stopped, begin).instructions, first);
  std::vector<u64> addresses;
  for (u64 at = begin; at < begin + 0x800; ++at) addresses.push_back(at);
  if (end < addresses.front() || end > addresses.back()) addresses.push_back(end);
  ASSERT_TRUE(static_cast<bool>(stopped->set_breakpoints(addresses)));
  u64 count = first;
  while (stopped->stop().pc != end) {
    const lens::Stop stop = stopped.run();
    ASSERT_EQ(stop.reason, StopReason::breakpoint);
    ASSERT_GE(stop.instructions, count);
    count = stop.instructions;
  }
  EXPECT_EQ(count, last);
}

INSTANTIATE_TEST_SUITE_P(Works, Counts,
                         ::testing::Values("loops", "calls", "strings", "system_calls", "signals", "patches",
                                           "stack"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Counts, OfTasksSumUpToTheProcess) {
  const Recorded recorded("threads");
  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{recorded.address("work")})));
  std::map<i32, u64> of_task;
  u64 last = 0;
  for (lens::Stop stop = session.run(); !stop.ended(); stop = session.run()) {
    EXPECT_GT(stop.instructions, last);
    EXPECT_GT(stop.task_instructions, of_task[stop.task]);
    last = stop.instructions;
    of_task[stop.task] = stop.task_instructions;
    u64 sum = 0;
    for (const auto& [task, count] : of_task) sum += count;
    EXPECT_LE(sum, stop.instructions);
  }
  EXPECT_GE(of_task.size(), 4U);
  EXPECT_TRUE(session.ends_equal());
}

}  // namespace
}  // namespace orrery::testing
