// Instructions counted by a replay, against the kernel's single steps through the same program run natively.
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <chrono>
#include <map>

#include "recorded_session.h"

namespace orrery::testing {
namespace {

using machine::StopReason;

/// The program run natively, a step at a time.
class Stepped {
 public:
  explicit Stepped(const std::string& program, const std::string& argument) {
    pid_ = fork();
    if (pid_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
      execl(program.c_str(), program.c_str(), argument.c_str(), nullptr);
      _exit(127);
    }
    waitpid(pid_, &status_, 0);
  }
  ~Stepped() {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
  }

  /// Runs to `address` by a breakpoint of its own.
  void run_to(u64 address) {
    const long word = ptrace(PTRACE_PEEKTEXT, pid_, address, nullptr);
    ptrace(PTRACE_POKETEXT, pid_, address, (word & ~0xffL) | 0xcc);
    ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    waitpid(pid_, &status_, 0);
    ptrace(PTRACE_POKETEXT, pid_, address, word);
    user_regs_struct regs = registers();
    EXPECT_EQ(regs.rip, address + 1);
    regs.rip = address;
    ptrace(PTRACE_SETREGS, pid_, nullptr, &regs);
  }

  /// Instructions done on the way to `address`. A stop for a signal, and the one at the beginning of its
  /// handler, is for no instruction; that of a repeated string instruction with elements left is for a part
  /// of one.
  u64 steps_to(u64 address) {
    u64 steps = 0;
    long signal = 0;
    u64 pc = registers().rip;
    while (pc != address) {
      ptrace(PTRACE_SINGLESTEP, pid_, nullptr, signal);
      waitpid(pid_, &status_, 0);
      if (!WIFSTOPPED(status_)) return 0;
      const bool delivered = signal != 0;
      signal = WSTOPSIG(status_) == SIGTRAP ? 0 : WSTOPSIG(status_);
      const u64 now = registers().rip;
      if (!delivered && signal == 0 && now != pc) ++steps;
      pc = now;
    }
    return steps;
  }

 private:
  user_regs_struct registers() {
    user_regs_struct regs{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &regs);
    return regs;
  }

  pid_t pid_;
  int status_ = 0;
};

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
