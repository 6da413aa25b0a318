// The decoder against Zydis, on real code and on random bytes, and case by case where the two are
// meant to differ: what the machine hides, gates or refuses.
#include "x86/decode.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "x86/approximation.h"
#include "x86/isa_table.h"

namespace orrery::x86 {
namespace {

std::string hex(std::span<const u8> bytes) {
  std::string out;
  for (u8 byte : bytes) {
    char text[4];
    std::snprintf(text, sizeof text, "%02x ", byte);
    out += text;
  }
  return out;
}

class Zydis {
 public:
  Zydis() {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder_, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  }
  bool decode(std::span<const u8> bytes, ZydisDecodedInstruction& out) const {
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, nullptr, bytes.data(), bytes.size(), &out));
  }

 private:
  ZydisDecoder decoder_;
};

constexpr ZydisISASet kHiddenSets[] = {ZYDIS_ISA_SET_RTM,
                                       ZYDIS_ISA_SET_PKU,
                                       ZYDIS_ISA_SET_XOP,
                                       ZYDIS_ISA_SET_FMA4,
                                       ZYDIS_ISA_SET_TBM,
                                       ZYDIS_ISA_SET_LWP,
                                       ZYDIS_ISA_SET_SSE4A,
                                       ZYDIS_ISA_SET_AMD3DNOW,
                                       ZYDIS_ISA_SET_AMX_BF16,
                                       ZYDIS_ISA_SET_AMX_INT8,
                                       ZYDIS_ISA_SET_AMX_TILE,
                                       ZYDIS_ISA_SET_CET,
                                       ZYDIS_ISA_SET_UINTR,
                                       ZYDIS_ISA_SET_WAITPKG,
                                       ZYDIS_ISA_SET_ENQCMD,
                                       ZYDIS_ISA_SET_PT,
                                       ZYDIS_ISA_SET_TSX_LDTRK,
                                       ZYDIS_ISA_SET_KEYLOCKER,
                                       ZYDIS_ISA_SET_KEYLOCKER_WIDE,
                                       ZYDIS_ISA_SET_SGX,
                                       ZYDIS_ISA_SET_SGX_ENCLV,
                                       ZYDIS_ISA_SET_VTX,
                                       ZYDIS_ISA_SET_SVM,
                                       ZYDIS_ISA_SET_VMFUNC,
                                       ZYDIS_ISA_SET_MONITOR,
                                       ZYDIS_ISA_SET_MONITORX,
                                       ZYDIS_ISA_SET_PCONFIG,
                                       ZYDIS_ISA_SET_SNP,
                                       ZYDIS_ISA_SET_SMX,
                                       ZYDIS_ISA_SET_TDX,
                                       ZYDIS_ISA_SET_HRESET,
                                       ZYDIS_ISA_SET_CLZERO,
                                       ZYDIS_ISA_SET_RDPRU,
                                       ZYDIS_ISA_SET_MCOMMIT,
                                       ZYDIS_ISA_SET_AMD_INVLPGB,
                                       ZYDIS_ISA_SET_PADLOCK_ACE,
                                       ZYDIS_ISA_SET_PADLOCK_PHE,
                                       ZYDIS_ISA_SET_PADLOCK_PMM,
                                       ZYDIS_ISA_SET_PADLOCK_RNG,
                                       ZYDIS_ISA_SET_AVX512ER_512,
                                       ZYDIS_ISA_SET_AVX512ER_SCALAR,
                                       ZYDIS_ISA_SET_AVX512PF_512,
                                       ZYDIS_ISA_SET_AVX512_4FMAPS_512,
                                       ZYDIS_ISA_SET_AVX512_4FMAPS_SCALAR,
                                       ZYDIS_ISA_SET_AVX512_4VNNIW_512,
                                       ZYDIS_ISA_SET_MPX,
                                       ZYDIS_ISA_SET_KNCE,
                                       ZYDIS_ISA_SET_KNCJKBR,
                                       ZYDIS_ISA_SET_KNCSTREAM,
                                       ZYDIS_ISA_SET_KNCV,
                                       ZYDIS_ISA_SET_KNC_MISC,
                                       ZYDIS_ISA_SET_KNC_PF_HINT};

