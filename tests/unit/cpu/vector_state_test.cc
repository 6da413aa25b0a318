// Vector state through memory and back, against the CPU itself.
#include "cpu/vector_state.h"

#include <cpuid.h>
#include <gtest/gtest.h>
#include <immintrin.h>

#include <cstring>

namespace orrery::cpu {
namespace {

bool has_avx() { return __builtin_cpu_supports("avx") != 0; }
u64 components() { return has_avx() ? 7 : 3; }

TEST(VectorState, RestoresWhatItSaved) {
  alignas(32) u8 before[32], after[32];
  for (int i = 0; i < 32; ++i) before[i] = static_cast<u8>(i + 1);
  VectorImage image;
  if (!has_avx()) GTEST_SKIP() << "no AVX here";
  __asm__ volatile("vmovdqu %0, %%ymm9" : : "m"(before) : "xmm9");
  save_vector_state(image, components());
  __asm__ volatile("vpxor %%xmm9, %%xmm9, %%xmm9" : : : "xmm9");
  restore_vector_state(image, components());
  __asm__ volatile("vmovdqu %%ymm9, %0; vzeroupper" : "=m"(after) : : "xmm9");
  EXPECT_EQ(std::memcmp(before, after, 32), 0);
  EXPECT_EQ(std::memcmp(image.bytes + 160 + 9 * 16, before, 16), 0);
  EXPECT_EQ(image.components(), components());
}

TEST(VectorState, IsCanonical) {
  const double one = 1;
  double out;
  __asm__ volatile("fldl %1; fstpl %0" : "=m"(out) : "m"(one));  // leaves FIP and FDP behind
  VectorImage image;
  save_vector_state(image, components());
  u64 pointers[2];
  std::memcpy(pointers, image.bytes + 8, sizeof pointers);
  EXPECT_EQ(pointers[0], 0U);
  EXPECT_EQ(pointers[1], 0U);
  EXPECT_EQ(image.components(), components());
  EXPECT_EQ(out, 1);
}

TEST(VectorState, ResetIsWhatAFreshProcessFinds) {
  VectorImage kept, fresh;
  save_vector_state(kept, components());
  __asm__ volatile("pcmpeqd %%xmm5, %%xmm5; fldpi" : : : "xmm5");
  reset_vector_state(components());
  save_vector_state(fresh, components());
  restore_vector_state(kept, components());
  u16 control, tags;
  u32 mxcsr;
  std::memcpy(&control, fresh.bytes, 2);
  std::memcpy(&tags, fresh.bytes + 4, 2);
  std::memcpy(&mxcsr, fresh.bytes + kVectorMxcsr, 4);
  EXPECT_EQ(control, 0x37f);
  EXPECT_EQ(tags & 0xff, 0);
  EXPECT_EQ(mxcsr, 0x1f80U);
  const u8 zero[256] = {};
  EXPECT_EQ(std::memcmp(fresh.bytes + 160, zero, sizeof zero), 0);
}

TEST(VectorState, LegacyFormatWorksWithoutXsave) {
  VectorImage kept, image;
  save_vector_state(kept, 0);
  __asm__ volatile("pcmpeqd %%xmm5, %%xmm5" : : : "xmm5");
  save_vector_state(image, 0);
  restore_vector_state(kept, 0);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(image.bytes[160 + 5 * 16 + i], 0xff);
}

TEST(VectorState, RefusesImagesTheCpuWouldFaultOn) {
  VectorImage good;
  save_vector_state(good, components());
  EXPECT_TRUE(vector_image_valid(good, components()));
  VectorImage bad = good;
  bad.bytes[kVectorMxcsr + 3] = 0x80;
  EXPECT_FALSE(vector_image_valid(bad, components()));
  bad = good;
  bad.set_components(components() | 1ULL << 62);
  EXPECT_FALSE(vector_image_valid(bad, components()));
  bad = good;
  bad.bytes[kVectorHeader + 15] = 0x80;  // XCOMP_BV: compacted
  EXPECT_FALSE(vector_image_valid(bad, components()));
  bad = good;
  bad.bytes[kVectorHeaderEnd - 1] = 1;
  EXPECT_FALSE(vector_image_valid(bad, components()));
}

}  // namespace
}  // namespace orrery::cpu
