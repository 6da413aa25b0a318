// Every cell of the instruction tables is found by building that encoding and asking Zydis whether it
// decodes; the conditions of a class (ClassFlag) by changing one field at a time from an encoding that
// does. What Zydis calls the instruction then decides how an executor treats it. Everything is listed
// that may be copied: an ISA set that `feature_of` does not name, or a mnemonic that must not run, is
// `invalid`, so a newer Zydis cannot quietly widen what is executed.
#include <Zydis/Zydis.h>

#include <array>
#include <bit>
#include <map>
#include <optional>
#include <vector>

#include "base/check.h"
#include "x86/isa_table.h"
#include "x86/isa_table_generator.h"

namespace orrery::x86 {
namespace {

/// One encoding to ask about, field by field. Register bits as numbers, not inverted.
struct Probe {
  Encoding encoding = Encoding::legacy;
  u8 map = 0, opcode = 0, prefixes = 0;
  bool wide = false, register_form = false, broadcast = false, lock = false;
  u8 vector_length = 0, reg = 0, rm = 0, index = 0;
  bool r = false, r2 = false, x = false, b = false, v2 = false, zeroing = false;
  u8 vvvv = 0, mask = 0;
  bool displaced = false;  ///< [rax + 1], in a byte
};

class Bytes {
 public:
  void add(unsigned byte) { bytes_[size_++] = static_cast<u8>(byte); }
  const u8* data() const { return bytes_.data(); }
  static constexpr unsigned kSize = 15;

 private:
  std::array<u8, kSize + 1> bytes_ = {};
  unsigned size_ = 0;
};

void add_legacy(Bytes& out, const Probe& p) {
  if (p.lock) out.add(0xf0);
  if (p.prefixes & 1) out.add(0x66);
  if (p.prefixes & 2) out.add(0xf3);
  if (p.prefixes & 4) out.add(0xf2);
  if (p.wide || p.r) out.add(0x40u | (p.wide ? 8u : 0u) | (p.r ? 4u : 0u));
  if (p.map >= 1) out.add(0x0f);
  if (p.map == 2) out.add(0x38);
  if (p.map == 3) out.add(0x3a);
}

void add_vex(Bytes& out, const Probe& p) {
  out.add(0xc4);
  out.add((p.r ? 0u : 0x80u) | (p.x ? 0u : 0x40u) | (p.b ? 0u : 0x20u) | p.map);
  out.add((p.wide ? 0x80u : 0u) | ((~p.vvvv & 15u) << 3) | (unsigned{p.vector_length} << 2) | p.prefixes);
}

void add_evex(Bytes& out, const Probe& p) {
  out.add(0x62);
  out.add((p.r ? 0u : 0x80u) | (p.x ? 0u : 0x40u) | (p.b ? 0u : 0x20u) | (p.r2 ? 0u : 0x10u) | p.map);
  out.add((p.wide ? 0x80u : 0u) | ((~p.vvvv & 15u) << 3) | 4u | p.prefixes);
  out.add((p.zeroing ? 0x80u : 0u) | (unsigned{p.vector_length} << 5) | (p.broadcast ? 0x10u : 0u) |
          (p.v2 ? 0u : 8u) | p.mask);
}

Bytes encode(const Probe& p) {
  Bytes out;
  switch (p.encoding) {
    case Encoding::vex:
      add_vex(out, p);
      break;
    case Encoding::evex:
      add_evex(out, p);
      break;
    default:
      add_legacy(out, p);
      break;
  }
  out.add(p.opcode);
  out.add((p.register_form ? 0xc0u : p.displaced ? 0x40u : 0u) | (unsigned{p.reg} << 3) | p.rm);
  if (!p.register_form && p.rm == 4) out.add(unsigned{p.index} << 3);
  if (p.displaced) out.add(1);
  return out;
}

class Oracle {
 public:
  Oracle() {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder_, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  }

  std::optional<ZydisDecodedInstruction> ask(const Probe& p) const {
    const Bytes bytes = encode(p);
    ZydisDecodedInstruction instruction;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeInstruction(&decoder_, nullptr, bytes.data(), Bytes::kSize, &instruction)))
      return std::nullopt;
    return instruction;
  }
  bool valid(const Probe& p) const { return ask(p).has_value(); }

