// Delivery by rule, and the frame against the real kernel's: a native handler looks at its own frame, and
// ours must agree with it in everything but the values.
#include "kernel/signal.h"

#include <cpuid.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>

#include "kernel/restart.h"
#include "kernel/signal_frame.h"
#include "started_kernel.h"

namespace orrery::kernel {
namespace {

using cpu::Gpr;

constexpr u64 kHandler = 0x12345678, kRestorer = 0x87654321;
constexpr u64 kSaRestorer = 0x0400'0000;

class SignalTest : public StartedKernel {
 protected:
  void SetUp() override { ASSERT_EQ(start("/bin/true"), 0); }

  void handle(int number, u64 flags = 0, SignalSet mask = 0) {
    process().action(number) = {kHandler, flags | kSaRestorer, kRestorer, mask};
  }
  void send(int number) { send_to_process(process(), SignalInfo::from_sender(number, SI_USER, 1, 2)); }
  bool in_handler() { return task().cpu.regs.rip == kHandler; }
  ucontext_t* context() { return reinterpret_cast<ucontext_t*>(task().cpu.regs[Gpr::rdx]); }
  i64 rax() { return static_cast<i64>(task().cpu.regs[Gpr::rax]); }
  /// As if a call had just ended so.
  void call_ended(u64 number, i64 result) {
    task().call.number = static_cast<i64>(number);
    task().cpu.regs[Gpr::rax] = static_cast<u64>(result);
    task().cpu.regs.rip = 0x1002;
  }
};

TEST_F(SignalTest, EntersAHandlerAndReturns) {
  handle(SIGUSR1, SA_SIGINFO, signal_bit(SIGUSR2));
  const cpu::Registers before = task().cpu.regs;
  send(SIGUSR1);
  deliver_signals(task());
  ASSERT_TRUE(in_handler());
  EXPECT_EQ(task().cpu.regs[Gpr::rdi], static_cast<u64>(SIGUSR1));
  EXPECT_EQ(task().cpu.regs[Gpr::rsp] % 16, 8U);
  EXPECT_EQ(*reinterpret_cast<u64*>(task().cpu.regs[Gpr::rsp]), kRestorer);
  const auto* info = reinterpret_cast<siginfo_t*>(task().cpu.regs[Gpr::rsi]);
  EXPECT_EQ(info->si_signo, SIGUSR1);
  EXPECT_EQ(info->si_uid, 2U);
  EXPECT_EQ(task().blocked, signal_bit(SIGUSR1) | signal_bit(SIGUSR2));
  EXPECT_EQ(context()->uc_mcontext.gregs[REG_RIP], static_cast<greg_t>(before.rip));

  task().cpu.regs[Gpr::rsp] += 8;  // the handler's ret
  ASSERT_TRUE(leave_handler(task()));
  EXPECT_EQ(std::memcmp(&task().cpu.regs, &before, sizeof before), 0);
  EXPECT_EQ(task().blocked, 0U);
}

TEST_F(SignalTest, StacksFramesOfSeveralSignals) {
  handle(SIGUSR1);
  handle(SIGUSR2);
  send(SIGUSR2);
  send(SIGUSR1);
  deliver_signals(task());
  // SIGUSR1 is taken first, so SIGUSR2's handler runs first and returns into SIGUSR1's.
  EXPECT_EQ(task().cpu.regs[Gpr::rdi], static_cast<u64>(SIGUSR2));
  EXPECT_EQ(context()->uc_mcontext.gregs[REG_RIP], static_cast<greg_t>(kHandler));
  EXPECT_EQ(context()->uc_mcontext.gregs[REG_RDI], SIGUSR1);
}

TEST_F(SignalTest, SettlesInterruptedCalls) {
  struct Case {
    RestartRule rule;
    u64 flags;
    bool handled;
    i64 wanted_rax;
    u64 wanted_rip;
  };
  constexpr u64 kRestart = SA_RESTART;
  const Case cases[] = {
      {RestartRule::never, kRestart, true, -EINTR, 0x1002},
      {RestartRule::if_sa_restart, 0, true, -EINTR, 0x1002},
      {RestartRule::if_sa_restart, kRestart, true, 23, 0x1000},
      {RestartRule::if_sa_restart, 0, false, 23, 0x1000},
      {RestartRule::always, 0, true, 23, 0x1000},
      {RestartRule::always, 0, false, 23, 0x1000},
      {RestartRule::no_handler, kRestart, true, -EINTR, 0x1002},
      {RestartRule::no_handler, 0, false, 23, 0x1000},
      {RestartRule::block, kRestart, true, -EINTR, 0x1002},
      {RestartRule::block, 0, false, 219, 0x1000},
  };
  for (const Case& c : cases) {
    call_ended(23, restart_result(c.rule));
    handle(SIGUSR1, c.flags);
    if (c.handled) send(SIGUSR1);
    deliver_signals(task());
    ASSERT_EQ(in_handler(), c.handled);
    if (c.handled) {
      task().cpu.regs[Gpr::rsp] += 8;
      ASSERT_TRUE(leave_handler(task()));
    }
    EXPECT_EQ(rax(), c.wanted_rax) << static_cast<int>(c.rule);
    EXPECT_EQ(task().cpu.regs.rip, c.wanted_rip) << static_cast<int>(c.rule);
  }
}

TEST_F(SignalTest, TakesDefaultActions) {
  for (const int number : {SIGCHLD, SIGWINCH, SIGURG, SIGCONT}) send(number);
  deliver_signals(task());
  EXPECT_FALSE(kernel.ended());
  send(SIGTERM);
  deliver_signals(task());
  ASSERT_TRUE(kernel.ended());
  EXPECT_EQ(kernel.fatal_signal(), SIGTERM);
  EXPECT_FALSE(process().exit->core_dumped);
}

TEST_F(SignalTest, ForcesFaultsThroughBlocksAndIgnores) {
  process().action(SIGSEGV).handler = kHandlerIgnore;
  kernel.fault(task(),
               {.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 16, .error_code = 4, .trap_number = 14});
  kernel.prepare_to_run();
  ASSERT_TRUE(kernel.ended());
  EXPECT_EQ(kernel.fatal_signal(), SIGSEGV);
  EXPECT_TRUE(process().exit->core_dumped);
}

TEST_F(SignalTest, GivesSegvWhenTheStackCannotTakeTheFrame) {
  handle(SIGUSR1);
  task().cpu.regs[Gpr::rsp] = 4096;
  send(SIGUSR1);
  deliver_signals(task());
  ASSERT_TRUE(kernel.ended());
  EXPECT_EQ(kernel.fatal_signal(), SIGSEGV);
}

TEST_F(SignalTest, StopAndContinueCancelEachOther) {
  task().blocked = signal_bit(SIGTSTP) | signal_bit(SIGCONT);
  send(SIGTSTP);
  send(SIGCONT);
  EXPECT_EQ(pending_signals(task()), signal_bit(SIGCONT));
  send(SIGTTIN);
  EXPECT_EQ(pending_signals(task()), signal_bit(SIGTTIN));
  process().pending.discard(~SignalSet{0});
}

TEST_F(SignalTest, AbortsARestartableSequence) {
  struct alignas(32) Area {
    u32 cpu_start, cpu;
    u64 section;
    u32 flags, node, more[2];
  };
  struct alignas(32) Section {
    u32 version, flags;
    u64 start, length, abort;
  };
  const i64 page = space().mmap(
      {.size_bytes = 4096, .protection = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE | MAP_ANONYMOUS});
  ASSERT_GT(page, 0);
  const u64 at = static_cast<u64>(page);
  constexpr u32 kSignature = 0x53053053;
  const Section section{0, 0, 0x5000, 0x20, at + 0x104};
  const Area area{0, 0, at + 0x80, 0, 0, {}};
  ASSERT_TRUE(space().write_value(at, area));
  ASSERT_TRUE(space().write_value(at + 0x80, section));
  ASSERT_TRUE(space().write_value(at + 0x100, kSignature));
  task().rseq = {.address = at, .size_bytes = 32, .signature = kSignature};
  task().cpu.regs.rip = 0x5010;
  handle(SIGUSR1);
  send(SIGUSR1);
  deliver_signals(task());
  ASSERT_TRUE(in_handler());
  EXPECT_EQ(context()->uc_mcontext.gregs[REG_RIP], page + 0x104);
  u64 cleared = 1;
  ASSERT_TRUE(space().read_value(at + 8, cleared));
  EXPECT_EQ(cleared, 0U);
}

// --- against the real kernel ---

struct NativeFrame {
  u64 flags = 0, link = 1, image_to_frame = 0, info_offset = 0, stack_flags = 0;
  u16 cs = 0, ss = 0;
  u32 magic1 = 0, extended = 0, size = 0, magic2 = 0;
} native;

void look(int, siginfo_t* info, void* raw) {
  const auto* uc = static_cast<const ucontext_t*>(raw);
  const auto image = reinterpret_cast<u64>(uc->uc_mcontext.fpregs);
  native.flags = uc->uc_flags;
  native.link = reinterpret_cast<u64>(uc->uc_link);
  native.info_offset = reinterpret_cast<u64>(info) - reinterpret_cast<u64>(uc);
  native.image_to_frame = image - (reinterpret_cast<u64>(uc) - 8);
  native.stack_flags = static_cast<u64>(uc->uc_stack.ss_flags);
  const auto selectors = static_cast<u64>(uc->uc_mcontext.gregs[REG_CSGSFS]);
  native.cs = static_cast<u16>(selectors);
  native.ss = static_cast<u16>(selectors >> 48);
  const auto* software = reinterpret_cast<const u32*>(image + 464);
  native.magic1 = software[0];
  native.extended = software[1];
  native.size = software[4];
  std::memcpy(&native.magic2, reinterpret_cast<const void*>(image + native.size), 4);
}

TEST_F(SignalTest, BuildsTheRealKernelsFrame) {
  struct sigaction action = {}, old = {};
  action.sa_sigaction = look;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &action, &old);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &old, nullptr);
  if (native.magic1 != 0x46505853) GTEST_SKIP() << "this kernel does not use XSAVE";

