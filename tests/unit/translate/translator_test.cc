// Running translated code: results, ticks, stops at every tick, changing code. Integer code only: this
// program is built with SSE, so the guest's vector registers are not its own (tests/differential and the
// guest tests have those).
#include "translate/translator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "guest_memory.h"

namespace orrery::translate {
namespace {

using cpu::ExitKind;
using cpu::Gpr;

// fib(rdi): see the disassembly beside each line group.
constexpr u8 kFib[] = {
    0x48, 0x83, 0xff, 0x02,        // cmp rdi, 2
    0x72, 0x1c,                    // jb base
    0x53, 0x57,                    // push rbx; push rdi
    0x48, 0xff, 0xcf,              // dec rdi
    0xe8, 0xf0, 0xff, 0xff, 0xff,  // call fib
    0x48, 0x89, 0xc3,              // mov rbx, rax
    0x5f,                          // pop rdi
    0x48, 0x83, 0xef, 0x02,        // sub rdi, 2
    0xe8, 0xe3, 0xff, 0xff, 0xff,  // call fib
    0x48, 0x01, 0xd8,              // add rax, rbx
    0x5b, 0xc3,                    // pop rbx; ret
    0x48, 0x89, 0xf8, 0xc3,        // base: mov rax, rdi; ret
};
constexpr u64 kEndOffset = 0x8000;  // a syscall instruction: where the guest's last return leads
constexpr u8 kSyscall[] = {0x0f, 0x05};

u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

class TranslatorTest : public testing::TestWithParam<TickHome> {
 protected:
  TranslatorTest() { memory_.put(kSyscall, kEndOffset); }

  void SetUp() override {
    if (GetParam() == TickHome::vector && !__builtin_cpu_supports("avx512vl"))
      GTEST_SKIP() << "no AVX-512 here";
  }

  cpu::CpuState at(u64 pc, u64 argument) {
    cpu::CpuState cpu;
    cpu.regs.rip = pc;
    cpu.regs[Gpr::rdi] = argument;
    cpu.regs[Gpr::rsp] = memory_.stack_top();
    *reinterpret_cast<u64*>(cpu.regs[Gpr::rsp]) = GuestMemory::kCode + kEndOffset;
    return cpu;
  }