  struct Full {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  };
  std::optional<Full> ask_fully(const Probe& p) const {
    const Bytes bytes = encode(p);
    Full full;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder_, bytes.data(), Bytes::kSize, &full.instruction, full.operands)))
      return std::nullopt;
    return full;
  }

 private:
  ZydisDecoder decoder_;
};

// --- what an instruction needs of cpuid ---

struct SetFeature {
  ZydisISASet set;
  Feature feature;
};

#define SET(name, feature) \
  SetFeature { ZYDIS_ISA_SET_##name, Feature::feature }
#define SET_128_256_512(name, feature) \
  SET(name##_128, feature##_vl), SET(name##_256, feature##_vl), SET(name##_512, feature)

constexpr SetFeature kSetFeatures[] = {
    SET(I86, base),
    SET(I186, base),
    SET(I286PROTECTED, base),
    SET(I286REAL, base),
    SET(I386, base),
    SET(I486, base),
    SET(I486REAL, base),
    SET(PENTIUMREAL, base),
    SET(PENTIUMMMX, base),
    SET(PPRO, base),
    SET(X87, base),
    SET(FCMOV, base),
    SET(CMOV, base),
    SET(LONGMODE, base),
    SET(FXSAVE, base),
    SET(FXSAVE64, base),
    SET(SSE, base),
    SET(SSEMXCSR, base),
    SET(SSE_PREFETCH, base),
    SET(SSE2, base),
    SET(SSE2MMX, base),
    SET(CLFSH, base),
    SET(PAUSE, base),
    SET(FAT_NOP, base),
    SET(PREFETCH_NOP, base),
    SET(PREFETCHWT1, base),
    SET(CLDEMOTE, base),
    SET(RDPMC, base),
    SET(INVPCID, base),
    SET(AMD, base),
    SET(SSE3, sse3),
    SET(SSE3X87, sse3),
    SET(SSSE3, ssse3),
    SET(SSSE3MMX, ssse3),
    SET(SSE4, sse4_1),
    SET(SSE42, sse4_2),
    SET(POPCNT, popcnt),
    SET(LAHF, lahf),
    SET(CMPXCHG16B, cx16),
    SET(MOVBE, movbe),
    SET(LZCNT, lzcnt),
    SET(BMI1, bmi1),
    SET(BMI2, bmi2),
    SET(ADOX_ADCX, adx),
    SET(AES, aes),
    SET(PCLMULQDQ, pclmul),
    SET(SHA, sha),
    SET(GFNI, gfni),
    SET(AVX, avx),
    SET(AVX2, avx2),
    SET(AVX2GATHER, avx2),
    SET(F16C, f16c),
    SET(FMA, fma),
    SET(AVXAES, avx_aes),
    SET(AVX_GFNI, avx_gfni),
    SET(VAES, vaes),
    SET(VPCLMULQDQ, vpclmulqdq),
    SET(AVX_VNNI, avx_vnni),
    SET(RDRAND, rdrand),
    SET(RDSEED, rdseed),
    SET(RDTSCP, rdtscp),
    SET(RDPID, rdpid),
    SET(RDWRFSGS, fsgsbase),
    SET(XSAVE, xsave),
    SET(XSAVEOPT, xsaveopt),
    SET(XSAVEC, xsavec),
    SET(XSAVES, xsavec),
    SET(CLFLUSHOPT, clflushopt),
    SET(CLWB, clwb),
    SET(SERIALIZE, serialize),
    SET_128_256_512(AVX512F, avx512f),
    SET(AVX512F_128N, avx512f),
    SET(AVX512F_KOP, avx512f),
    SET(AVX512F_SCALAR, avx512f),
    SET_128_256_512(AVX512DQ, avx512dq),
    SET(AVX512DQ_128N, avx512dq),
    SET(AVX512DQ_KOP, avx512dq),
    SET(AVX512DQ_SCALAR, avx512dq),
    SET_128_256_512(AVX512BW, avx512bw),
    SET(AVX512BW_128N, avx512bw),
    SET(AVX512BW_KOP, avx512bw),
    SET_128_256_512(AVX512CD, avx512cd),
    SET_128_256_512(AVX512_IFMA, avx512_ifma),
    SET_128_256_512(AVX512_VBMI, avx512_vbmi),
    SET_128_256_512(AVX512_VBMI2, avx512_vbmi2),
    SET_128_256_512(AVX512_VNNI, avx512_vnni),
    SET_128_256_512(AVX512_BITALG, avx512_bitalg),
    SET_128_256_512(AVX512_VPOPCNTDQ, avx512_vpopcntdq),
    SET_128_256_512(AVX512_BF16, avx512_bf16),
    SET_128_256_512(AVX512_FP16, avx512_fp16),
    SET(AVX512_FP16_128N, avx512_fp16),
    SET(AVX512_FP16_SCALAR, avx512_fp16),
    SET_128_256_512(AVX512_VP2INTERSECT, avx512_vp2intersect),
    SET_128_256_512(AVX512_GFNI, avx512_gfni),
    SET_128_256_512(AVX512_VAES, avx512_vaes),
    SET_128_256_512(AVX512_VPCLMULQDQ, avx512_vpclmulqdq),
};
#undef SET_128_256_512
#undef SET

std::optional<Feature> feature_of(const ZydisDecodedInstruction& instruction) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_TZCNT:  // of BMI1, but without its VEX encoding
      if (instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY) return Feature::tzcnt;
      break;
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
      return Feature::base;  // hints without CET
    case ZYDIS_MNEMONIC_MOVDIRI:
      return Feature::movdiri;
    case ZYDIS_MNEMONIC_MOVDIR64B:
      return Feature::movdir64b;
    case ZYDIS_MNEMONIC_VPCLMULQDQ:
      if (instruction.meta.isa_set == ZYDIS_ISA_SET_PCLMULQDQ ||
          instruction.meta.isa_set == ZYDIS_ISA_SET_AVX)
        return Feature::avx_pclmul;
      break;
    default:
      break;
  }
  for (const SetFeature& row : kSetFeatures)
    if (row.set == instruction.meta.isa_set) return row.feature;
  return std::nullopt;
}