/// Instructions the machine does not have although Zydis knows them.
bool hidden(const ZydisDecodedInstruction& z) {
  switch (z.mnemonic) {
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
      return false;
    case ZYDIS_MNEMONIC_STAC:
    case ZYDIS_MNEMONIC_CLAC:
    case ZYDIS_MNEMONIC_RSM:
      return true;
    default:
      break;
  }
  return std::find(std::begin(kHiddenSets), std::end(kHiddenSets), z.meta.isa_set) != std::end(kHiddenSets);
}

/// Whether plain_length() says of the first instruction of `bytes` what decode() says.
bool plain_agrees(std::span<const u8> bytes, const Decoded& decoded) {
  const u8 length = plain_length(bytes);
  if (length == 0) return true;
  return bytes.size() >= 15 && length == decoded.length && decoded.category == Category::copy &&
         decoded.feature == static_cast<u8>(Feature::base) && !decoded.rip_relative &&
         !is_approximation(decoded);
}

/// Empty when the two agree about the first instruction of `bytes`.
std::string difference(const Zydis& zydis, std::span<const u8> bytes) {
  ZydisDecodedInstruction z;
  const Decoded mine = decode(bytes);
  if (!plain_agrees(bytes, mine)) return "plain length";
  const bool valid = zydis.decode(bytes, z) && !hidden(z);
  const bool mine_valid = mine.category != Category::invalid && mine.length != 0 && !mine.too_long;
  const std::string name = valid ? ZydisMnemonicGetString(z.mnemonic) : "invalid";
  if (valid != mine_valid) return name + (mine_valid ? " accepted" : " refused");
  if (!valid) return {};
  if (z.length != mine.length) return name + " length";
  if (((z.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0) != mine.has_modrm) return name + " modrm";
  if (mine.has_modrm && z.raw.modrm.offset != mine.modrm_offset) return name + " modrm offset";
  if (z.raw.disp.size / 8 != mine.displacement_bytes) return name + " displacement size";
  if (mine.displacement_bytes && z.raw.disp.offset != mine.displacement_offset)
    return name + " displacement offset";
  if (mine.has_modrm && mine.displacement_bytes && z.raw.disp.value != mine.displacement)
    return name + " displacement";
  if ((z.raw.imm[0].size + z.raw.imm[1].size) / 8 != mine.immediate_bytes) return name + " immediate size";
  if (mine.immediate_bytes && z.raw.imm[0].offset != mine.immediate_offset) return name + " immediate offset";
  return {};
}

/// Collects differences by kind, so that one wrong row is one line.
class Differences {
 public:
  void add(const std::string& kind, std::span<const u8> bytes) {
    if (kind.empty()) return;
    ++count_;
    for (const std::string& known : kinds_)
      if (known == kind) return;
    kinds_.push_back(kind);
    if (kinds_.size() <= 60) text_ += kind + ": " + hex(bytes) + "\n";
  }
  u64 count() const { return count_; }
  const std::string& text() const { return text_; }

 private:
  u64 count_ = 0;
  std::vector<std::string> kinds_;
  std::string text_;
};

void compare_file(const char* path, u64 plain_tenths_least) {
  std::ifstream file(path, std::ios::binary);
  if (!file) GTEST_SKIP() << path << " is not here";
  const std::vector<u8> image((std::istreambuf_iterator<char>(file)), {});
  Elf64_Ehdr header;
  std::memcpy(&header, image.data(), sizeof header);
  const Zydis zydis;
  Differences differences;
  u64 instructions = 0, plain = 0;
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, image.data() + header.e_shoff + static_cast<u64>(i) * sizeof section,
                sizeof section);
    if (!(section.sh_flags & SHF_EXECINSTR)) continue;
    std::span<const u8> code(image.data() + section.sh_offset, section.sh_size);
    while (!code.empty()) {
      const auto bytes = code.first(std::min<u64>(code.size(), 15));
      differences.add(difference(zydis, bytes), bytes);
      ZydisDecodedInstruction z;
      code = code.subspan(zydis.decode(bytes, z) ? z.length : 1);
      ++instructions;
      plain += plain_length(bytes) != 0;
    }
  }
  EXPECT_GT(instructions, 10'000u);
  EXPECT_EQ(differences.count(), 0u) << differences.text();
  EXPECT_GT(plain * 10, instructions * plain_tenths_least);
}

