// A virtual cpuid bit is set when the host has it and the profile's level includes it. kBits lists
// every feature bit that a guest may ever see, with the lowest level that has it; a bit in no row is
// clear. That hides what cannot be recorded or would show the engine: TSX (aborts are not
// reproducible), CET, MPX, PKU, AMX, UINTR, WAITPKG, ENQCMD, SGX, Key Locker, PT, XSAVES, and what
// Zydis 4.0 cannot decode (AVX-IFMA, CMPccXADD, SHA512, AVX10). The machine has one logical processor
// with APIC id 0, so that topology leaves are the same wherever the guest happens to run.
#include "x86/cpu_profile.h"

#include <algorithm>

namespace orrery::x86 {
namespace {

// --- the bits ---

enum class Reg : u8 { eax, ebx, ecx, edx };

/// The profiles form two chains: base < v2 < v3 < v4 and v3 < common (auto) < wide (host).
enum class Level : u8 { base, v2, v3, v4, common, wide };

struct Bit {
  u32 leaf;
  u32 subleaf;
  Reg reg;
  u8 number;
};

struct BitRow {
  Bit bit;
  Level level;
};

constexpr u32 kExtended = 0x8000'0000;

constexpr Bit kSse3{1, 0, Reg::ecx, 0}, kPclmul{1, 0, Reg::ecx, 1}, kSsse3{1, 0, Reg::ecx, 9};
constexpr Bit kFma{1, 0, Reg::ecx, 12}, kCx16{1, 0, Reg::ecx, 13}, kSse41{1, 0, Reg::ecx, 19};
constexpr Bit kSse42{1, 0, Reg::ecx, 20}, kMovbe{1, 0, Reg::ecx, 22}, kPopcnt{1, 0, Reg::ecx, 23};
constexpr Bit kAes{1, 0, Reg::ecx, 25}, kXsave{1, 0, Reg::ecx, 26}, kOsxsave{1, 0, Reg::ecx, 27};
constexpr Bit kAvx{1, 0, Reg::ecx, 28}, kF16c{1, 0, Reg::ecx, 29}, kRdrand{1, 0, Reg::ecx, 30};
constexpr Bit kFsgsbase{7, 0, Reg::ebx, 0}, kBmi1{7, 0, Reg::ebx, 3}, kAvx2{7, 0, Reg::ebx, 5};
constexpr Bit kBmi2{7, 0, Reg::ebx, 8}, kAvx512f{7, 0, Reg::ebx, 16}, kAvx512dq{7, 0, Reg::ebx, 17};
constexpr Bit kRdseed{7, 0, Reg::ebx, 18}, kAdx{7, 0, Reg::ebx, 19}, kAvx512Ifma{7, 0, Reg::ebx, 21};
constexpr Bit kClflushopt{7, 0, Reg::ebx, 23}, kClwb{7, 0, Reg::ebx, 24}, kAvx512cd{7, 0, Reg::ebx, 28};
constexpr Bit kSha{7, 0, Reg::ebx, 29}, kAvx512bw{7, 0, Reg::ebx, 30}, kAvx512vl{7, 0, Reg::ebx, 31};
constexpr Bit kAvx512Vbmi{7, 0, Reg::ecx, 1}, kAvx512Vbmi2{7, 0, Reg::ecx, 6}, kGfni{7, 0, Reg::ecx, 8};
constexpr Bit kVaes{7, 0, Reg::ecx, 9}, kVpclmul{7, 0, Reg::ecx, 10}, kAvx512Vnni{7, 0, Reg::ecx, 11};
constexpr Bit kAvx512Bitalg{7, 0, Reg::ecx, 12}, kAvx512Vpopcntdq{7, 0, Reg::ecx, 14};
constexpr Bit kRdpid{7, 0, Reg::ecx, 22}, kMovdiri{7, 0, Reg::ecx, 27}, kMovdir64b{7, 0, Reg::ecx, 28};
constexpr Bit kVp2intersect{7, 0, Reg::edx, 8}, kSerialize{7, 0, Reg::edx, 14}, kFp16{7, 0, Reg::edx, 23};
constexpr Bit kAvxVnni{7, 1, Reg::eax, 4}, kBf16{7, 1, Reg::eax, 5};
constexpr Bit kXsaveopt{0xd, 1, Reg::eax, 0}, kXsavec{0xd, 1, Reg::eax, 1}, kXgetbv1{0xd, 1, Reg::eax, 2};
constexpr Bit kLahf{kExtended + 1, 0, Reg::ecx, 0}, kLzcnt{kExtended + 1, 0, Reg::ecx, 5};
constexpr Bit kRdtscp{kExtended + 1, 0, Reg::edx, 27};

constexpr BitRow kBits[] = {
    {kSse3, Level::v2},
    {kSsse3, Level::v2},
    {kCx16, Level::v2},
    {kSse41, Level::v2},
    {kSse42, Level::v2},
    {kPopcnt, Level::v2},
    {kLahf, Level::v2},
    {kFma, Level::v3},
    {kMovbe, Level::v3},
    {kXsave, Level::v3},
    {kOsxsave, Level::v3},
    {kAvx, Level::v3},
    {kF16c, Level::v3},
    {kBmi1, Level::v3},
    {kAvx2, Level::v3},
    {kBmi2, Level::v3},
    {kLzcnt, Level::v3},
    {kAvx512f, Level::v4},
    {kAvx512dq, Level::v4},
    {kAvx512cd, Level::v4},
    {kAvx512bw, Level::v4},
    {kAvx512vl, Level::v4},
    {kPclmul, Level::common},
    {kAes, Level::common},
    {kRdrand, Level::common},
    {kFsgsbase, Level::common},
    {kRdseed, Level::common},
    {kAdx, Level::common},
    {kClflushopt, Level::common},
    {kClwb, Level::common},
    {kSha, Level::common},
    {kGfni, Level::common},
    {kVaes, Level::common},
    {kVpclmul, Level::common},
    {kRdpid, Level::common},
    {kMovdiri, Level::common},
    {kMovdir64b, Level::common},
    {kSerialize, Level::common},
    {kAvxVnni, Level::common},
    {kXsaveopt, Level::common},
    {kXsavec, Level::common},
    {kXgetbv1, Level::common},
    {kRdtscp, Level::common},
    {{7, 0, Reg::ebx, 9}, Level::common},              // ERMS
    {{7, 0, Reg::ecx, 25}, Level::common},             // CLDEMOTE
    {{7, 0, Reg::edx, 4}, Level::common},              // FSRM
    {{7, 1, Reg::eax, 10}, Level::common},             // FZRM
    {{7, 1, Reg::eax, 11}, Level::common},             // FSRS
    {{7, 1, Reg::eax, 12}, Level::common},             // FSRCS
    {{kExtended + 1, 0, Reg::ecx, 8}, Level::common},  // PREFETCHW
    {kAvx512Ifma, Level::wide},
    {kAvx512Vbmi, Level::wide},
    {kAvx512Vbmi2, Level::wide},
    {kAvx512Vnni, Level::wide},
    {kAvx512Bitalg, Level::wide},
    {kAvx512Vpopcntdq, Level::wide},
    {kVp2intersect, Level::wide},
    {kFp16, Level::wide},
    {kBf16, Level::wide},
    // Facts about the x87 unit rather than features: what FDP and FCS hold (SDM vol. 1, 8.1.8).
    {{7, 0, Reg::ebx, 6}, Level::base},
    {{7, 0, Reg::ebx, 13}, Level::base},
    {{6, 0, Reg::eax, 2}, Level::base},              // ARAT
    {{kExtended + 7, 0, Reg::edx, 8}, Level::base},  // invariant TSC
};

/// Leaf 1 edx of x86-64-v1: FPU to PGE, MCA, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2, SS.
constexpr u32 kLeaf1Edx = 0x0f8b'fbff;
/// Leaf 8000'0001 edx: SYSCALL, NX, 1 GiB pages, LM, and AMD's copies of leaf 1.
constexpr u32 kExtended1Edx = 0x2583'fbff;

/// What each Feature needs, all of them.
struct FeatureBits {
  Feature feature;
  Bit bits[3];
  u8 count;
};

template <class... Bits>
constexpr FeatureBits needs(Feature feature, Bits... bits) {
  return {feature, {bits...}, sizeof...(bits)};
}

constexpr FeatureBits kFeatures[] = {
    needs(Feature::base),
    needs(Feature::sse3, kSse3),
    needs(Feature::ssse3, kSsse3),
    needs(Feature::sse4_1, kSse41),
    needs(Feature::sse4_2, kSse42),
    needs(Feature::popcnt, kPopcnt),
    needs(Feature::lahf, kLahf),
    needs(Feature::cx16, kCx16),
    needs(Feature::movbe, kMovbe),
    needs(Feature::lzcnt, kLzcnt),
    needs(Feature::bmi1, kBmi1, kAvx),
    needs(Feature::bmi2, kBmi2, kAvx),
    needs(Feature::adx, kAdx),
    needs(Feature::aes, kAes),
    needs(Feature::pclmul, kPclmul),
    needs(Feature::sha, kSha),
    needs(Feature::gfni, kGfni),
    needs(Feature::avx, kAvx),
    needs(Feature::avx2, kAvx2, kAvx),
    needs(Feature::f16c, kF16c, kAvx),
    needs(Feature::fma, kFma, kAvx),
    needs(Feature::avx_aes, kAes, kAvx),
    needs(Feature::avx_pclmul, kPclmul, kAvx),
    needs(Feature::avx_gfni, kGfni, kAvx),
    needs(Feature::vaes, kVaes, kAvx),
    needs(Feature::vpclmulqdq, kVpclmul, kAvx),
    needs(Feature::avx_vnni, kAvxVnni, kAvx),
    needs(Feature::rdrand, kRdrand),
    needs(Feature::rdseed, kRdseed),
    needs(Feature::rdtscp, kRdtscp),
    needs(Feature::rdpid, kRdpid),
    needs(Feature::fsgsbase, kFsgsbase),
    needs(Feature::xsave, kXsave, kOsxsave),
    needs(Feature::xsaveopt, kXsaveopt, kOsxsave),
    needs(Feature::xsavec, kXsavec, kOsxsave),
    needs(Feature::clflushopt, kClflushopt),
    needs(Feature::clwb, kClwb),
    needs(Feature::movdiri, kMovdiri),
    needs(Feature::movdir64b, kMovdir64b),
    needs(Feature::serialize, kSerialize),
    needs(Feature::avx512f, kAvx512f),
    needs(Feature::avx512f_vl, kAvx512f, kAvx512vl),
    needs(Feature::avx512dq, kAvx512f, kAvx512dq),
    needs(Feature::avx512dq_vl, kAvx512dq, kAvx512vl),
    needs(Feature::avx512bw, kAvx512f, kAvx512bw),
    needs(Feature::avx512bw_vl, kAvx512bw, kAvx512vl),
    needs(Feature::avx512cd, kAvx512f, kAvx512cd),
    needs(Feature::avx512cd_vl, kAvx512cd, kAvx512vl),
    needs(Feature::avx512_ifma, kAvx512f, kAvx512Ifma),
    needs(Feature::avx512_ifma_vl, kAvx512Ifma, kAvx512vl),
    needs(Feature::avx512_vbmi, kAvx512f, kAvx512Vbmi),
    needs(Feature::avx512_vbmi_vl, kAvx512Vbmi, kAvx512vl),
    needs(Feature::avx512_vbmi2, kAvx512f, kAvx512Vbmi2),
    needs(Feature::avx512_vbmi2_vl, kAvx512Vbmi2, kAvx512vl),
    needs(Feature::avx512_vnni, kAvx512f, kAvx512Vnni),
    needs(Feature::avx512_vnni_vl, kAvx512Vnni, kAvx512vl),
    needs(Feature::avx512_bitalg, kAvx512f, kAvx512Bitalg),
    needs(Feature::avx512_bitalg_vl, kAvx512Bitalg, kAvx512vl),
    needs(Feature::avx512_vpopcntdq, kAvx512f, kAvx512Vpopcntdq),
    needs(Feature::avx512_vpopcntdq_vl, kAvx512Vpopcntdq, kAvx512vl),
    needs(Feature::avx512_bf16, kAvx512f, kBf16),
    needs(Feature::avx512_bf16_vl, kBf16, kAvx512vl),
    needs(Feature::avx512_fp16, kAvx512f, kFp16),
    needs(Feature::avx512_fp16_vl, kFp16, kAvx512vl),
    needs(Feature::avx512_vp2intersect, kAvx512f, kVp2intersect),
    needs(Feature::avx512_vp2intersect_vl, kVp2intersect, kAvx512vl),
    needs(Feature::avx512_gfni, kAvx512f, kGfni),
    needs(Feature::avx512_gfni_vl, kGfni, kAvx512vl),
    needs(Feature::avx512_vaes, kAvx512f, kVaes),
    needs(Feature::avx512_vaes_vl, kVaes, kAvx512vl),
    needs(Feature::avx512_vpclmulqdq, kAvx512f, kVpclmul),
    needs(Feature::avx512_vpclmulqdq_vl, kVpclmul, kAvx512vl),
    needs(Feature::tzcnt, kBmi1),
};

consteval bool every_feature_listed() {
  for (int i = 0; i < kFeatureCount; ++i)
    if (kFeatures[i].feature != static_cast<Feature>(i)) return false;
  return std::size(kFeatures) == static_cast<u64>(kFeatureCount);
}
static_assert(every_feature_listed());

// --- levels ---

struct Profile {
  std::string_view name;
  Level own;                     ///< the chain's last level
  bool exact;                    ///< the host must have every bit of it
  bool models_topology = false;  ///< cores and threads as they are told, not one
};

constexpr Profile kProfiles[] = {
    {"x86-64-v2", Level::v2, true}, {"x86-64-v3", Level::v3, true}, {"x86-64-v4", Level::v4, true},
    {"auto", Level::common, false}, {"host", Level::wide, false},
};

bool includes(Level profile, Level bit) {
  switch (profile) {
    case Level::common:
      return bit <= Level::v3 || bit == Level::common;
    case Level::wide:
      return true;
    default:
      return bit <= profile;
  }
}

u32& reg_of(CpuidRow& row, Reg reg) {
  switch (reg) {
    case Reg::eax:
      return row.eax;
    case Reg::ebx:
      return row.ebx;
    case Reg::ecx:
      return row.ecx;
    default:
      return row.edx;
  }
}

bool has(CpuidRow row, const Bit& bit) { return (reg_of(row, bit.reg) >> bit.number) & 1; }

// --- the processor that Valgrind models ---

/// What cpuid answers in a program under Valgrind 3.19 on a host with AVX2: some Haswell (its
/// guest_amd64_helpers.c has the table, and a program run under it prints it). Bits that a profile cannot
/// have are left out when the table is built.
constexpr CpuidRow kValgrind[] = {
    {0x0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69},
    {0x1, 0, 0x306c3, 0x2100800, 0x7ffafbff, 0xbfebfbff},
    {0x2, 0, 0x76036301, 0xf0b6ff, 0, 0xc10000},
    {0x4, 0, 0x1c004121, 0x1c0003f, 0x3f, 0},
    {0x4, 1, 0x1c004122, 0x1c0003f, 0x3f, 0},
    {0x4, 2, 0x1c004143, 0x1c0003f, 0x1ff, 0},
    {0x4, 3, 0x1c03c163, 0x3c0003f, 0x1fff, 6},
    {0x6, 0, 0x77, 2, 9, 0},
    {0x7, 0, 0, 0x427aa, 0, 0},
    {0xb, 0, 1, 2, 0x100, 2},
    {0xb, 1, 4, 8, 0x201, 2},
    {0xd, 0, 7, 0x340, 0x340, 0},
    {0xd, 2, 0x100, 0x240, 0, 0},
    {kExtended, 0, kExtended + 8, 0, 0, 0},
    {kExtended + 1, 0, 0, 0, 0x21, 0x2c100800},
    {kExtended + 2, 0, 0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865},
    {kExtended + 3, 0, 0x37692029, 0x3139342d, 0x20514d30, 0x20555043},
    {kExtended + 4, 0, 0x2e322040, 0x48473039, 0x7a, 0},
    {kExtended + 6, 0, 0, 0, 0x1006040, 0},
    {kExtended + 7, 0, 0, 0, 0, 0x100},
    {kExtended + 8, 0, 0x3027, 0, 0, 0},
};
constexpr u64 kValgrindXcr0 = kXcr0Legacy | kXcr0Avx;
constexpr Profile kValgrindProfile{"valgrind", Level::wide, false, true};

CpuidRow valgrind_cpuid(u32 leaf, u32 subleaf) {
  for (const CpuidRow& row : kValgrind)
    if (row.leaf == leaf && row.subleaf == subleaf) return row;
  return {leaf, subleaf, 0, 0, 0, 0};
}

// --- building the table ---

class Builder {
 public:
  Builder(const Profile& profile, const HostCpu& host) : profile_(profile), host_(host) {}