// --- how an executor must treat it ---

struct Treatment {
  Category category = Category::copy;
  Gate gate = Gate::none;
};

struct MnemonicTreatment {
  ZydisMnemonic mnemonic;
  Treatment treatment;
};

#define ROW(mnemonic, category)                                   \
  MnemonicTreatment {                                             \
    ZYDIS_MNEMONIC_##mnemonic, { Category::category, Gate::none } \
  }
#define GATED(mnemonic, gate)                                  \
  MnemonicTreatment {                                          \
    ZYDIS_MNEMONIC_##mnemonic, { Category::gated, Gate::gate } \
  }

// rdfsbase and its family are copied: fs and gs base are the guest's own in the hardware, and the
// machine reads them from there when it needs them. Loading a segment register is copied likewise.
// #UD for a program, whatever the processor: stac, clac, monitor, mwait (SDM vol. 2, their pages).
constexpr MnemonicTreatment kTreatments[] = {
    ROW(SYSCALL, syscall),
    ROW(IRET, far_transfer),
    ROW(IRETD, far_transfer),
    ROW(IRETQ, far_transfer),
    ROW(INT, trap),
    ROW(INT1, trap),
    ROW(INT3, trap),
    ROW(UD0, trap),
    ROW(UD1, trap),
    ROW(UD2, trap),
    ROW(HLT, trap),
    ROW(IN, trap),
    ROW(OUT, trap),
    ROW(INSB, trap),
    ROW(INSW, trap),
    ROW(INSD, trap),
    ROW(OUTSB, trap),
    ROW(OUTSW, trap),
    ROW(OUTSD, trap),
    ROW(CLI, trap),
    ROW(STI, trap),
    ROW(CLTS, trap),
    ROW(LGDT, trap),
    ROW(LIDT, trap),
    ROW(LLDT, trap),
    ROW(LTR, trap),
    ROW(LMSW, trap),
    ROW(INVD, trap),
    ROW(WBINVD, trap),
    ROW(INVLPG, trap),
    ROW(INVPCID, trap),
    ROW(RDMSR, trap),
    ROW(WRMSR, trap),
    ROW(RDPMC, trap),
    ROW(SWAPGS, trap),
    ROW(SYSRET, trap),
    ROW(SYSEXIT, trap),
    ROW(XSETBV, trap),
    ROW(XSAVES, trap),
    ROW(XSAVES64, trap),
    ROW(XRSTORS, trap),
    ROW(XRSTORS64, trap),
    ROW(STAC, invalid),
    ROW(CLAC, invalid),
    ROW(MONITOR, invalid),
    ROW(MWAIT, invalid),
    ROW(RSM, invalid),
    GATED(CPUID, cpuid),
    GATED(RDTSC, rdtsc),
    GATED(RDTSCP, rdtscp),
    GATED(RDPID, rdpid),
    GATED(RDRAND, rdrand),
    GATED(RDSEED, rdseed),
    GATED(XGETBV, xgetbv),
    GATED(XSAVE, xsave),
    GATED(XSAVE64, xsave),
    GATED(XSAVEC, xsavec),
    GATED(XSAVEC64, xsavec),
    GATED(XSAVEOPT, xsaveopt),
    GATED(XSAVEOPT64, xsaveopt),
    GATED(XRSTOR, xrstor),
    GATED(XRSTOR64, xrstor),
    GATED(FXSAVE, fxsave),
    GATED(FXSAVE64, fxsave),
    GATED(FXRSTOR, fxrstor),
    GATED(FXRSTOR64, fxrstor),
    GATED(FNSTENV, fnstenv),
    GATED(FNSAVE, fnsave),
    GATED(LSL, lsl),
    GATED(LAR, lar),
    GATED(VERR, verr),
    GATED(VERW, verw),
    GATED(SGDT, sgdt),
    GATED(SIDT, sidt),
    GATED(SLDT, sldt),
    GATED(STR, str),
    GATED(SMSW, smsw),
    GATED(SYSENTER, sysenter),
    GATED(POPF, popf_trap),
    GATED(POPFD, popf_trap),
    GATED(POPFQ, popf_trap),
};
#undef GATED
#undef ROW

