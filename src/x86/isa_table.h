// The instruction set as data: for every encoding, map, opcode, prefix combination, W, vector length
// and ModRM.reg (and ModRM.rm where that selects the instruction) one InstructionClass says whether
// such an instruction exists, what it needs of cpuid, and how an executor must treat it. The numbers
// (isa_table.inc) are generated from Zydis by isa_table_generator_hosted.cc; x86_test regenerates and
// compares them. An encoding that no row names is `invalid`: it is never copied.
#pragma once

#include <span>

#include "base/types.h"
#include "x86/decode.h"
#include "x86/gate.h"

namespace orrery::x86 {

/// What cpuid must offer for an instruction to exist. One entry stands for everything an encoding
/// needs together (avx512bw_vl: AVX512BW and AVX512VL). `base` is x86-64-v1: x87, MMX, SSE, SSE2,
/// CMOV, CX8, FXSR.
enum class Feature : u8 {
  base,
  sse3,
  ssse3,
  sse4_1,
  sse4_2,
  popcnt,
  lahf,
  cx16,
  movbe,
  lzcnt,
  bmi1,
  bmi2,
  adx,
  aes,
  pclmul,
  sha,
  gfni,
  avx,
  avx2,
  f16c,
  fma,
  avx_aes,
  avx_pclmul,
  avx_gfni,
  vaes,
  vpclmulqdq,
  avx_vnni,
  rdrand,
  rdseed,
  rdtscp,
  rdpid,
  fsgsbase,
  xsave,
  xsaveopt,
  xsavec,
  clflushopt,
  clwb,
  movdiri,
  movdir64b,
  serialize,
  avx512f,
  avx512f_vl,
  avx512dq,
  avx512dq_vl,
  avx512bw,
  avx512bw_vl,
  avx512cd,
  avx512cd_vl,
  avx512_ifma,
  avx512_ifma_vl,
  avx512_vbmi,
  avx512_vbmi_vl,
  avx512_vbmi2,
  avx512_vbmi2_vl,
  avx512_vnni,
  avx512_vnni_vl,
  avx512_bitalg,
  avx512_bitalg_vl,
  avx512_vpopcntdq,
  avx512_vpopcntdq_vl,
  avx512_bf16,
  avx512_bf16_vl,
  avx512_fp16,
  avx512_fp16_vl,
  avx512_vp2intersect,
  avx512_vp2intersect_vl,
  avx512_gfni,
  avx512_gfni_vl,
  avx512_vaes,
  avx512_vaes_vl,
  avx512_vpclmulqdq,
  avx512_vpclmulqdq_vl,
  tzcnt,
  count,
};
inline constexpr int kFeatureCount = static_cast<int>(Feature::count);

/// A set of Feature.
class FeatureSet {
 public:
  constexpr void add(Feature feature) { words_[index(feature)] |= bit(feature); }
  constexpr void remove(Feature feature) { words_[index(feature)] &= ~bit(feature); }
  constexpr bool contains(Feature feature) const { return (words_[index(feature)] & bit(feature)) != 0; }
  bool operator==(const FeatureSet&) const = default;

 private:
  static constexpr unsigned index(Feature feature) { return static_cast<unsigned>(feature) / 64; }
  static constexpr u64 bit(Feature feature) { return u64{1} << (static_cast<unsigned>(feature) % 64); }
  u64 words_[2] = {};
};
static_assert(kFeatureCount <= 128);

/// False when a processor with these features would raise #UD.
inline bool offered(const FeatureSet& features, const Decoded& decoded) {
  return features.contains(static_cast<Feature>(decoded.feature));
}

/// lzcnt and tzcnt are bsr and bsf behind a rep prefix that means nothing to a processor without them, and
/// programs find out by trying (SDM vol. 2, LZCNT). Whether `decoded` is one to such a processor:
inline bool is_bit_scan_to_narrow(const FeatureSet& features, const Decoded& decoded) {
  const auto feature = static_cast<Feature>(decoded.feature);
  return (feature == Feature::lzcnt || feature == Feature::tzcnt) && decoded.category == Category::copy &&
         !features.contains(feature);
}
/// Makes `bytes` and `decoded` what it sees.
void narrow_bit_scan(const FeatureSet& features, Decoded& decoded, std::span<u8> bytes);

/// Conditions on an encoding's fields that raise #UD when they do not hold. R, X, B, R', V', vvvv are
/// meant as register number bits (after the VEX/EVEX inversion).
enum ClassFlag : u32 {
  kLockAllowed = 1u << 0,        ///< F0 is allowed (with a memory operand)
  kVvvvUnused = 1u << 1,         ///< vvvv must be 0
  kVvvvLow = 1u << 2,            ///< vvvv must be below 8 (opmask register)
  kNoV2 = 1u << 3,               ///< EVEX.V' must be 0
  kNoR = 1u << 4,                ///< R must be 0
  kNoR2 = 1u << 5,               ///< EVEX.R' must be 0
  kNoX = 1u << 6,                ///< X must be 0 (register form)
  kNoB = 1u << 7,                ///< B must be 0 (register form)
  kVsib = 1u << 8,               ///< the memory operand must have a SIB byte
  kMaskRequired = 1u << 9,       ///< EVEX.aaa must not be 0
  kMaskForbidden = 1u << 10,     ///< EVEX.aaa must be 0
  kZeroingForbidden = 1u << 11,  ///< EVEX.z must be 0
  kRegNotVvvv = 1u << 12,        ///< ModRM.reg and vvvv must name different registers
  kRegNotRm = 1u << 13,          ///< ModRM.reg and ModRM.rm must name different registers
  kRegNotIndex = 1u << 14,       ///< ModRM.reg and the vector index must differ
  kVvvvNotIndex = 1u << 15,      ///< vvvv and the vector index must differ
};

struct InstructionClass {
  Category category = Category::invalid;
  Gate gate = Gate::none;
  Feature feature = Feature::base;
  u32 flags = 0;
  bool operator==(const InstructionClass&) const = default;
};

/// The instruction tables' key. `prefixes`: legacy: 1 (66) + 2 (F3) or 4 (F2); VEX and EVEX: pp.
/// `map` as in Decoded. `broadcast` is EVEX.b.
struct ClassKey {
  Encoding encoding = Encoding::legacy;
  u8 map = 0;
  u8 opcode = 0;
  u8 prefixes = 0;
  bool wide = false;           ///< W
  bool register_form = false;  ///< ModRM.mod == 3
  u8 vector_length = 0;        ///< L or L'L
  bool broadcast = false;
  u8 reg = 0;  ///< ModRM.reg, 0..7
  u8 rm = 0;   ///< ModRM.rm, 0..7
};

InstructionClass find_class(const ClassKey& key);

/// The opcodes of the two oldest legacy maps (one-byte and 0F) that are copied as they stand and need nothing
/// of cpuid, whatever W and ModRM.reg and ModRM.rm say: for each combination of prefixes (as in ClassKey) and
/// each form. rcpps and its kin are not among them, because a profile may fix their results.
struct PlainOpcodes {
  static constexpr unsigned kPrefixes = 5;
  u64 words[2][kPrefixes][2][4] = {};
  constexpr bool contains(unsigned map, unsigned prefixes, bool register_form, u8 opcode) const {
    return (words[map][prefixes][register_form ? 1 : 0][opcode / 64] >> (opcode % 64) & 1) != 0;
  }
};
extern const PlainOpcodes kPlainOpcodes;

}  // namespace orrery::x86