  Result<CpuProfile> run() {
    if (Status status = check_host(); !status) return status.error();
    std::copy(profile_.name.begin(), profile_.name.end(), out_.name.begin());
    copy_vendor();
    choose_xcr0();
    basic_leaves();
    feature_leaves();
    topology_leaves();
    state_leaves();
    extended_leaves();
    derive();
    return out_;
  }

 private:
  /// Every cpuid traps in a virtual machine (a microsecond and more), so each is executed once.
  CpuidRow ask(u32 leaf, u32 subleaf) const {
    for (u32 i = 0; i < asked_count_; ++i)
      if (asked_[i].leaf == leaf && asked_[i].subleaf == subleaf) return asked_[i];
    CpuidRow row = host_.cpuid(leaf, subleaf);
    row.leaf = leaf;
    row.subleaf = subleaf;
    if (asked_count_ < kCpuidRowsMost) asked_[asked_count_++] = row;
    return row;
  }

  bool host_has(const Bit& bit) const {
    const u32 range = bit.leaf & kExtended;
    return bit.leaf <= ask(range, 0).eax && has(ask(bit.leaf, bit.subleaf), bit);
  }

  Status check_host() const {
    if (!profile_.exact) return Nothing{};
    for (const BitRow& row : kBits)
      if (row.level != Level::base && includes(profile_.own, row.level) && !host_has(row.bit))
        return Error{"the host's processor lacks a feature of the chosen --cpu level"};
    if (profile_.own == Level::v3 && (host_.xcr0 & kXcr0Avx) == 0)
      return Error{"the host's kernel has not enabled AVX"};
    if (profile_.own == Level::v4 && (host_.xcr0 & kXcr0Avx512) != kXcr0Avx512)
      return Error{"the host's kernel has not enabled AVX-512"};
    return Nothing{};
  }