  handle(SIGUSR1, SA_SIGINFO);
  send(SIGUSR1);
  deliver_signals(task());
  ASSERT_TRUE(in_handler());
  const NativeFrame real = native;
  look(0, reinterpret_cast<siginfo_t*>(task().cpu.regs[Gpr::rsi]), context());
  EXPECT_EQ(native.flags, real.flags);
  EXPECT_EQ(native.link, real.link);
  EXPECT_EQ(native.info_offset, real.info_offset);
  EXPECT_EQ(native.cs, real.cs);
  EXPECT_EQ(native.ss, real.ss);
  EXPECT_EQ(native.magic1, real.magic1);
  EXPECT_EQ(native.magic2, real.magic2);
  EXPECT_EQ(native.extended - native.size, real.extended - real.size);
  EXPECT_EQ(native.size, process().configuration.xsave_bytes);
  // Without an alternate stack the kernel says 0 or SS_DISABLE: exec leaves the flags as the program's
  // ancestors had them (setup_new_exec(), fs/exec.c), and only threads are given SS_DISABLE.
  EXPECT_EQ(native.stack_flags, u64{SS_DISABLE});
  EXPECT_EQ(real.stack_flags & ~u64{SS_DISABLE}, 0U);
  EXPECT_GE(native.image_to_frame, 440U);
  EXPECT_LT(native.image_to_frame, 440U + 64 + 16);
}

TEST_F(SignalTest, PromisesTheRealKernelsFrameSize) {
  constexpr u64 kAtMinsigstksz = 51;
  const u64 real = getauxval(kAtMinsigstksz);
  if (real == 0) GTEST_SKIP() << "this kernel does not say";
  u32 eax, ebx, ecx, edx;
  __cpuid_count(13, 0, eax, ebx, ecx, edx);
  Configuration configuration;
  configuration.xcr0 = u64{edx} << 32 | eax;
  configuration.xsave_bytes = ecx;  // the most this CPU's features can need; the kernel enables them all
  const u64 ours = signal_frame_bytes_most(configuration);
  configuration.xsave_bytes = ebx;
  EXPECT_TRUE(ours == real || signal_frame_bytes_most(configuration) == real)
      << ours << " or " << signal_frame_bytes_most(configuration) << ", real " << real;
}

}  // namespace
}  // namespace orrery::kernel
