// The virtual processor: what each profile shows, hides and demands, on this host and on invented ones.
#include "x86/cpu_profile.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <bit>
#include <string>

namespace orrery::x86 {
namespace {

CpuProfile profile(std::string_view name) {
  auto made = make_cpu_profile(name, this_cpu(getauxval(AT_HWCAP2)));
  EXPECT_TRUE(made) << name << ": " << made.error().doing;
  return made.take();
}

CpuidRow ask(const CpuProfile& profile, u32 leaf, u32 subleaf = 0) {
  return cpuid_row(profile.table(), leaf, subleaf);
}

bool host_has_avx512() {
  const HostCpu host = this_cpu(0);
  return (host.xcr0 & kXcr0Avx512) == kXcr0Avx512;
}

TEST(CpuProfile, AutoHidesAvx512AndWhatCannotBeRecorded) {
  const CpuProfile p = profile("auto");
  EXPECT_FALSE(p.features.contains(Feature::avx512f));
  EXPECT_EQ(p.xcr0 & ~u64{7}, 0u);
  EXPECT_EQ(p.spare_vector_registers, host_has_avx512());
  constexpr u32 kTsxMpxPtSgx = (1u << 4) | (1u << 11) | (1u << 14) | (1u << 25) | (1u << 2);
  EXPECT_EQ(ask(p, 7).ebx & kTsxMpxPtSgx, 0u);
  constexpr u32 kPkuWaitpkgCetKeyLockerEnqcmd = 0x18u | (1u << 5) | (1u << 7) | (1u << 23) | (1u << 29);
  EXPECT_EQ(ask(p, 7).ecx & kPkuWaitpkgCetKeyLockerEnqcmd, 0u);
  constexpr u32 kUintrIbtAmx = (1u << 5) | (1u << 20) | (1u << 22) | (1u << 24) | (1u << 25);
  EXPECT_EQ(ask(p, 7).edx & kUintrIbtAmx, 0u);
  EXPECT_EQ(ask(p, 0xd, 1).eax & 8u, 0u) << "XSAVES";
}

TEST(CpuProfile, AutoKeepsWhatTheHostHas) {
  const CpuProfile p = profile("auto");
  const HostCpu host = this_cpu(0);
  constexpr u32 kVectorAndCryptography = 0x7ed8'3203;
  EXPECT_EQ(ask(p, 1).ecx, host.cpuid(1, 0).ecx & kVectorAndCryptography);
  EXPECT_EQ(ask(p, 1).eax, host.cpuid(1, 0).eax);
  EXPECT_EQ(std::string(p.vendor.data()).size(), 12u);
  EXPECT_EQ(p.hwcap, ask(p, 1).edx);
  EXPECT_EQ(p.hwcap2, getauxval(AT_HWCAP2) & 2);
}

TEST(CpuProfile, LevelsHaveExactlyTheirFeatures) {
  const CpuProfile v2 = profile("x86-64-v2");
  for (Feature f : {Feature::base, Feature::sse3, Feature::ssse3, Feature::sse4_1, Feature::sse4_2,
                    Feature::popcnt, Feature::lahf, Feature::cx16})
    EXPECT_TRUE(v2.features.contains(f)) << int(f);
  int count = 0;
  for (int i = 0; i < kFeatureCount; ++i) count += v2.features.contains(static_cast<Feature>(i));
  EXPECT_EQ(count, 8);
  EXPECT_EQ(v2.xcr0, 0u);
  EXPECT_EQ(v2.xsave_bytes, 512u);
  EXPECT_EQ(ask(v2, 0xd).eax, 0u);

  const CpuProfile v3 = profile("x86-64-v3");
  for (Feature f : {Feature::avx, Feature::avx2, Feature::fma, Feature::bmi1, Feature::bmi2, Feature::f16c,
                    Feature::lzcnt, Feature::movbe, Feature::xsave})
    EXPECT_TRUE(v3.features.contains(f)) << int(f);
  EXPECT_FALSE(v3.features.contains(Feature::aes));
  EXPECT_EQ(v3.xcr0, 7u);
  EXPECT_EQ(v3.xsave_bytes, 832u);

  if (!host_has_avx512()) GTEST_SKIP() << "no AVX-512 here";
  const CpuProfile v4 = profile("x86-64-v4");
  EXPECT_TRUE(v4.features.contains(Feature::avx512bw_vl));
  EXPECT_FALSE(v4.features.contains(Feature::avx512_vbmi));
  EXPECT_EQ(v4.xcr0, 0xe7u);
  EXPECT_FALSE(v4.spare_vector_registers);
}

// What `valgrind --tool=none` shows a program that prints cpuid, where a profile can have it.
TEST(CpuProfile, ValgrindsIsItsHaswell) {
  const CpuProfile v = profile("valgrind");
  EXPECT_EQ(ask(v, 1).eax, 0x306c3u);
  EXPECT_EQ(ask(v, 2).eax, 0x76036301u);
  EXPECT_EQ(ask(v, 4, 3).eax, 0x1c03c163u);
  EXPECT_EQ(ask(v, 0xb, 1).ebx, 8u);
  EXPECT_EQ(ask(v, 0xd).ebx, 0x340u);
  EXPECT_EQ(v.xcr0, 7u);
  EXPECT_TRUE(v.features.contains(Feature::avx2));
  EXPECT_TRUE(v.features.contains(Feature::bmi2));
  EXPECT_FALSE(v.features.contains(Feature::avx512f));
  EXPECT_EQ(v.spare_vector_registers, profile("auto").spare_vector_registers);
}

TEST(CpuProfile, StateLeavesFollowXcr0) {
  for (const char* name : {"auto", "host", "x86-64-v3"}) {
    const CpuProfile p = profile(name);
    const CpuidRow row = ask(p, 0xd);
    EXPECT_EQ(row.eax, p.xcr0) << name;
    EXPECT_EQ(row.ebx, p.xsave_bytes) << name;
    EXPECT_EQ(row.ecx, p.xsave_bytes) << name;
    u32 end = 576;
    for (u32 i = 2; i < 63; ++i) {
      const CpuidRow component = ask(p, 0xd, i);
      EXPECT_EQ(component.eax != 0, ((p.xcr0 >> i) & 1) != 0) << name << " component " << i;
      end = std::max(end, component.eax + component.ebx);
    }
    EXPECT_EQ(end, p.xsave_bytes) << name;
  }
}

TEST(CpuProfile, OneLogicalProcessor) {
  const CpuProfile p = profile("auto");
  EXPECT_EQ(ask(p, 1).ebx >> 16, 1u) << "one logical processor, APIC id 0";
  EXPECT_EQ(ask(p, 1).edx & (1u << 28), 0u) << "HTT";
  EXPECT_EQ(ask(p, 4).eax >> 14, 0u);
  EXPECT_EQ(ask(p, 0xb, 0).ebx, 1u);
  EXPECT_EQ(ask(p, 0xb, 0).edx, 0u);
  EXPECT_EQ(ask(p, 0xb, 9).ecx, 9u);
  EXPECT_EQ(ask(p, 0xb, 9).ebx, 0u);
}

TEST(CpuProfile, LeavesOutOfRangeAnswerAsTheHighestBasicLeaf) {
  const CpuProfile p = profile("auto");
  const u32 last = ask(p, 0).eax;
  for (u32 leaf : {last + 1, 0x4000'0000u, 0x8fff'ffffu, 0xffff'ffffu}) {
    CpuidRow expected = ask(p, last, 3);
    expected.leaf = leaf;
    EXPECT_EQ(ask(p, leaf, 3), expected) << std::hex << leaf;
  }
  EXPECT_EQ(ask(p, 1, 77).eax, ask(p, 1, 0).eax) << "a leaf without subleaves ignores ecx";
  EXPECT_EQ(ask(p, 7, 5).ebx, 0u);
}

TEST(CpuProfile, RefusesWhatTheHostLacks) {
  HostCpu old = this_cpu(0);
  old.cpuid = [](u32 leaf, u32 subleaf) {
    CpuidRow row = this_cpu(0).cpuid(leaf, subleaf);
    if (leaf == 7) row.ebx = 0;
    return row;
  };
  EXPECT_TRUE(make_cpu_profile("x86-64-v2", old));
  EXPECT_FALSE(make_cpu_profile("x86-64-v3", old));
  EXPECT_FALSE(make_cpu_profile("pentium", old));
  EXPECT_FALSE(make_cpu_profile("auto", old).take().features.contains(Feature::avx2));
}

TEST(CpuProfile, WithoutXsaveThereIsNoAvx) {
  HostCpu host = this_cpu(0);
  host.xcr0 = 0;
  const CpuProfile p = make_cpu_profile("auto", host).take();
  EXPECT_FALSE(p.features.contains(Feature::avx));
  EXPECT_FALSE(p.features.contains(Feature::xsave));
  EXPECT_FALSE(p.features.contains(Feature::fma));
  EXPECT_EQ(p.xsave_bytes, 512u);
}

TEST(CpuProfile, ARecordedTableGivesTheSameFeatures) {
  const CpuProfile p = profile("host");
  EXPECT_EQ(features_of(p.table()), p.features);
}

}  // namespace
}  // namespace orrery::x86