  void copy_vendor() {
    const CpuidRow row = ask(0, 0);
    const u32 words[] = {row.ebx, row.edx, row.ecx};
    __builtin_memcpy(out_.vendor.data(), words, sizeof words);
  }

  void choose_xcr0() {
    u64 wanted = 0;
    if (includes(profile_.own, Level::v3)) wanted = kXcr0Legacy | kXcr0Avx;
    if (includes(profile_.own, Level::v4)) wanted |= kXcr0Avx512;
    out_.xcr0 = wanted & host_.xcr0;
    if ((out_.xcr0 & kXcr0Avx512) != kXcr0Avx512) out_.xcr0 &= ~kXcr0Avx512;
  }

  /// The host's bits of this register that the profile has.
  u32 offered_bits(u32 leaf, u32 subleaf, Reg reg) const {
    u32 bits = 0;
    for (const BitRow& row : kBits) {
      const Bit& bit = row.bit;
      if (bit.leaf != leaf || bit.subleaf != subleaf || bit.reg != reg) continue;
      if (includes(profile_.own, row.level) && host_has(bit) && state_enabled(row))
        bits |= u32{1} << bit.number;
    }
    return bits;
  }

  /// A vector feature whose registers the system has not enabled does not exist.
  bool state_enabled(const BitRow& row) const {
    const bool avx512 = row.level == Level::v4 || row.level == Level::wide;
    if (avx512) return (out_.xcr0 & kXcr0Avx512) == kXcr0Avx512;
    const bool avx =
        row.bit.leaf == 1 && row.bit.reg == Reg::ecx && row.bit.number >= 26 && row.bit.number <= 28;
    return !avx || (out_.xcr0 & kXcr0Avx) != 0;
  }

