// What the short way makes of undefined bits, beside the rules for all instructions, over memory that is a
// map of bytes.
#include "translate/plain_moves.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>
#include <random>

#include "translate/definedness.h"
#include "translate/heap_watch.h"

namespace orrery::translate {
namespace {

constexpr u64 kMemory = memory::layout::kHighWindow.start + 0x10'0000;
constexpr u64 kMemoryBytes = 2 * kPageBytes;

class ByteMemory final : public DefinednessMemory {
 public:
  void load(u64 address, u8* bits, u64 size) override {
    for (u64 at = 0; at < size; ++at) bits[at] = undefined[address + at];
  }
  void store(u64 address, const u8* bits, u64 size) override {
    for (u64 at = 0; at < size; ++at) undefined[address + at] = bits[at];
  }
  void values(u64, u8* bytes, u64 size) override { std::fill_n(bytes, size, u8{0}); }
  const cpu::VectorImage& vectors() override { return image_; }

  std::map<u64, u8> undefined;

 private:
  cpu::VectorImage image_{};
};

class PlainMoves : public testing::Test {
 protected:
  void SetUp() override {
    void* const shadow = reinterpret_cast<void*>(kMemory + kShadowOffset);
    ASSERT_EQ(mmap(shadow, kMemoryBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              shadow);
  }
  void TearDown() override { munmap(reinterpret_cast<void*>(kMemory + kShadowOffset), kMemoryBytes); }

  u64 any() { return random_(); }
  /// Mostly bytes that are defined or undefined as a whole.
  u64 undefined_word() {
    if (any() % 3 == 0) return 0;
    u64 word = 0;
    for (u32 at = 0; at < 64; at += 8) word |= (any() % 2 == 0 ? u64{0xff} : 0) << at;
    return any() % 8 == 0 ? word ^ any() % 7 << any() % 64 : word;
  }
  UndefinedBits undefined_registers() {
    UndefinedBits bits;
    for (u32 n = 0; n < 16; ++n) {
      u64 words[kVectorWords] = {};
      for (u32 i = 0; i < 4; ++i) words[i] = undefined_word();
      bits.set_vector(n, words, any());
      bits.set_gpr(n, undefined_word(), any());
    }
    for (const cpu::Gpr reg : {cpu::Gpr::rsi, cpu::Gpr::rdi, cpu::Gpr::r12})
      bits.set_gpr(static_cast<u32>(reg), 0, 0);
    return bits;
  }
  void both_ways(std::span<const u8> bytes);

  std::mt19937_64 random_{1};
};

void expect_equal(const UndefinedBits& ours, const UndefinedBits& rules) {
  EXPECT_EQ(ours.tainted(), rules.tainted());
  for (u32 n = 0; n < 16; ++n) {
    EXPECT_EQ(ours.gpr(n), rules.gpr(n)) << n;
    EXPECT_EQ(ours.floor(n), rules.floor(n)) << n;
    for (u32 i = 0; i < kVectorWords; ++i) EXPECT_EQ(ours.vector(n)[i], rules.vector(n)[i]) << n;
  }
  for (u32 n = 0; n < RegisterName::kCount; ++n) EXPECT_EQ(ours.origin({n}), rules.origin({n})) << n;
}

void PlainMoves::both_ways(std::span<const u8> bytes) {
  const x86::Decoded decoded = x86::decode(bytes);
  ASSERT_EQ(decoded.length, bytes.size());
  const PlainMove move = plain_move(decoded, bytes);
  ASSERT_NE(move.kind, PlainMove::Kind::none) << decoded.opcode;
  for (int round = 0; round < 300 && !HasFailure(); ++round) {
    cpu::Registers regs{};
    regs[cpu::Gpr::rsi] = kMemory + kPageBytes - 96 + any() % 128;
    regs[cpu::Gpr::rdi] = regs[cpu::Gpr::r12] = any() % 8;
    UndefinedBits ours = undefined_registers(), rules = ours;
    DefinedShadow shadow;
    ByteMemory model;
    for (u64 at = kMemory + kPageBytes - 256; at < kMemory + kPageBytes + 256; at += 8) {
      const u64 word = undefined_word();
      model.store(at, reinterpret_cast<const u8*>(&word), 8);
      for (u64 i = 0; i < 8; ++i) shadow.store(at + i, reinterpret_cast<const u8*>(&word) + i, 1);
    }
    ASSERT_TRUE(step_plain_move(move, regs, ours, shadow));
    EXPECT_EQ(Definedness(rules, model).step(regs, decoded, bytes).kind, UndefinedUse::Kind::none);
    expect_equal(ours, rules);
    for (const auto& [address, undefined] : model.undefined) {
      u8 found = 0;
      shadow.load(address, &found, 1);
      ASSERT_EQ(found, undefined) << "of byte " << address - regs[cpu::Gpr::rsi];
    }
  }
}

TEST_F(PlainMoves, DoWhatTheRulesDo) {
  const std::vector<u8> kMoves[] = {
      {0x8b, 0x04, 0x7e},                    // mov eax, [rsi + rdi*2]
      {0x4e, 0x8b, 0x7c, 0xa6, 0x08},        // mov r15, [rsi + r12*4 + 8]
      {0x89, 0x56, 0xf8},                    // mov [rsi - 8], edx
      {0x4c, 0x89, 0x06},                    // mov [rsi], r8
      {0x0f, 0x10, 0x0e},                    // movups xmm1, [rsi]
      {0x44, 0x0f, 0x28, 0x4e, 0x10},        // movaps xmm9, [rsi + 16]
      {0x66, 0x0f, 0x10, 0x16},              // movupd xmm2, [rsi]
      {0xf3, 0x0f, 0x6f, 0x1e},              // movdqu xmm3, [rsi]
      {0x66, 0x44, 0x0f, 0x6f, 0x3e},        // movdqa xmm15, [rsi]
      {0xf3, 0x0f, 0x7e, 0x26},              // movq xmm4, [rsi]
      {0x0f, 0x11, 0x2e},                    // movups [rsi], xmm5
      {0x0f, 0x29, 0x36},                    // movaps [rsi], xmm6
      {0xf3, 0x44, 0x0f, 0x7f, 0x46, 0x10},  // movdqu [rsi + 16], xmm8
      {0x66, 0x0f, 0xd6, 0x3e},              // movq [rsi], xmm7
      {0xc5, 0xf8, 0x10, 0x06},              // vmovups xmm0, [rsi]
      {0xc5, 0xfe, 0x6f, 0x0c, 0x7e},        // vmovdqu ymm1, [rsi + rdi*2]
      {0xc5, 0x7e, 0x7f, 0x0e},              // vmovdqu [rsi], ymm9
      {0xc5, 0xfa, 0x7e, 0x06},              // vmovq xmm0, [rsi]
      {0xc5, 0xf9, 0xd6, 0x0e},              // vmovq [rsi], xmm1
  };
  for (const std::vector<u8>& bytes : kMoves) both_ways(bytes);
}

TEST_F(PlainMoves, OthersAreNone) {
  const std::vector<u8> kOthers[] = {
      {0x89, 0xd8},              // mov eax, ebx
      {0x66, 0x8b, 0x06},        // mov ax, [rsi]
      {0x64, 0x8b, 0x06},        // mov eax, fs:[rsi]
      {0x03, 0x06},              // add eax, [rsi]
      {0xf3, 0x0f, 0x10, 0x06},  // movss xmm0, [rsi]
      {0x0f, 0x6f, 0x06},        // movq mm0, [rsi]
      {0x66, 0x0f, 0xef, 0x06},  // pxor xmm0, [rsi]
  };
  for (const std::vector<u8>& bytes : kOthers)
    EXPECT_EQ(plain_move(x86::decode(bytes), bytes).kind, PlainMove::Kind::none) << bytes[0];
}

TEST_F(PlainMoves, AnUndefinedAddressIsForTheRules) {
  const std::vector<u8> bytes = {0x8b, 0x04, 0x7e};  // mov eax, [rsi + rdi*2]
  const PlainMove move = plain_move(x86::decode(bytes), bytes);
  for (const cpu::Gpr reg : {cpu::Gpr::rsi, cpu::Gpr::rdi}) {
    UndefinedBits bits;
    bits.set_gpr(static_cast<u32>(reg), 1, 0);
    DefinedShadow shadow;
    EXPECT_FALSE(step_plain_move(move, {}, bits, shadow));
  }
}

TEST_F(PlainMoves, AreTogetherUpToAnAddressThatOneOfThemLoads) {
  const std::vector<u8> code = {0x0f, 0x10, 0x06,        // movups xmm0, [rsi]
                                0x48, 0x8b, 0x0f,        // mov rcx, [rdi]
                                0x0f, 0x11, 0x46, 0x10,  // movups [rsi + 16], xmm0
                                0x48, 0x8b, 0x11,        // mov rdx, [rcx]
                                0x90};
  const std::vector<PlainMove> moves = moves_together(code);
  ASSERT_EQ(moves.size(), 3u);
  EXPECT_EQ(moves[1].guest_offset, 3);
  EXPECT_EQ(moves[2].guest_offset, 6);
}

/// Two blocks of memory are exchanged, which could not be looked at twice.
TEST_F(PlainMoves, ThoseNotExecutedAreAsIfNotLookedAt) {
  const std::vector<u8> code = {0x0f, 0x10, 0x06,        // movups xmm0, [rsi]
                                0x0f, 0x10, 0x4e, 0x10,  // movups xmm1, [rsi + 16]
                                0x48, 0x8b, 0x4e, 0x08,  // mov rcx, [rsi + 8]
                                0x0f, 0x11, 0x46, 0x10,  // movups [rsi + 16], xmm0
                                0x0f, 0x11, 0x0e};       // movups [rsi], xmm1
  const std::vector<PlainMove> moves = moves_together(code);
  ASSERT_EQ(moves.size(), 5u);
  cpu::Registers regs{};
  regs[cpu::Gpr::rsi] = kMemory + kPageBytes - 20;
  for (std::size_t executed = 0; executed <= moves.size(); ++executed) {
    UndefinedBits ours = undefined_registers();
    DefinedShadow shadow;
    u64 before[4], expected[4], found[4];
    for (u64& word : before) word = undefined_word();
    const auto put = [&] { shadow.store(regs[cpu::Gpr::rsi], reinterpret_cast<const u8*>(before), 32); };
    put();
    UndefinedBits wanted = ours;
    for (std::size_t i = 0; i < executed; ++i) step_plain_move(moves[i], regs, wanted, shadow);
    shadow.load(regs[cpu::Gpr::rsi], reinterpret_cast<u8*>(expected), 32);
    put();
    OverwrittenBits overwritten;
    for (const PlainMove& move : moves) {
      overwritten.keep(move, regs, ours, shadow);
      step_plain_move(move, regs, ours, shadow);
    }
    overwritten.give_back_from(executed < moves.size() ? moves[executed].guest_offset : code.size(), ours,
                               shadow);
    shadow.load(regs[cpu::Gpr::rsi], reinterpret_cast<u8*>(found), 32);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(found[i], expected[i]) << executed;
    expect_equal(ours, wanted);
  }
}

}  // namespace
}  // namespace orrery::translate
