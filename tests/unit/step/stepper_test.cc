// The stepper's own part: control transfers, ticks, stops and exits, on small programs whose outcome is
// known from the manual. What single instructions compute is proven in tests/differential.
#include "step/stepper.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstring>
#include <initializer_list>
#include <vector>

namespace orrery::step {
namespace {

using cpu::ExitKind;
using cpu::Gpr;

constexpr u64 kCode = 0x2100'0000, kStack = 0x2200'0000, kStackTop = kStack + kPageBytes;

/// Maps for real what the address space asks for.
class Pages final : public memory::Backend {
 public:
  i64 map(const memory::MapRequest& r) override {
    void* at =
        mmap(reinterpret_cast<void*>(r.address), r.size_bytes, r.protection, r.flags | MAP_FIXED, -1, 0);
    return at == MAP_FAILED ? -1 : 0;
  }
  i64 unmap(u64 address, u64 bytes) override { return munmap(reinterpret_cast<void*>(address), bytes); }
  i64 protect(u64 address, u64 bytes, int protection) override {
    return mprotect(reinterpret_cast<void*>(address), bytes, protection);
  }
  i64 move(u64, u64, u64, u64) override { return -1; }
  i64 discard(u64, u64) override { return -1; }
};

class StepperTest : public testing::Test {
 protected:
  StepperTest() : space_(pages_), stepper_(space_, scratch(), {all_features()}) {
    map(kCode, PROT_READ | PROT_WRITE | PROT_EXEC);
    map(kStack, PROT_READ | PROT_WRITE);
    cpu_.regs.rip = kCode;
    cpu_.regs[Gpr::rsp] = kStackTop - 64;
  }
  ~StepperTest() override {
    space_.munmap(kCode, kPageBytes);
    space_.munmap(kStack, kPageBytes);
  }