  CpuidRow masked(u32 leaf, u32 subleaf) const {
    return {leaf,
            subleaf,
            offered_bits(leaf, subleaf, Reg::eax),
            offered_bits(leaf, subleaf, Reg::ebx),
            offered_bits(leaf, subleaf, Reg::ecx),
            offered_bits(leaf, subleaf, Reg::edx)};
  }

  void add(const CpuidRow& row) {
    CHECK(out_.row_count < kCpuidRowsMost, "more cpuid rows than the table holds");
    out_.rows[out_.row_count++] = row;
  }

  /// Leaves above 0x1f (AVX10 and later) are beyond what this table knows.
  u32 basic_leaf_max() const { return std::min(ask(0, 0).eax, u32{0x1f}); }

  void basic_leaves() {
    CpuidRow first = ask(0, 0);
    first.eax = basic_leaf_max();
    add(first);
    CpuidRow second = masked(1, 0);
    const CpuidRow host = ask(1, 0);
    second.eax = host.eax;
    // CLFLUSH line; one logical processor, APIC id 0.
    second.ebx = profile_.models_topology ? host.ebx : (host.ebx & 0xffff) | 0x1'0000;
    second.edx = host.edx & kLeaf1Edx;
    add(second);
    for (u32 leaf : {2u, 0x15u, 0x16u})
      if (leaf <= basic_leaf_max()) add(ask(leaf, 0));
  }