Treatment branch_treatment(const ZydisDecodedInstruction& instruction) {
  const bool indirect = instruction.opcode == 0xff;
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      return {indirect ? Category::call_indirect : Category::call};
    case ZYDIS_CATEGORY_RET:
      return {Category::ret};
    case ZYDIS_CATEGORY_UNCOND_BR:
      return {indirect ? Category::jump_indirect : Category::jump};
    case ZYDIS_CATEGORY_COND_BR: {
      const bool loop = instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && instruction.opcode >= 0xe0;
      return {loop ? Category::loop : Category::jump_if};
    }
    default:
      CHECK(false, "a branch of a kind the generator does not know");
      return {};
  }
}

Treatment treatment_of(const ZydisDecodedInstruction& instruction) {
  for (const MnemonicTreatment& row : kTreatments)
    if (row.mnemonic == instruction.mnemonic) return row.treatment;
  if (instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
      instruction.opcode_map == ZYDIS_OPCODE_MAP_0F && (instruction.opcode & 0xfc) == 0x20)
    return {Category::trap};  // mov to and from control and debug registers
  if (instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return {Category::far_transfer};
  if (instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE) return branch_treatment(instruction);
  if (instruction.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) return {Category::trap};
  return {};
}

// --- one cell ---

bool is_vector(const Probe& p) { return p.encoding == Encoding::vex || p.encoding == Encoding::evex; }

/// A first encoding of this cell that decodes, trying the few shapes that differ between instructions.
std::optional<Probe> find_valid(const Oracle& oracle, Probe p) {
  if (!is_vector(p)) return oracle.valid(p) ? std::optional(p) : std::nullopt;
  p.index = p.reg ^ 2;
  const u8 other = p.reg ^ 1;  // a register form's rm; a memory operand is [rax], or needs a SIB byte
  for (u8 rm : {p.register_form ? other : u8{0}, p.register_form ? other : u8{4}}) {
    p.rm = rm;
    for (u8 vvvv : {u8{0}, u8(p.reg ^ 4)}) {
      p.vvvv = vvvv;
      for (u8 mask : {u8{0}, u8{1}}) {
        if (mask && p.encoding != Encoding::evex) continue;
        p.mask = mask;
        if (oracle.valid(p)) return p;
      }
    }
  }
  return std::nullopt;
}

template <class Change>
bool valid_with(const Oracle& oracle, Probe p, Change change) {
  change(p);
  return oracle.valid(p);
}

u32 vvvv_flags(const Oracle& oracle, const Probe& p) {
  const u8 low = (p.reg ^ 4) ? u8(p.reg ^ 4) : u8(p.reg ^ 5);
  const bool low_valid = valid_with(oracle, p, [&](Probe& q) { q.vvvv = low; });
  const bool high_valid = valid_with(oracle, p, [&](Probe& q) { q.vvvv = low | 8; });
  if (!low_valid && !high_valid) return kVvvvUnused;
  return high_valid ? 0u : u32{kVvvvLow};
}

u32 extension_flags(const Oracle& oracle, const Probe& p) {
  u32 flags = vvvv_flags(oracle, p);
  if (!valid_with(oracle, p, [](Probe& q) { q.r = true; })) flags |= kNoR;
  if (p.register_form && !valid_with(oracle, p, [](Probe& q) { q.b = true; })) flags |= kNoB;
  if (p.register_form && !valid_with(oracle, p, [](Probe& q) { q.x = true; })) flags |= kNoX;
  if (p.encoding == Encoding::evex) {
    if (!valid_with(oracle, p, [](Probe& q) { q.r2 = true; })) flags |= kNoR2;
    if (!valid_with(oracle, p, [](Probe& q) { q.v2 = true; })) flags |= kNoV2;
  }
  return flags;
}

u32 mask_flags(const Oracle& oracle, const Probe& p) {
  if (p.encoding != Encoding::evex) return 0;
  u32 flags = 0;
  if (!valid_with(oracle, p, [](Probe& q) { q.mask = 0; })) flags |= kMaskRequired;
  if (!valid_with(oracle, p, [](Probe& q) { q.mask = 1; })) flags |= kMaskForbidden;
  if (!valid_with(oracle, p, [](Probe& q) { q.mask = q.mask ? q.mask : 1, q.zeroing = true; }))
    flags |= kZeroingForbidden;
  return flags;
}

u32 distinct_flags(const Oracle& oracle, const Probe& p, u32 flags) {
  const bool has_vvvv = !(flags & kVvvvUnused);
  u32 found = 0;
  if (!p.register_form && p.rm == 4) {
    found |= kVsib;
    if (!valid_with(oracle, p, [](Probe& q) { q.index = q.reg; })) found |= kRegNotIndex;
    if (has_vvvv && !valid_with(oracle, p, [](Probe& q) { q.vvvv = q.index; })) found |= kVvvvNotIndex;
  }
  if (has_vvvv && !valid_with(oracle, p, [](Probe& q) { q.vvvv = q.reg; })) found |= kRegNotVvvv;
  if (p.register_form && !valid_with(oracle, p, [](Probe& q) { q.rm = q.reg; })) found |= kRegNotRm;
  return found;
}

u32 legacy_flags(const Oracle& oracle, const Probe& p) {
  u32 flags = 0;
  if (!p.register_form && valid_with(oracle, p, [](Probe& q) { q.lock = true; })) flags |= kLockAllowed;
  if (!valid_with(oracle, p, [](Probe& q) { q.r = true; })) flags |= kNoR;
  return flags;
}

u32 flags_of(const Oracle& oracle, const Probe& p) {
  if (!is_vector(p)) return legacy_flags(oracle, p);
  const u32 flags = extension_flags(oracle, p) | mask_flags(oracle, p);
  return flags | distinct_flags(oracle, p, flags);
}

InstructionClass class_of(const Oracle& oracle, const Probe& cell) {
  const std::optional<Probe> p = find_valid(oracle, cell);
  if (!p) return {};
  const ZydisDecodedInstruction instruction = *oracle.ask(*p);
  const std::optional<Feature> feature = feature_of(instruction);
  const Treatment treatment = treatment_of(instruction);
  if (!feature || treatment.category == Category::invalid) return {};
  return {treatment.category, treatment.gate, *feature, flags_of(oracle, *p)};
}

// --- what it does to its memory operand ---

enum class Pattern : u8 { none, whole, chosen };  // x86::OperandPattern

/// Instructions that name memory and do not access it, and those whose registers choose what they access.
Pattern pattern_of(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
  if (instruction.meta.category == ZYDIS_CATEGORY_PREFETCH) return Pattern::none;
  if (operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB) return Pattern::chosen;
  if (operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) return Pattern::none;
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_CLDEMOTE:
      return Pattern::none;
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
    case ZYDIS_MNEMONIC_MOVDIR64B:
      return Pattern::chosen;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      return instruction.opcode == 0xba ? Pattern::whole : Pattern::chosen;
    default:
      return Pattern::whole;
  }
}

