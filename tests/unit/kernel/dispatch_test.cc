// Dispatch: rows and handlers agree, refusals are said once, the unknown is loud.
#include <linux/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>
#include <sstream>

#include "guest_fixture.h"

namespace orrery::kernel {
namespace {

using DispatchTest = GuestTest;

TEST(Dispatch, EveryAnsweredRowHasAHandlerAndNoOther) {
  for (const abi::SyscallRow& row : abi::syscall_rows()) {
    if (row.name == nullptr) continue;
    EXPECT_EQ(has_handler(row.number), row.answer == abi::Answer::kernel) << row.name;
  }
}

TEST_F(DispatchTest, UnknownNumbersAreLoudOnce) {
  EXPECT_EQ(perform_system_call(process, task(), 470, {}), -ENOSYS);
  EXPECT_EQ(perform_system_call(process, task(), 470, {}), -ENOSYS);
  ASSERT_EQ(report.lines.size(), 1u);
  EXPECT_NE(report.lines[0].find("470"), std::string::npos);
  EXPECT_EQ(perform_system_call(process, task(), ~u64{0}, {}), -ENOSYS);
}

TEST_F(DispatchTest, RefusalsSayWhyOnce) {
  EXPECT_EQ(call("ptrace", 0, 0, 0, 0), -EPERM);
  EXPECT_EQ(call("ptrace", 0, 0, 0, 0), -EPERM);
  EXPECT_EQ(call("io_uring_setup", 0, 0), -ENOSYS);
  constexpr u64 kVm = 0x100;  // a process beside its maker, in the same memory
  EXPECT_EQ(call("clone", kVm, 0, 0, 0, 0), -ENOSYS);
  EXPECT_EQ(report.lines.size(), 3u);
  EXPECT_TRUE(spy.calls.empty()) << "a refused call reached the host";
}

TEST_F(DispatchTest, RegistersCarryTheCall) {
  using cpu::Gpr;
  cpu::Registers& regs = task().cpu.regs;
  regs[Gpr::rax] = 39;
  system_call(process, task());
  EXPECT_EQ(regs[Gpr::rax], 4242u);
  EXPECT_EQ(task().call.number, 39);
  regs[Gpr::rax] = 186;
  system_call(process, task());
  EXPECT_EQ(regs[Gpr::rax], 4242u);
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(DispatchTest, LimitsBelongToTheProcess) {
  EXPECT_EQ(call("getrlimit", RLIMIT_NOFILE, page), 0);
  rlimit limit;
  std::memcpy(&limit, memory(), sizeof limit);
  EXPECT_EQ(limit.rlim_cur, 1024u);
  limit = {.rlim_cur = 100, .rlim_max = kEngineFirst + 1};
  std::memcpy(memory(), &limit, sizeof limit);
  process.credentials.euid = 1000;
  EXPECT_EQ(call("setrlimit", RLIMIT_NOFILE, page), -EPERM);
  limit.rlim_max = 200;
  std::memcpy(memory(), &limit, sizeof limit);
  EXPECT_EQ(call("prlimit64", 0, RLIMIT_NOFILE, page, page + 64), 0);
  EXPECT_EQ(process.limits[RLIMIT_NOFILE].soft, 100u);
  EXPECT_EQ(call("prlimit64", 1, RLIMIT_NOFILE, 0, page), -ESRCH);
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(DispatchTest, SleepsGoOnForWhatIsLeft) {
  const timespec nap{2, 0};
  std::memcpy(memory(), &nap, sizeof nap);
  spy.answer(-EINTR);
  spy.answer(0);
  spy.deliver(SIGWINCH);  // ignored by default
  EXPECT_EQ(call("nanosleep", page, 0), 0);
  EXPECT_EQ(spy.calls.size(), 2u);
  spy.answer(-EINTR);
  spy.deliver(SIGTERM);
  EXPECT_EQ(call("nanosleep", page, page + 64), -516);  // ERESTART_RESTARTBLOCK
  EXPECT_NE(task().restart.number, 0u);
  spy.answer(0);
  EXPECT_EQ(call("restart_syscall"), 0);
  EXPECT_EQ(spy.last().number, static_cast<u32>(abi::find_syscall("clock_nanosleep")->number));
  EXPECT_EQ(spy.last().args[1], 1u);  // to the deadline
  EXPECT_EQ(call("restart_syscall"), -EINTR);
}

TEST_F(DispatchTest, NamesAndBasesAreTheTasks) {
  text(0, "worker");
  EXPECT_EQ(call("prctl", PR_SET_NAME, page), 0);
  EXPECT_EQ(call("prctl", PR_GET_NAME, page + 100), 0);
  EXPECT_STREQ(memory(100), "worker");
  EXPECT_EQ(call("arch_prctl", 0x1002, 0x7000), 0);
  EXPECT_EQ(task().cpu.regs.fs_base, 0x7000u);
  EXPECT_EQ(call("arch_prctl", 0x1002, ~u64{0}), -EPERM);
  EXPECT_EQ(call("arch_prctl", 0x3001, 0), -EINVAL);
}

}  // namespace
}  // namespace orrery::kernel