  void feature_leaves() {
    if (basic_leaf_max() >= 6) add(masked(6, 0));
    if (basic_leaf_max() < 7) return;
    CpuidRow row = masked(7, 0);
    row.eax = 1;
    add(row);
    add(masked(7, 1));
  }

  void topology_leaves() {
    constexpr u32 kSharingAndCores = 0xffff'c000;
    for (u32 subleaf = 0; basic_leaf_max() >= 4 && subleaf < 8; ++subleaf) {
      CpuidRow row = ask(4, subleaf);
      if ((row.eax & 0x1f) == 0) break;
      if (!profile_.models_topology) row.eax &= ~kSharingAndCores;
      add(row);
    }
    for (u32 leaf : {0xbu, 0x1fu}) {
      if (leaf > basic_leaf_max() || ask(leaf, 0).ebx == 0) continue;
      if (profile_.models_topology) {
        add(ask(leaf, 0));
        add(ask(leaf, 1));
        continue;
      }
      add({leaf, 0, 0, 1, 0x100, 0});
      add({leaf, 1, 0, 1, 0x201, 0});
    }
  }

  /// Leaf 0xd for the virtual XCR0 (SDM vol. 1, 13.2).
  void state_leaves() {
    if (out_.xcr0 == 0 || basic_leaf_max() < 0xd) return;
    constexpr u32 kLegacyAndHeader = 576;
    u32 standard = kLegacyAndHeader, compacted = kLegacyAndHeader;
    for (u32 component = 2; component < 63; ++component) {
      if (!((out_.xcr0 >> component) & 1)) continue;
      const CpuidRow row = ask(0xd, component);
      standard = std::max(standard, row.ebx + row.eax);
      if (row.ecx & 2) compacted = (compacted + 63) & ~u32{63};
      compacted += row.eax;
    }
    out_.xsave_bytes = standard;
    add({0xd, 0, static_cast<u32>(out_.xcr0), standard, standard, static_cast<u32>(out_.xcr0 >> 32)});
    CpuidRow second = masked(0xd, 1);
    if (second.eax & 2) second.ebx = compacted;
    add(second);
    for (u32 component = 2; component < 63; ++component)
      if ((out_.xcr0 >> component) & 1) add(ask(0xd, component));
  }