/// How far one step of an 8-bit displacement goes (SDM vol. 2, 2.7.5), as a power of two.
u32 displacement_shift(const Oracle& oracle, Probe p, int index) {
  p.displaced = true;
  const auto full = oracle.ask_fully(p);
  CHECK(full && full->operands[index].mem.disp.value > 0, "an operand without its displacement");
  return static_cast<u32>(std::countr_zero(static_cast<u64>(full->operands[index].mem.disp.value)));
}

/// Instructions under a mask that do not access what it leaves out (SDM vol. 2, 2.7.11: their classes have no
/// NF): the size of an element. 0 of those that access all.
u32 element_bytes(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
  switch (instruction.meta.exception_class) {
    case ZYDIS_EXCEPTION_CLASS_E1:
    case ZYDIS_EXCEPTION_CLASS_E2:
    case ZYDIS_EXCEPTION_CLASS_E3:
    case ZYDIS_EXCEPTION_CLASS_E4:
    case ZYDIS_EXCEPTION_CLASS_E5:
    case ZYDIS_EXCEPTION_CLASS_E6:
    case ZYDIS_EXCEPTION_CLASS_E10:
    case ZYDIS_EXCEPTION_CLASS_E11:
      return operand.element_size / 8u;
    default:
      return 0;
  }
}

