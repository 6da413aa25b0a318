// How executors are told to treat instructions: each kind once, byte for byte.
#include <gtest/gtest.h>

#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

#include "x86/cpu_profile.h"
#include "x86/decode.h"
#include "x86/exception.h"
#include "x86/isa_table.h"

namespace orrery::x86 {
namespace {

std::vector<u8> bytes_of(const char* text) {
  std::vector<u8> bytes;
  unsigned byte;
  int used;
  for (; std::sscanf(text, "%x%n", &byte, &used) == 1; text += used) bytes.push_back(static_cast<u8>(byte));
  return bytes;
}

Decoded decoded(const char* text) { return decode(bytes_of(text)); }

struct Case {
  const char* bytes;
  Category category;
};

constexpr Case kCases[] = {
    {"90", Category::copy},
    {"f3 90", Category::copy},
    {"48 8d 05 00 00 00 00", Category::copy},
    {"9b", Category::copy},
    {"d9 e8", Category::copy},
    {"0f 1f 44 00 00", Category::copy},
    {"f3 0f 1e fa", Category::copy},
    {"f3 48 0f 1e c8", Category::copy},
    {"8c d8", Category::copy},
    {"8e d8", Category::copy},
    {"f3 48 0f ae c0", Category::copy},
    {"0f ae f8", Category::copy},
    {"0f ae 38", Category::copy},
    {"66 0f ae 38", Category::copy},
    {"0f 0d 08", Category::copy},
    {"0f 1c 00", Category::copy},
    {"0f c3 00", Category::copy},
    {"f3 0f bc c1", Category::copy},
    {"66 0f 38 f8 00", Category::copy},
    {"f2 a4", Category::copy},
    {"f2 f0 01 00", Category::copy},
    {"62 f1 7c 48 58 c1", Category::copy},
    {"9c", Category::copy},
    {"eb 00", Category::jump},
    {"e9 00 00 00 00", Category::jump},
    {"66 e9 00 00 00 00", Category::jump},
    {"f2 e9 00 00 00 00", Category::jump},
    {"70 00", Category::jump_if},
    {"0f 8f 00 00 00 00", Category::jump_if},
    {"66 0f 84 00 00 00 00", Category::jump_if},
    {"3e 74 00", Category::jump_if},
    {"e0 00", Category::loop},
    {"e2 00", Category::loop},
    {"67 e3 00", Category::loop},
    {"e8 00 00 00 00", Category::call},
    {"66 e8 00 00 00 00", Category::call},
    {"ff 10", Category::call_indirect},
    {"41 ff d3", Category::call_indirect},
    {"ff 25 00 00 00 00", Category::jump_indirect},
    {"3e ff e0", Category::jump_indirect},
    {"c3", Category::ret},
    {"f3 c3", Category::ret},
    {"c2 08 00", Category::ret},
    {"cb", Category::far_transfer},
    {"ca 00 00", Category::far_transfer},
    {"ff 18", Category::far_transfer},
    {"ff 28", Category::far_transfer},
    {"48 cf", Category::far_transfer},
    {"0f 05", Category::syscall},
    {"cc", Category::trap},
    {"cd 03", Category::trap},
    {"f1", Category::trap},
    {"0f 0b", Category::trap},
    {"0f ff c0", Category::trap},
    {"0f b9 c0", Category::trap},
    {"f4", Category::trap},
    {"e4 00", Category::trap},
    {"ee", Category::trap},
    {"f3 6c", Category::trap},
    {"fa", Category::trap},
    {"fb", Category::trap},
    {"0f 01 10", Category::trap},
    {"0f 20 c0", Category::trap},
    {"0f 23 c0", Category::trap},
    {"0f 30", Category::trap},
    {"0f 32", Category::trap},
    {"0f 33", Category::trap},
    {"0f 01 f8", Category::trap},
    {"0f 09", Category::trap},
    {"0f 06", Category::trap},
    {"0f 07", Category::trap},
    {"0f 35", Category::trap},
    {"0f c7 28", Category::trap},
    {"0f 01 d1", Category::trap},
    {"06", Category::invalid},
    {"ce", Category::invalid},
    {"d6", Category::invalid},
    {"9a 00 00 00 00 00 00", Category::invalid},
    {"82 c0 00", Category::invalid},
    {"f0 90", Category::invalid},
    {"f0 01 c0", Category::invalid},
    {"8e c8", Category::invalid},
    {"c7 f8 00 00 00 00", Category::invalid},
    {"0f 01 d5", Category::invalid},
    {"0f 01 d6", Category::invalid},
    {"f3 0f ae e8", Category::invalid},
    {"0f 01 ca", Category::invalid},
    {"0f 01 c8", Category::invalid},
    {"0f 01 c1", Category::invalid},
    {"f3 0f ae f0", Category::invalid},
    {"f3 0f ae 20", Category::invalid},
    {"0f 01 ee", Category::invalid},
    {"0f 01 cf", Category::invalid},
    {"f2 0f 38 f8 00", Category::invalid},
    {"c4 e2 78 49 00", Category::invalid},
    {"0f 0f c1 9e", Category::invalid},
    {"8f e8 78 c2 ec 0e", Category::invalid},
    {"66 c5 f8 58 c1", Category::invalid},
    {"48 c5 f8 58 c1", Category::invalid},
    {"c5 f0 57", Category::invalid},
    {"c4 e2 71 92 04 08", Category::invalid},
};

TEST(Category, OfEachKind) {
  for (const Case& c : kCases) EXPECT_EQ(int(decoded(c.bytes).category), int(c.category)) << c.bytes;
}

TEST(Category, OfEachGate) {
  struct GateCase {
    const char* bytes;
    Gate gate;
  };
  constexpr GateCase kCases[] = {
      {"0f a2", Gate::cpuid},       {"0f 31", Gate::rdtsc},        {"0f 01 f9", Gate::rdtscp},
      {"f3 0f c7 f8", Gate::rdpid}, {"48 0f c7 f0", Gate::rdrand}, {"0f c7 f8", Gate::rdseed},
      {"0f 01 d0", Gate::xgetbv},   {"0f ae 20", Gate::xsave},     {"48 0f ae 20", Gate::xsave},
      {"0f c7 20", Gate::xsavec},   {"0f ae 30", Gate::xsaveopt},  {"48 0f ae 28", Gate::xrstor},
      {"0f ae 00", Gate::fxsave},   {"0f ae 08", Gate::fxrstor},   {"d9 30", Gate::fnstenv},
      {"dd 30", Gate::fnsave},      {"0f 03 c0", Gate::lsl},       {"0f 02 c0", Gate::lar},
      {"0f 00 e0", Gate::verr},     {"0f 00 e8", Gate::verw},      {"0f 01 00", Gate::sgdt},
      {"0f 01 08", Gate::sidt},     {"0f 00 c0", Gate::sldt},      {"0f 00 c8", Gate::str},
      {"0f 01 e0", Gate::smsw},     {"cd 80", Gate::int80},        {"0f 34", Gate::sysenter},
      {"9d", Gate::popf_trap},      {"66 9d", Gate::popf_trap},
  };
  for (const GateCase& c : kCases) {
    EXPECT_EQ(int(decoded(c.bytes).category), int(Category::gated)) << c.bytes;
    EXPECT_EQ(int(decoded(c.bytes).gate), int(c.gate)) << c.bytes;
  }
}

TEST(Decode, Fields) {
  Decoded d = decoded("66 2e 64 67 4c 8b 05 f0 ff ff ff");
  EXPECT_TRUE(d.has_66 && d.has_67 && d.rip_relative);
  EXPECT_EQ(d.segment, 0x64);
  EXPECT_EQ(d.rex, 0x4c);
  EXPECT_EQ(d.prefix_bytes, 5);
  EXPECT_EQ(d.displacement, -16);
  EXPECT_EQ(d.displacement_offset, 7);

  d = decoded("64 3e 8b 00");
  EXPECT_EQ(d.segment, 0x64) << "ds is ignored in 64-bit mode and does not cancel fs";

  d = decoded("48 66 b8 34 12");
  EXPECT_EQ(d.rex, 0) << "REX counts only right before the opcode";
  EXPECT_EQ(d.immediate_bytes, 2);
  EXPECT_EQ(d.immediate, 0x1234);

  d = decoded("48 b8 01 02 03 04 05 06 07 88");
  EXPECT_EQ(d.immediate_bytes, 8);
  EXPECT_EQ(d.immediate, static_cast<i64>(0x8807'0605'0403'0201));

  d = decoded("a1 01 02 03 04 05 06 07 08");
  EXPECT_EQ(d.displacement_bytes, 8);
  EXPECT_EQ(d.immediate, 0x0807'0605'0403'0201);
  EXPECT_EQ(decoded("67 a1 01 02 03 04").length, 6);

  d = decoded("0f 84 fe ff ff ff");
  EXPECT_EQ(d.condition, 4);
  EXPECT_EQ(d.immediate, -2);
  EXPECT_EQ(decoded("e3 80").condition, 3);

  EXPECT_EQ(decoded("f6 04 25 00 00 00 00 01").length, 8) << "test r/m8, imm8";
  EXPECT_EQ(decoded("f6 14 25 00 00 00 00").length, 7) << "not r/m8";
  EXPECT_EQ(decoded("c8 10 00 01").immediate_bytes, 3);
  d = decoded("c4 62 41 f7 00");
  EXPECT_EQ(d.vvvv, 7);
  EXPECT_EQ(d.reg_high, 8);
}

TEST(Decode, MoreThanFifteenBytesIsAGeneralProtectionFault) {
  const Decoded d = decoded("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90");
  EXPECT_EQ(int(d.category), int(Category::trap));
  EXPECT_TRUE(d.too_long);
  EXPECT_EQ(exception_of(d).vector, kVectorGeneralProtection);
  EXPECT_EQ(decoded("66 66 66 66 66 66 66 66 66 66 66 66 66 66 90").length, 15);
  EXPECT_EQ(decoded("66 66 66").length, 0) << "the fetch ends before the instruction";
}

TEST(Exception, OfEachKind) {
  struct ExceptionCase {
    const char* bytes;
    Exception expected;
  };
  constexpr ExceptionCase kCases[] = {
      {"cc", {3, 0, true}},
      {"cd 03", {3, 0, true}},
      {"cd 04", {4, 0, true}},
      {"f1", {1, 0, true}},
      {"cd 21", {13, 0x21 * 8 + 2, false}},
      {"f4", {13, 0, false}},
      {"0f 0b", {6, 0, false}},
      {"0f b9 c0", {6, 0, false}},
      {"0f ff c0", {6, 0, false}},
      {"06", {6, 0, false}},
      {"ec", {13, 0, false}},
      {"0f 22 c0", {13, 0, false}},
      {"0f 01 c1", {6, 0, false}},
  };
  for (const ExceptionCase& c : kCases) {
    const Exception got = exception_of(decoded(c.bytes));
    EXPECT_EQ(got.vector, c.expected.vector) << c.bytes;
    EXPECT_EQ(got.error_code, c.expected.error_code) << c.bytes;
    EXPECT_EQ(got.is_trap, c.expected.is_trap) << c.bytes;
  }
}

TEST(Offered, FollowsTheProfile) {
  FeatureSet none, all;
  none.add(Feature::base);
  for (int i = 0; i < kFeatureCount; ++i) all.add(static_cast<Feature>(i));
  for (const char* text : {"f3 0f b8 c0", "c5 f8 58 c1", "0f 38 f0 00", "f3 0f bd c0", "f3 0f bc c0",
                           "66 0f 38 dc c1", "62 f1 7c 48 58 c1", "0f a2 0f"}) {
    const Decoded d = decoded(text);
    EXPECT_TRUE(offered(all, d)) << text;
    EXPECT_EQ(offered(none, d), d.gate == Gate::cpuid) << text;
  }
}

TEST(Offered, BitScansOfOlderProcessors) {
  FeatureSet none;
  none.add(Feature::base);
  u8 bytes[] = {0x66, 0xf3, 0x48, 0x0f, 0xbd, 0xc1};  // lzcnt rax, rcx
  Decoded d = decode(bytes);
  narrow_bit_scan(none, d, bytes);
  EXPECT_TRUE(offered(none, d));
  EXPECT_EQ(bytes[1], 0xf2);
  EXPECT_EQ(decode(bytes).category, Category::copy);
  EXPECT_EQ(decode(bytes).feature, static_cast<u8>(Feature::base));
  u8 popcnt[] = {0xf3, 0x0f, 0xb8, 0xc0};
  d = decode(popcnt);
  narrow_bit_scan(none, d, popcnt);
  EXPECT_FALSE(offered(none, d));
  EXPECT_EQ(popcnt[0], 0xf3);
}

}  // namespace
}  // namespace orrery::x86