  GuestMemory& memory_ = guest_memory();
  Translator translator_{memory_.space(), {GetParam(), all_features()}};
};

TEST_P(TranslatorTest, ComputesAndCountsEveryTick) {
  cpu::CpuState cpu = at(memory_.put(kFib), 15);
  const cpu::Exit exit = translator_.run(cpu, {});
  EXPECT_EQ(exit.kind, ExitKind::syscall);
  EXPECT_EQ(cpu.regs[Gpr::rax], fib(15));
  EXPECT_EQ(cpu.regs.rip, GuestMemory::kCode + kEndOffset + 2);
  // Each of the 1,973 activations is entered by a call (but the first) and left by a return.
  EXPECT_EQ(cpu.ticks, 2u * 1973 - 1);
}

TEST_P(TranslatorTest, StopsAtEveryTickAndGoesOn) {
  cpu::CpuState whole = at(memory_.put(kFib), 12);
  translator_.run(whole, {});
  cpu::CpuState cpu = at(memory_.put(kFib), 12);
  u64 stops = 0;
  for (;; ++stops) {
    const cpu::Exit exit = translator_.run(cpu, {.stop_at_tick = stops + 1});
    if (exit.kind != ExitKind::tick_reached) break;
    ASSERT_EQ(cpu.ticks, stops + 1);
  }
  EXPECT_EQ(stops, whole.ticks);
  EXPECT_EQ(cpu.regs[Gpr::rax], fib(12));
  EXPECT_EQ(cpu.regs.rflags, whole.regs.rflags);
}

/// A stream that is full after a few blocks, with what cannot be written behind it.
class Stream {
 public:
  explicit Stream(u64 words) : words_(words) {
    base_ = static_cast<u8*>(
        mmap(nullptr, kBytes + kNotesGuardBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + kBytes, kNotesGuardBytes, PROT_NONE);
  }
  ~Stream() { munmap(base_, kBytes + kNotesGuardBytes); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  std::span<u64> span() { return {reinterpret_cast<u64*>(base_ + kBytes) - words_, words_}; }

 private:
  static constexpr u64 kBytes = 1 << 20;
  u8* base_;
  u64 words_;
};

struct Counted {
  u64 reads = 0, writes = 0;
  void block(AccessHeader, const AccessPoint&) {}
  void access(const Access& access) {
    EXPECT_EQ(access.size_bytes, 8u);
    (access.kind == AccessKind::read ? reads : writes) += 1;
  }
};

TEST_P(TranslatorTest, NotesEveryAccess) {
  Stream stream(1 << 17);
  translator_.note(Translator::Noted::accesses, stream.span());
  cpu::CpuState cpu = at(memory_.put(kFib), 15);
  translator_.note_turn(1, 2, 0);
  const cpu::Exit exit = translator_.run(cpu, {});
  ASSERT_EQ(exit.kind, ExitKind::syscall);
  EXPECT_EQ(cpu.regs[Gpr::rax], fib(15));
  EXPECT_EQ(cpu.ticks, 2u * 1973 - 1);
  Counted counted;
  AccessReader reader;
  reader.read(translator_.noted(), translator_.access_points(), counted);
  // Of 1,973 activations 986 push and pop twice and call twice; all return.
  EXPECT_EQ(counted.writes, 986u * 4);
  EXPECT_EQ(counted.reads, 986u * 2 + 1973);
  EXPECT_EQ(reader.ticks, cpu.ticks);
  EXPECT_EQ(reader.task, 1);
}

// In fast and in exact code, while the set changes at each stop.
TEST_P(TranslatorTest, StopsBeforeBreakpointsAndGoesOn) {
  const u64 entry = memory_.put(kFib), add = entry + 0x1d, base = entry + 0x22;
  cpu::CpuState whole = at(entry, 12);
  translator_.run(whole, {});
  for (const u64 far_tick : {~u64{0}, u64{1} << 40}) {
    cpu::CpuState cpu = at(entry, 12);
    u64 entries = 0, adds = 0, bases = 0, skipped = 0;
    cpu::RunLimits limits{.stop_at_tick = far_tick};
    translator_.add_breakpoints(std::vector{entry, add, base});
    while (translator_.run(cpu, limits).kind == ExitKind::breakpoint) {
      limits.past_breakpoint = true;
      ++(cpu.regs.rip == entry ? entries : cpu.regs.rip == add ? adds : bases);
      // Without those of the bases at every other entry.
      if (cpu.regs.rip != entry) continue;
      if (entries % 2 == 0)
        translator_.remove_breakpoints(std::vector{base});
      else
        translator_.add_breakpoints(std::vector{base});
      if (entries % 2 == 0 && cpu.regs[Gpr::rdi] < 2) ++skipped;
    }
    translator_.remove_breakpoints(std::vector{entry, add, base});
    EXPECT_EQ(entries, 465U);  // activations of fib(12)
    EXPECT_EQ(adds, 232U);
    EXPECT_EQ(bases + skipped, 233U);
    EXPECT_EQ(cpu.regs[Gpr::rax], fib(12));
    EXPECT_EQ(cpu.ticks, whole.ticks);
    EXPECT_EQ(cpu.regs.rflags, whole.regs.rflags);
  }
}

TEST_P(TranslatorTest, RunsNewBytesAfterAChange) {
  constexpr u8 kOne[] = {0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3};  // mov eax, 1; ret
  constexpr u8 kTwo[] = {0xb8, 0x02, 0x00, 0x00, 0x00, 0xc3};
  cpu::CpuState cpu = at(memory_.put(kOne), 0);
  translator_.run(cpu, {});
  EXPECT_EQ(cpu.regs[Gpr::rax], 1u);
  cpu = at(memory_.put(kTwo), 0);
  translator_.run(cpu, {});
  EXPECT_EQ(cpu.regs[Gpr::rax], 2u);
}

TEST_P(TranslatorTest, FetchFaultsWhereNothingIsMapped) {
  constexpr u64 kNowhere = 0x1450'0000'0000;
  cpu::CpuState cpu = at(kNowhere, 0);
  const cpu::Exit exit = translator_.run(cpu, {});
  EXPECT_EQ(exit.kind, ExitKind::fault);
  EXPECT_EQ(exit.fault.address, kNowhere);
  EXPECT_EQ(cpu.regs.rip, kNowhere);
}

TEST_P(TranslatorTest, GatedInstructionsLeaveWithTheirName) {
  constexpr u8 kCpuid[] = {0x90, 0x0f, 0xa2};
  cpu::CpuState cpu = at(memory_.put(kCpuid), 0);
  const cpu::Exit exit = translator_.run(cpu, {});
  EXPECT_EQ(exit.kind, ExitKind::gated);
  EXPECT_EQ(exit.gate, cpu::Gate::cpuid);
  EXPECT_EQ(exit.instruction_bytes, 2);
  EXPECT_EQ(cpu.regs.rip, GuestMemory::kCode + 1);
}

// A program that takes to AVX-512 on the way to a stop: the counter moves, the stop stays where it was.
TEST(Widening, KeepsTheTickToStopAt) {
  if (!__builtin_cpu_supports("avx512f")) GTEST_SKIP() << "no AVX-512 here";
  constexpr u8 kLoopWidenLoop[] = {
      0xb9, 0x05, 0x00, 0x00, 0x00,        // mov ecx, 5
      0xff, 0xc9, 0x75, 0xfc,              // dec ecx; jnz back: four ticks
      0x62, 0xf1, 0xfd, 0x48, 0xef, 0xc0,  // vpxorq zmm0, zmm0, zmm0
      0xb9, 0x05, 0x00, 0x00, 0x00,        // mov ecx, 5
      0xff, 0xc9, 0x75, 0xfc,              // dec ecx; jnz back: four more
      0x0f, 0x05,                          // syscall
  };
  GuestMemory& memory = guest_memory();
  x86::FeatureSet features;
  features.add(x86::Feature::base);
  Translator translator(memory.space(), {.features = features, .may_widen = true});
  cpu::CpuState cpu;
  cpu.regs.rip = memory.put(kLoopWidenLoop);
  cpu.regs[Gpr::rsp] = memory.stack_top();
  EXPECT_EQ(translator.run(cpu, {.stop_at_tick = 6}).kind, ExitKind::tick_reached);
  EXPECT_EQ(cpu.ticks, 6u);
  EXPECT_EQ(cpu.regs[Gpr::rcx], 3u);
}

INSTANTIATE_TEST_SUITE_P(Homes, TranslatorTest, testing::Values(TickHome::vector, TickHome::memory),
                         [](const auto& info) {
                           return info.param == TickHome::vector ? "vector" : "memory";
                         });

}  // namespace
}  // namespace orrery::translate