/// Pattern and bytes of an element, kind, size in bytes, displacement shift.
using AccessRow = std::array<u32, 4>;

AccessRow access_of(const Oracle& oracle, Probe cell) {
  const std::optional<Probe> p = find_valid(oracle, cell);
  if (cell.register_form || !p) return {};
  const auto full = oracle.ask_fully(*p);
  for (int i = 0; i < full->instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = full->operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
      continue;
    if ((full->instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM) == 0) return {};
    const Pattern pattern = pattern_of(full->instruction, operand);
    const bool reads = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    if (pattern == Pattern::none || (!reads && !writes)) return {};
    const u32 shift = p->encoding == Encoding::evex ? displacement_shift(oracle, *p, i) : 0;
    const bool masked = p->encoding == Encoding::evex && element_bytes(full->instruction, operand) != 0;
    const u32 element = masked ? element_bytes(full->instruction, operand) : 0;
    return {u32(pattern) | element << 8, (reads ? 1u : 0u) | (writes ? 2u : 0u), operand.size / 8u, shift};
  }
  return {};
}

// --- the tree of shared rows ---

/// Numbers equal rows alike.
template <class Row>
class Pool {
 public:
  u16 number(const Row& row) {
    const auto [place, added] = numbers_.try_emplace(row, static_cast<u16>(rows_.size()));
    if (added) rows_.push_back(row);
    return place->second;
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::map<Row, u16> numbers_;
  std::vector<Row> rows_;
};

using Row8 = std::array<u16, 8>;
using Row32 = std::array<u16, 32>;
constexpr u16 kByRm = 0x8000;

struct Map {
  Encoding encoding;
  u8 map;
};
constexpr Map kMaps[] = {
    {Encoding::legacy, 0}, {Encoding::legacy, 1}, {Encoding::legacy, 2}, {Encoding::legacy, 3},
    {Encoding::vex, 1},    {Encoding::vex, 2},    {Encoding::vex, 3},    {Encoding::evex, 1},
    {Encoding::evex, 2},   {Encoding::evex, 3},   {Encoding::evex, 5},   {Encoding::evex, 6},
};

/// What a cell's number stands for.
using Row4 = std::array<u32, 4>;
using CellOf = Row4 (*)(const Oracle& oracle, const Probe& p);

Row4 class_cell(const Oracle& oracle, const Probe& p) {
  const InstructionClass found = class_of(oracle, p);
  return {u32(found.category), u32(found.gate), u32(found.feature), found.flags};
}

struct Builder {
  explicit Builder(CellOf cell) : cell_of(cell) {}

  CellOf cell_of;
  Oracle oracle;
  Pool<Row4> classes;
  Pool<Row8> rm_rows, reg_rows, prefix_groups;
  Pool<Row32> leaves;

  u16 class_number(const Probe& p) { return classes.number(cell_of(oracle, p)); }

  u16 reg_entry(Probe p) {
    if (is_vector(p) || !p.register_form) return class_number(p);
    Row8 row;
    for (p.rm = 0; p.rm < 8; ++p.rm) row[p.rm] = class_number(p);
    for (u16 entry : row)
      if (entry != row[0]) return static_cast<u16>(kByRm | rm_rows.number(row));
    return row[0];
  }

