#include <gtest/gtest.h>

#include <vector>

#include "x86/instruction_flow_hosted.h"

namespace orrery::x86 {
namespace {

constexpr u64 kAt = 0x1000;

InstructionFlow flow(const std::vector<u8>& bytes) { return flow_of(bytes, kAt); }

TEST(InstructionFlow, TellsLoadsAndStores) {
  const InstructionFlow load = flow({0x48, 0x8b, 0x47, 0x10});  // mov rax, [rdi + 16]
  EXPECT_EQ(load.kind, FlowKind::load);
  EXPECT_EQ(load.to, 0);
  EXPECT_EQ(load.memory->base, 7);
  EXPECT_EQ(load.memory->displacement, 16);
  EXPECT_EQ(load.memory->size_bytes, 8U);
  const InstructionFlow store = flow({0x4a, 0x89, 0x74, 0xd5, 0xf8});  // mov [rbp + r10 * 8 - 8], rsi
  EXPECT_EQ(store.kind, FlowKind::store);
  EXPECT_EQ(store.from, 6);
  EXPECT_EQ(store.memory->index, 10);
  EXPECT_EQ(store.memory->scale, 8);
  EXPECT_EQ(store.memory->displacement, -8);
}

TEST(InstructionFlow, CountsFromRipToAnAddress) {
  const InstructionFlow address = flow({0x48, 0x8d, 0x05, 0xf9, 0, 0, 0});  // lea rax, [rip + 0xf9]
  EXPECT_EQ(address.kind, FlowKind::address);
  EXPECT_TRUE(address.memory->is_absolute);
  EXPECT_EQ(address.memory->displacement, 0x1100);
}

TEST(InstructionFlow, TakesHalfARegisterForWritten) {
  const InstructionFlow narrow = flow({0x89, 0xf8});  // mov eax, edi
  EXPECT_EQ(narrow.kind, FlowKind::other);
  EXPECT_EQ(narrow.written, 1U << 0);
  EXPECT_EQ(flow({0x48, 0x89, 0xf8}).kind, FlowKind::copy);  // mov rax, rdi
}

TEST(InstructionFlow, SubtractsByAdding) {
  const InstructionFlow less = flow({0x48, 0x83, 0xe8, 0x38});  // sub rax, 0x38
  EXPECT_EQ(less.kind, FlowKind::add);
  EXPECT_EQ(less.immediate, -0x38);
  const InstructionFlow sum = flow({0x48, 0x01, 0xd0});  // add rax, rdx
  EXPECT_EQ(sum.kind, FlowKind::add);
  EXPECT_EQ(sum.from, 2);
}

TEST(InstructionFlow, KnowsWhatLeavesAndWhatPushes) {
  const InstructionFlow jump = flow({0x75, 0x10});  // jne
  EXPECT_EQ(jump.exit, FlowExit::jump_if);
  EXPECT_EQ(*jump.target, kAt + 0x12);
  const InstructionFlow call = flow({0xe8, 0, 1, 0, 0});
  EXPECT_EQ(call.exit, FlowExit::call);
  EXPECT_TRUE(call.pushes);
  EXPECT_FALSE(call.memory);
  EXPECT_TRUE(flow({0xc3}).pops);
  EXPECT_EQ(flow({0xc3}).exit, FlowExit::leaves);
  const InstructionFlow pushed = flow({0xff, 0x77, 0x08});  // push [rdi + 8]
  EXPECT_TRUE(pushed.pushes);
  EXPECT_EQ(pushed.memory->base, 7);
}

TEST(InstructionFlow, HasNoOneOperandOfTwo) {
  EXPECT_FALSE(flow({0xa4}).memory);  // movsb
}

}  // namespace
}  // namespace orrery::x86