  void extended_leaves() {
    constexpr u32 kLast = kExtended + 8;
    CpuidRow first = ask(kExtended, 0);
    const u32 last = std::min(first.eax, kLast);
    first.eax = last;
    add(first);
    CpuidRow second = masked(kExtended + 1, 0);
    second.eax = ask(kExtended + 1, 0).eax;
    second.edx |= ask(kExtended + 1, 0).edx & kExtended1Edx;
    if (last >= kExtended + 1) add(second);
    for (u32 leaf = kExtended + 2; leaf <= last; ++leaf) {
      if (leaf == kExtended + 7) {
        add(masked(leaf, 0));
        continue;
      }
      CpuidRow row = ask(leaf, 0);
      if (leaf == kLast) row.ebx = row.ecx = row.edx = 0;  // address widths only
      add(row);
    }
  }

  void derive() {
    out_.features = features_of(out_.table());
    if (out_.xcr0 == 0) out_.xsave_bytes = 512;
    out_.hwcap = cpuid_row(out_.table(), 1, 0).edx;
    constexpr u64 kHwcap2Fsgsbase = 2;
    if (out_.features.contains(Feature::fsgsbase)) out_.hwcap2 = host_.hwcap2 & kHwcap2Fsgsbase;
    out_.spare_vector_registers = host_has(kAvx512f) && host_has(kAvx512vl) &&
                                  (host_.xcr0 & kXcr0Avx512) == kXcr0Avx512 &&
                                  !out_.features.contains(Feature::avx512f);
  }