  void map(u64 address, int protection) {
    memory::AddressSpace::MmapArguments arguments;
    arguments.address = address;
    arguments.size_bytes = kPageBytes;
    arguments.protection = protection;
    arguments.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    ASSERT_EQ(space_.mmap(arguments), static_cast<i64>(address));
  }
  static u8* scratch() {
    static u8* area = static_cast<u8*>(
        mmap(nullptr, kScratchBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return area;
  }
  static x86::FeatureSet all_features() {
    x86::FeatureSet features;
    for (int i = 0; i < x86::kFeatureCount; ++i) features.add(static_cast<x86::Feature>(i));
    return features;
  }
  void code(std::initializer_list<u8> bytes, u64 offset = 0) {
    std::memcpy(reinterpret_cast<void*>(kCode + offset), std::data(bytes), bytes.size());
  }
  cpu::Exit run(const cpu::RunLimits& limits = {}) { return stepper_.run(cpu_, limits); }
  u64& reg(Gpr number) { return cpu_.regs[number]; }

  Pages pages_;
  memory::AddressSpace space_;
  Stepper stepper_;
  cpu::CpuState cpu_;
};

TEST_F(StepperTest, ASyscallStopsBehindItself) {
  code({0xb8, 39, 0, 0, 0, 0x0f, 0x05});  // mov eax, 39; syscall
  const cpu::Exit exit = run();
  EXPECT_EQ(int(exit.kind), int(ExitKind::syscall));
  EXPECT_EQ(cpu_.regs.rip, kCode + 7);
  EXPECT_EQ(reg(Gpr::rax), 39u);
  EXPECT_EQ(reg(Gpr::rcx), 0u) << "rcx is the kernel's to change";
  EXPECT_EQ(cpu_.ticks, 0u);
}

TEST_F(StepperTest, AGatedInstructionStopsBeforeItself) {
  code({0x90, 0x0f, 0xa2});
  const cpu::Exit exit = run();
  EXPECT_EQ(int(exit.kind), int(ExitKind::gated));
  EXPECT_EQ(int(exit.gate), int(cpu::Gate::cpuid));
  EXPECT_EQ(exit.instruction_bytes, 2);
  EXPECT_EQ(cpu_.regs.rip, kCode + 1);
}

TEST_F(StepperTest, BackwardJumpsTickAndForwardJumpsDoNot) {
  // mov ecx, 5; 1: jmp 2f; 2: dec ecx; jnz 1b; syscall
  code({0xb9, 5, 0, 0, 0, 0xeb, 0x00, 0xff, 0xc9, 0x75, 0xfa, 0x0f, 0x05});
  run();
  EXPECT_EQ(cpu_.ticks, 4u);
  EXPECT_EQ(reg(Gpr::rcx), 0u);
}

TEST_F(StepperTest, AJumpToItselfTicks) {
  code({0xeb, 0xfe});
  const cpu::Exit exit = run({.stop_at_tick = 1000});
  EXPECT_EQ(int(exit.kind), int(ExitKind::tick_reached));
  EXPECT_EQ(cpu_.regs.rip, kCode);
  EXPECT_EQ(cpu_.ticks, 1000u);
}

TEST_F(StepperTest, LoopsCountDown) {
  code({0xb9, 3, 0, 0, 0, 0xe2, 0xfe, 0xe3, 0x01, 0xcc, 0x0f,
        0x05});  // loop to itself; jrcxz over int3; syscall
  const cpu::Exit exit = run();
  EXPECT_EQ(int(exit.kind), int(ExitKind::syscall));
  EXPECT_EQ(cpu_.ticks, 2u);
  EXPECT_EQ(reg(Gpr::rcx), 0u);
}

TEST_F(StepperTest, CallsAndReturnsTickAndPushTheGuestsAddress) {
  // call f; syscall; f: ret
  code({0xe8, 2, 0, 0, 0, 0x0f, 0x05, 0xc3});
  run();
  EXPECT_EQ(cpu_.regs.rip, kCode + 7);
  EXPECT_EQ(cpu_.ticks, 2u);
  EXPECT_EQ(reg(Gpr::rsp), kStackTop - 64);
  u64 pushed;
  std::memcpy(&pushed, reinterpret_cast<void*>(kStackTop - 72), 8);
  EXPECT_EQ(pushed, kCode + 5);
}

TEST_F(StepperTest, IndirectTransfersReachTheirTargets) {
  // jmp [rip + 0]; dq kCode + 32   |   32: mov eax, kCode + 48; call rax; syscall   |   48: ret 8
  code({0xff, 0x25, 0, 0, 0, 0});
  const u64 target = kCode + 32;
  std::memcpy(reinterpret_cast<void*>(kCode + 6), &target, 8);
  code({0xb8, 48, 0, 0, 0x21, 0xff, 0xd0, 0x0f, 0x05}, 32);
  code({0xc2, 8, 0}, 48);
  run();
  EXPECT_EQ(cpu_.regs.rip, kCode + 41);
  EXPECT_EQ(cpu_.ticks, 3u);
  EXPECT_EQ(reg(Gpr::rsp), kStackTop - 56);
}

TEST_F(StepperTest, StopsAtTheAskedTickWithRipAtTheTarget) {
  code({0xe8, 2, 0, 0, 0, 0x0f, 0x05, 0xc3});
  const cpu::Exit exit = run({.stop_at_tick = 1});
  EXPECT_EQ(int(exit.kind), int(ExitKind::tick_reached));
  EXPECT_EQ(cpu_.regs.rip, kCode + 7);
  EXPECT_EQ(int(run().kind), int(ExitKind::syscall));
}

TEST_F(StepperTest, AStopRequestIsTakenAtTheNextTick) {
  code({0x90, 0x90, 0xeb, 0xfc});
  stepper_.request_stop();
  const cpu::Exit exit = run();
  EXPECT_EQ(int(exit.kind), int(ExitKind::interrupted));
  EXPECT_EQ(cpu_.ticks, 1u);
  EXPECT_EQ(cpu_.regs.rip, kCode);
}

TEST_F(StepperTest, ATransferToNoAddressFaultsBeforeItDoesAnything) {
  code({0xc3});
  const u64 bad = 0x4141'4141'4141'4141;
  std::memcpy(reinterpret_cast<void*>(reg(Gpr::rsp)), &bad, 8);
  const cpu::Exit exit = run();
  EXPECT_EQ(int(exit.kind), int(ExitKind::fault));
  EXPECT_EQ(exit.fault.signal, SIGSEGV);
  EXPECT_EQ(exit.fault.trap_number, 13u);
  EXPECT_EQ(cpu_.regs.rip, kCode);
  EXPECT_EQ(reg(Gpr::rsp), kStackTop - 64);
  EXPECT_EQ(cpu_.ticks, 0u);
}

TEST_F(StepperTest, AFetchThatRunsOffItsPageFaultsAtTheNextPage) {
  code({0x48, 0xb8, 1, 2}, kPageBytes - 4);  // mov rax, imm64, cut
  cpu_.regs.rip = kCode + kPageBytes - 4;
  const cpu::Exit exit = run();
  EXPECT_EQ(exit.fault.signal, SIGSEGV);
  EXPECT_EQ(exit.fault.code, SEGV_MAPERR);
  EXPECT_EQ(exit.fault.address, kCode + kPageBytes);
  EXPECT_EQ(exit.fault.error_code, 0x14u);
  EXPECT_EQ(cpu_.regs.rip, kCode + kPageBytes - 4);
}

TEST_F(StepperTest, DataCannotBeExecuted) {
  cpu_.regs.rip = kStack;
  const cpu::Exit exit = run();
  EXPECT_EQ(exit.fault.code, SEGV_ACCERR);
  EXPECT_EQ(exit.fault.error_code, 0x15u);
}

TEST_F(StepperTest, TrapsAreReportedAsTheKernelDoes) {
  struct Case {
    std::initializer_list<u8> bytes;
    int signal, code;
    u64 error_code;
  };
  const Case cases[] = {{{0xcc}, SIGTRAP, SI_KERNEL, 0},
                        {{0x0f, 0x0b}, SIGILL, ILL_ILLOPN, 0},
                        {{0xf4}, SIGSEGV, SI_KERNEL, 0},
                        {{0xcd, 0x21}, SIGSEGV, SI_KERNEL, 0x10a},
                        {{0x06}, SIGILL, ILL_ILLOPN, 0}};
  for (const Case& c : cases) {
    code(c.bytes);
    const cpu::Exit exit = run();
    EXPECT_EQ(int(exit.kind), int(ExitKind::fault));
    EXPECT_EQ(exit.fault.signal, c.signal);
    EXPECT_EQ(exit.fault.code, c.code);
    EXPECT_EQ(exit.fault.error_code, c.error_code);
    EXPECT_EQ(cpu_.regs.rip, kCode) << "the machine moves rip behind a trap";
  }
}

TEST_F(StepperTest, WhatTheProfileLacksIsUndefined) {
  x86::FeatureSet base;
  base.add(x86::Feature::base);
  Stepper old(space_, scratch(), {base});
  code({0xf3, 0x0f, 0xb8, 0xc0});  // popcnt eax, eax
  const cpu::Exit exit = old.run(cpu_, {});
  EXPECT_EQ(exit.fault.signal, SIGILL);
  EXPECT_EQ(exit.fault.address, kCode);
}

TEST_F(StepperTest, RipRelativeOperandsMeanTheGuestsAddress) {
  // lea rsi, [rip + 0x10]; mov rdi, [rip + 0x100 - 14]; syscall
  code({0x48, 0x8d, 0x35, 0x10, 0, 0, 0, 0x48, 0x8b, 0x3d, 0xf2, 0, 0, 0, 0x0f, 0x05});
  const u64 value = 0x1122'3344'5566'7788;
  std::memcpy(reinterpret_cast<void*>(kCode + 0x100), &value, 8);
  reg(Gpr::rbp) = 7;
  run();
  EXPECT_EQ(reg(Gpr::rsi), kCode + 7 + 0x10);
  EXPECT_EQ(reg(Gpr::rdi), value);
  EXPECT_EQ(reg(Gpr::rbp), 7u);
}

TEST_F(StepperTest, CodeThatChangesItselfRunsAsChanged) {
  // mov byte [rip + 1], 0x7b; mov al, 1; syscall
  code({0xc6, 0x05, 1, 0, 0, 0, 0x7b, 0xb0, 0x01, 0x0f, 0x05});
  run();
  EXPECT_EQ(reg(Gpr::rax), 0x7bu);
}

TEST_F(StepperTest, TheRedZoneIsTheGuests) {
  code({0x90, 0xf8, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x0f, 0x05});
  std::memset(reinterpret_cast<void*>(reg(Gpr::rsp) - 128), 0x5a, 128);
  run();
  for (u64 at = reg(Gpr::rsp) - 128; at < reg(Gpr::rsp); ++at) ASSERT_EQ(*reinterpret_cast<u8*>(at), 0x5a);
}

}  // namespace
}  // namespace orrery::step