TEST(Decode, AgreesWithZydisOnLibc) { compare_file("/lib/x86_64-linux-gnu/libc.so.6", 5); }
TEST(Decode, AgreesWithZydisOnLibcrypto) { compare_file("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 3); }
TEST(Decode, AgreesWithZydisOnPython) { compare_file("/usr/bin/python3", 5); }

/// Random bytes that begin like instructions more often than chance would have it.
class Fuzzer {
 public:
  explicit Fuzzer(u64 seed) : random_(seed) {}

  std::array<u8, 15> next() {
    std::array<u8, 15> bytes;
    for (u8& byte : bytes) byte = random_byte();
    u64 at = 0;
    for (u64 prefixes = random_() % 4; prefixes > 0; --prefixes) bytes[at++] = prefix();
    switch (random_() % 8) {
      case 0:
        break;
      case 1:
        bytes[at] = 0x0f;
        break;
      case 2:
        bytes[at] = 0x0f, bytes[at + 1] = random_() % 2 ? 0x38 : 0x3a;
        break;
      case 3:
        bytes[0] = 0xc5;
        break;
      case 4:
        bytes[0] = 0xc4, bytes[1] = static_cast<u8>((bytes[1] & 0xe0) | (1 + random_() % 3));
        break;
      case 5:
        evex(bytes);
        break;
      case 6:
        evex(bytes), bytes[3] &= 0x78;
        break;
      default:
        bytes[at] = 0x0f, bytes[at + 1] = tight_[random_() % sizeof tight_];
        break;
    }
    return bytes;
  }

 private:
  static constexpr u8 tight_[] = {0x00, 0x01, 0xae, 0xc7, 0x18, 0x1e, 0xff, 0xb9, 0x0d, 0x71, 0x72, 0x73};
  static constexpr u8 prefixes_[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x48, 0x41, 0x44, 0x4f, 0x40};
  u8 random_byte() { return static_cast<u8>(random_()); }
  u8 prefix() { return prefixes_[random_() % sizeof prefixes_]; }
  void evex(std::array<u8, 15>& bytes) {
    bytes[0] = 0x62;
    bytes[1] &= 0xf7;
    bytes[2] |= 4;
  }
  std::mt19937_64 random_;
};

/// How many random cases: ORRERY_CASES, or a share that takes about a second.
u64 cases(u64 otherwise) {
  const char* text = std::getenv("ORRERY_CASES");
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Decode, AgreesWithZydisOnRandomBytes) {
  const char* seed_text = std::getenv("ORRERY_SEED");
  const u64 seed = seed_text ? std::strtoull(seed_text, nullptr, 10) : std::random_device()();
  Fuzzer fuzzer(seed);
  const Zydis zydis;
  Differences differences;
  for (u64 i = cases(2'000'000); i > 0; --i) {
    const auto bytes = fuzzer.next();
    differences.add(difference(zydis, bytes), bytes);
  }
  EXPECT_EQ(differences.count(), 0u) << "seed " << seed << "\n" << differences.text();
}

TEST(Decode, NeverReadsPastTheEnd) {
  Fuzzer fuzzer(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto bytes = fuzzer.next();
    const Decoded whole = decode(bytes);
    for (u64 size = 0; size < whole.length && !whole.too_long; ++size) {
      const std::vector<u8> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
      EXPECT_EQ(decode(cut).length, 0) << hex(cut);
    }
  }
}

}  // namespace
}  // namespace orrery::x86
