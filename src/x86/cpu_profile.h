// What processor the guest sees: the virtual cpuid table, the instructions it may use, and the numbers
// that follow from both (XCR0, the size of XSAVE images, AT_HWCAP). Built once, when a recording
// starts; the recording keeps it, so that a replay on another machine answers the same.
//
// Profiles: `x86-64-v2`, `x86-64-v3`, `x86-64-v4` (the psABI's levels: exactly those, on any host),
// `valgrind` (the processor that Valgrind shows programs, so that both execute the same),
// `host` (all of the host that can be recorded) and `auto`, the default: `host` without AVX-512,
// whose upper registers the translator then has for itself.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "x86/isa_table.h"

namespace orrery::x86 {

/// One row of the virtual cpuid table: what `cpuid` answers for (leaf, subleaf).
struct CpuidRow {
  u32 leaf = 0, subleaf = 0;
  u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool operator==(const CpuidRow&) const = default;
};
inline constexpr int kCpuidRowsMost = 128;

/// XCR0 bits (SDM vol. 1, 13.1).
inline constexpr u64 kXcr0Legacy = 3, kXcr0Avx = 4, kXcr0Avx512 = 0xe0;

/// The processor underneath.
struct HostCpu {
  CpuidRow (*cpuid)(u32 leaf, u32 subleaf) = nullptr;
  u64 xcr0 = 0;    ///< 0 when the system has not enabled XSAVE
  u64 hwcap2 = 0;  ///< AT_HWCAP2
};

/// Asks the instruction. With `cpuid` and xgetbv executed here and nowhere else.
HostCpu this_cpu(u64 hwcap2);

struct CpuProfile {
  std::array<char, 32> name = {};
  std::array<char, 16> vendor = {};
  std::array<CpuidRow, kCpuidRowsMost> rows = {};
  u32 row_count = 0;
  FeatureSet features;
  u64 xcr0 = 0;           ///< 0: no XSAVE, FXSAVE images only
  u64 xsave_bytes = 512;  ///< of a standard-format image of all of xcr0
  u64 hwcap = 0, hwcap2 = 0;
  /// xmm29 to xmm31 exist on this host and the guest cannot see them.
  bool spare_vector_registers = false;

  std::span<const CpuidRow> table() const { return {rows.data(), row_count}; }
};

/// Fails when the name is unknown or the host lacks something the level demands.
Result<CpuProfile> make_cpu_profile(std::string_view name, const HostCpu& host);

/// What cpuid answers, by Intel's rules for leaves and subleaves that are out of range (SDM vol. 2, CPUID).
CpuidRow cpuid_row(std::span<const CpuidRow> table, u32 leaf, u32 subleaf);

/// Which instructions a virtual table offers (also what a replay derives from the recorded table).
FeatureSet features_of(std::span<const CpuidRow> table);

}  // namespace orrery::x86