  u16 reg_row(Probe p) {
    Row8 row;
    for (p.reg = 0; p.reg < 8; ++p.reg) row[p.reg] = reg_entry(p);
    return reg_rows.number(row);
  }

  u16 leaf(Probe p) {
    Row32 row;
    for (unsigned i = 0; i < row.size(); ++i) {
      p.wide = i & 1;
      p.register_form = i & 2;
      p.vector_length = (i >> 2) & 3;
      p.broadcast = i & 16;
      const bool exists = p.encoding == Encoding::evex || (i < 8 && (p.encoding == Encoding::vex || i < 4));
      row[i] = exists ? reg_row(p) : reg_rows.number({});
    }
    return leaves.number(row);
  }

  u16 prefix_group(Probe p) {
    Row8 row = {};
    const unsigned combinations = is_vector(p) ? 4 : 6;
    for (unsigned i = 0; i < combinations; ++i) {
      p.prefixes = static_cast<u8>(i);
      row[i] = leaf(p);
    }
    for (unsigned i = combinations; i < row.size(); ++i) row[i] = row[0];
    return prefix_groups.number(row);
  }
};

// --- the text ---

template <class Rows>
void write_rows(std::string& out, const char* type_and_name, const Rows& rows) {
  out += std::string("constexpr ") + type_and_name + " = {\n";
  for (const auto& row : rows) {
    out += "    {";
    for (auto number : row) out += std::to_string(number) + ",";
    out.back() = '}';
    out += ",\n";
  }
  out += "};\n\n";
}

std::string write_classes(const std::vector<Row4>& classes) {
  std::string out = "constexpr InstructionClass kClasses[] = {\n";
  for (const auto& row : classes)
    out += "    {Category{" + std::to_string(row[0]) + "}, Gate{" + std::to_string(row[1]) + "}, Feature{" +
           std::to_string(row[2]) + "}, " + std::to_string(row[3]) + "},\n";
  return out + "};\n\n";
}

std::vector<std::array<u16, 256>> build_maps(Builder& builder) {
  builder.classes.number({});
  builder.reg_rows.number({});
  std::vector<std::array<u16, 256>> maps;
  for (const Map& map : kMaps) {
    std::array<u16, 256> row;
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      Probe p;
      p.encoding = map.encoding;
      p.map = map.map;
      p.opcode = static_cast<u8>(opcode);
      row[opcode] = builder.prefix_group(p);
    }
    maps.push_back(row);
  }
  return maps;
}

constexpr const char* kHeading =
    "// Generated by isa_table_generator_hosted.cc from Zydis; do not edit. Regenerate:\n"
    "// ORRERY_UPDATE=1 x86_test --gtest_filter='IsaTable.*'\n\n";

/// All but the cells' own table.
std::string write_tree(const Builder& builder, const std::vector<std::array<u16, 256>>& maps) {
  std::string out;
  write_rows(out, "u16 kRegRows[][8]", builder.reg_rows.rows());
  write_rows(out, "u16 kLeaves[][32]", builder.leaves.rows());
  write_rows(out, "u16 kPrefixGroups[][8]", builder.prefix_groups.rows());
  write_rows(out, "u16 kMaps[][256]", maps);
  return out;
}

}  // namespace

std::string generate_isa_table() {
  Builder builder(class_cell);
  const auto maps = build_maps(builder);
  std::string out = kHeading + std::string("constexpr u16 kByRm = 0x8000;\n\n");
  out += write_classes(builder.classes.rows());
  write_rows(out, "u16 kRmRows[][8]", builder.rm_rows.rows());
  return out + write_tree(builder, maps);
}

std::string generate_access_table() {
  Builder builder([](const Oracle& oracle, const Probe& p) { return Row4(access_of(oracle, p)); });
  const auto maps = build_maps(builder);
  std::string out = kHeading;
  out += "constexpr OperandAccess kOperandAccesses[] = {\n";
  for (const Row4& row : builder.classes.rows())
    out += "    {OperandPattern{" + std::to_string(row[0] & 0xff) + "}, AccessKind{" +
           std::to_string(row[1]) + "}, " + std::to_string(row[2]) + ", " + std::to_string(row[3]) + ", " +
           std::to_string(row[0] >> 8) + "},\n";
  return out + "};\n\n" + write_tree(builder, maps);
}

}  // namespace orrery::x86