  const Profile& profile_;
  const HostCpu& host_;
  CpuProfile out_;
  mutable std::array<CpuidRow, kCpuidRowsMost> asked_ = {};
  mutable u32 asked_count_ = 0;
};

/// Leaves whose answer depends on ecx.
bool has_subleaves(u32 leaf) {
  switch (leaf) {
    case 4:
    case 7:
    case 0xb:
    case 0xd:
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x17:
    case 0x18:
    case 0x1a:
    case 0x1b:
    case 0x1d:
    case 0x1e:
    case 0x1f:
      return true;
    default:
      return false;
  }
}

const CpuidRow* find(std::span<const CpuidRow> table, u32 leaf, u32 subleaf) {
  for (const CpuidRow& row : table)
    if (row.leaf == leaf && row.subleaf == subleaf) return &row;
  return nullptr;
}

/// The highest leaf of the range that `leaf` lies in; 0 for ranges that do not exist.
u32 range_max(std::span<const CpuidRow> table, u32 leaf) {
  const u32 range = leaf & 0xffff'0000;
  if (range != 0 && range != kExtended) return 0;
  const CpuidRow* first = find(table, range, 0);
  return first ? first->eax : 0;
}

CpuidRow ask_cpuid(u32 leaf, u32 subleaf) {
  CpuidRow row{leaf, subleaf, 0, 0, 0, 0};
  __asm__ volatile("cpuid"
                   : "=a"(row.eax), "=b"(row.ebx), "=c"(row.ecx), "=d"(row.edx)
                   : "a"(leaf), "c"(subleaf));
  return row;
}

}  // namespace

HostCpu this_cpu(u64 hwcap2) {
  HostCpu host{ask_cpuid, 0, hwcap2};
  if (has(ask_cpuid(1, 0), kOsxsave)) {
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    host.xcr0 = (u64{high} << 32) | low;
  }
  return host;
}

namespace {

Result<CpuProfile> make_valgrind_profile(const HostCpu& host) {
  const HostCpu model{.cpuid = valgrind_cpuid, .xcr0 = kValgrindXcr0, .hwcap2 = host.hwcap2};
  CpuProfile profile = TRY(Builder(kValgrindProfile, model).run());
  const CpuProfile real = TRY(Builder({"host", Level::wide, false}, host).run());
  const CpuProfile usual = TRY(Builder({"auto", Level::common, false}, host).run());
  for (const FeatureBits& row : kFeatures)
    if (profile.features.contains(row.feature) && !real.features.contains(row.feature))
      return Error{"the host's processor lacks a feature of the one that Valgrind models"};
  profile.spare_vector_registers = usual.spare_vector_registers;
  return profile;
}

}  // namespace

Result<CpuProfile> make_cpu_profile(std::string_view name, const HostCpu& host) {
  for (const Profile& profile : kProfiles)
    if (profile.name == name) return Builder(profile, host).run();
  if (name == kValgrindProfile.name) return make_valgrind_profile(host);
  return Error{"--cpu must be auto, host, x86-64-v2, x86-64-v3, x86-64-v4 or valgrind"};
}

CpuidRow cpuid_row(std::span<const CpuidRow> table, u32 leaf, u32 subleaf) {
  CpuidRow answer{leaf, subleaf, 0, 0, 0, 0};
  if (table.empty()) return answer;
  const u32 in_range =
      leaf > range_max(table, leaf) ? table[0].eax : leaf;  // beyond: as the highest basic leaf
  if (const CpuidRow* row = find(table, in_range, has_subleaves(in_range) ? subleaf : 0)) {
    answer = *row;
  } else if ((in_range == 0xb || in_range == 0x1f) && find(table, in_range, 0)) {
    answer.ecx = subleaf & 0xff;
  }
  answer.leaf = leaf;
  answer.subleaf = subleaf;
  return answer;
}

FeatureSet features_of(std::span<const CpuidRow> table) {
  FeatureSet features;
  for (const FeatureBits& row : kFeatures) {
    bool offered = true;
    for (u8 i = 0; i < row.count; ++i) {
      const Bit& bit = row.bits[i];
      offered &= has(cpuid_row(table, bit.leaf, bit.subleaf), bit);
    }
    if (offered) features.add(row.feature);
  }
  return features;
}

}  // namespace orrery::x86
