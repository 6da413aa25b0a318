#include "cli/profile.h"

#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "x86/cpu_profile.h"
#include "x86/profile_names.h"

namespace orrery::cli {
namespace {

Result<x86::CpuProfile> profile_here(const std::string& name) {
  return x86::make_cpu_profile(name, x86::this_cpu(getauxval(AT_HWCAP2)));
}

bool includes(const x86::FeatureSet& all, const x86::FeatureSet& some) {
  for (unsigned i = 0; i < x86::kFeatureCount; ++i) {
    const auto feature = static_cast<x86::Feature>(i);
    if (some.contains(feature) && !all.contains(feature)) return false;
  }
  return true;
}

/// The upper vector registers are free for the tick counter: the host has them and the guest does not see
/// them.
bool has_spare_registers(const machine::LaunchHeader& header, const x86::CpuProfile& automatic) {
  return automatic.spare_vector_registers && (header.xcr0 & x86::kXcr0Avx512) == 0;
}

bool same_vendor(const machine::LaunchHeader& header, const x86::CpuProfile& here) {
  if (x86::is_same_everywhere(header.profile)) return true;
  return std::string_view(header.vendor) == std::string_view(here.vendor.data());
}

/// Every vector component of the recording lies here where its program was told (cpuid leaf 0xd).
bool same_state_layout(const machine::LaunchHeader& header, const x86::CpuProfile& here) {
  constexpr u32 kLeaf = 0xd, kFirstExtended = 2;
  for (const x86::CpuidRow& row : std::span(header.cpuid, header.cpuid_count)) {
    if (row.leaf != kLeaf || row.subleaf < kFirstExtended) continue;
    const x86::CpuidRow own = x86::cpuid_row(here.table(), kLeaf, row.subleaf);
    if (own.eax != row.eax || own.ebx != row.ebx) return false;
  }
  return true;
}

}  // namespace

Status set_profile(machine::LaunchHeader& header, const std::string& name) {
  const x86::CpuProfile profile = TRY(profile_here(name));
  std::memcpy(header.profile, profile.name.data(), std::min(sizeof header.profile - 1, profile.name.size()));
  std::memcpy(header.vendor, profile.vendor.data(),
              std::min(sizeof header.vendor - 1, profile.vendor.size()));
  std::copy_n(profile.rows.begin(), profile.row_count, header.cpuid);
  header.cpuid_count = profile.row_count;
  header.hwcap = profile.hwcap;
  header.hwcap2 = profile.hwcap2;
  header.xcr0 = profile.xcr0;
  header.xsave_bytes = profile.xsave_bytes;
  header.ticks_in_memory = profile.spare_vector_registers ? 0 : 1;
  return Nothing{};
}

Status fit_profile(machine::LaunchHeader& header) {
  const x86::CpuProfile here = TRY(profile_here("host"));
  const x86::CpuProfile automatic = TRY(profile_here("auto"));
  const x86::FeatureSet wanted = x86::features_of({header.cpuid, header.cpuid_count});
  if (!includes(here.features, wanted))
    return Error{"replay here: the recording's processor has instructions that this one lacks", 0};
  if (!same_vendor(header, here))
    return Error{
        "replay here: it was recorded on another vendor's processor, without --cpu x86-64-v2 or the like", 0};
  if (!same_state_layout(header, here))
    return Error{"replay here: this processor arranges its vector state differently", 0};
  header.ticks_in_memory = has_spare_registers(header, automatic) ? 0 : 1;
  return Nothing{};
}

}  // namespace orrery::cli
