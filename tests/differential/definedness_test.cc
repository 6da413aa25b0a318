// The rules of definedness against the processor: an instruction is executed from a state, and from others
// that differ from it only in bits that are said to be undefined. What is then said to be defined is the
// same after all of them.
#include "translate/definedness.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "campaign.h"
#include "generator.h"
#include "guest_memory.h"
#include "memory/guarded_copy.h"
#include "runner.h"
#include "translate/instruction_accesses.h"
#include "translate/touched_registers.h"
#include "x86/cpu_profile.h"

namespace orrery::differential {
namespace {

using translate::FlagBits;
using translate::UndefinedBits;
using translate::UndefinedUse;
using x86::Decoded;

constexpr u64 kVariants = 6;
constexpr u64 kXmm = 160, kYmm = 576, kHalf = 16;  // SDM vol. 1, 13.4 and 13.5.6
constexpr int kFailuresMost = 12;

class Memory final : public translate::DefinednessMemory {
 public:
  explicit Memory(const VectorImage& image) {
    std::memcpy(image_.bytes, image.bytes.data(), image.bytes.size());
  }
  void load(u64 address, u8* bits, u64 size) override {
    for (u64 at = 0; at < size; ++at)
      bits[at] = undefined.contains(address + at) ? undefined[address + at] : 0;
  }
  void store(u64 address, const u8* bits, u64 size) override {
    for (u64 at = 0; at < size; ++at) undefined[address + at] = bits[at];
  }
  void values(u64 address, u8* bytes, u64 size) override {
    memory::guarded_copy(bytes, reinterpret_cast<const u8*>(address), size);
  }
  const cpu::VectorImage& vectors() override { return image_; }

  std::map<u64, u8> undefined;

 private:
  cpu::VectorImage image_;
};

/// Flags that the SDM leaves undefined after an instruction, and that no rule is about.
u64 flags_not_looked_at(const Decoded& decoded) {
  using F = FlagBits;
  u64 none = F::kAdjust;
  const bool legacy = decoded.encoding == x86::Encoding::legacy;
  const u8 opcode = decoded.opcode;
  if (legacy && decoded.map == 0) {
    const u8 group = opcode & 0xfe;
    if (group == 0xc0 || group == 0xd0 || group == 0xd2) none |= F::kOverflow;
    if (group == 0xf6 && decoded.modrm_reg() >= 4) none |= F::kAll & ~(F::kCarry | F::kOverflow);
    if (group == 0xf6 && decoded.modrm_reg() >= 6) none = F::kAll;
    if (opcode == 0x69 || opcode == 0x6b) none |= F::kAll & ~(F::kCarry | F::kOverflow);
  }
  if (legacy && decoded.map == 1) {
    if (opcode == 0xaf) none |= F::kAll & ~(F::kCarry | F::kOverflow);
    if (opcode == 0xbc || opcode == 0xbd)
      none = decoded.has_f3 ? F::kAll & ~(F::kCarry | F::kZero) : F::kAll & ~F::kZero;
    if (opcode == 0xa3 || opcode == 0xab || opcode == 0xb3 || opcode == 0xbb || opcode == 0xba)
      none = F::kAll & ~F::kCarry;
    if (opcode == 0xa4 || opcode == 0xa5 || opcode == 0xac || opcode == 0xad) none |= F::kOverflow;
  }
  if (decoded.encoding == x86::Encoding::vex && decoded.map == 2)
    none |= F::kParity | F::kOverflow | F::kSign;
  return none;
}

struct Case {
  std::vector<u8> code;
  Decoded decoded;
  ProcessorState start;
  UndefinedBits before;
  std::map<u64, u8> memory;
};

class Campaign {
 public:
  explicit Campaign(u64 seed)
      : features_(x86::make_cpu_profile("host", x86::this_cpu(getauxval(AT_HWCAP2))).value().features),
        generator_(seed, features_),
        random_(seed) {}

  void run(u64 cases) {
    for (u64 done = 0; done < cases && failures_ < kFailuresMost; ++done) one();
  }
  u64 compared() const { return compared_; }

  /// What touched_registers() says beside the rules.
  void run_untouched(u64 cases) {
    for (u64 done = 0; done < cases && failures_ < kFailuresMost; ++done) one_untouched();
  }

 private:
  u64 some_bits() {
    switch (random_() % 6) {
      case 0:
        return 0;
      case 1:
        return ~u64{0};
      case 2:
        return u64{1} << random_() % 64;
      case 3:
        return u64{0xff} << random_() % 8 * 8;
      case 4:
        return random_() & random_() & random_();
      default:
        return u64{0xffff'ffff} << random_() % 2 * 32;
    }
  }

  bool prepare(Case& each) {
    each.code = generator_.instruction(kCode, true);
    each.decoded = x86::decode(each.code);
    each.start = generator_.state();
    each.start.regs.rip = kCode;
    const auto& decoded = each.decoded;
    if (decoded.category != x86::Category::copy || decoded.encoding == x86::Encoding::evex) return false;
    if (decoded.has_f2 && decoded.has_f3) return false;
    if (decoded.encoding == x86::Encoding::legacy && decoded.map == 0 && decoded.opcode >= 0xd8 &&
        decoded.opcode < 0xe0)
      return false;
    for (const auto& access : x86::accesses_of(decoded, each.code))
      if (access.addressing == x86::Addressing::chosen || access.repeated) return false;
    for (u32 n = 0; n < 16; ++n)
      if (n != 4 && random_() % 2 == 0) each.before.set_gpr(n, some_bits(), 1);
    for (u32 n = 0; n < 16; ++n) {
      u64 bits[translate::kVectorWords] = {};
      if (random_() % 2 == 0)
        for (int word = 0; word < 4; ++word) bits[word] = some_bits();
      each.before.set_vector(n, bits, 1);
    }
    if (random_() % 2 == 0) {
      u64 flags = random_() & (FlagBits::kAll & ~FlagBits::kLess);
      if ((flags & (FlagBits::kSign | FlagBits::kOverflow)) != 0) flags |= FlagBits::kLess;
      each.before.set_flags(flags, 1);
    }
    std::vector<translate::Access> accesses;
    translate::instruction_accesses(each.start.regs, decoded, each.code, x86::accesses_of(decoded, each.code),
                                    accesses);
    for (const auto& access : accesses)
      for (u64 at = 0; at < access.size_bytes && random_() % 4 != 0; ++at)
        each.memory[access.address + at] = static_cast<u8>(some_bits());
    return true;
  }

  /// One of those states that differ in undefined bits.
  void vary(const Case& each, ProcessorState& state) {
    for (u32 n = 0; n < 16; ++n) state.regs.gpr[n] ^= each.before.gpr(n) & random_();
    state.regs.rflags ^= each.before.flags() & random_() & FlagBits::kAll & ~FlagBits::kLess;
    for (u32 n = 0; n < 16; ++n)
      for (u64 word = 0; word < 4; ++word) {
        u8* const at = state.vectors.bytes.data() + (word < 2 ? kXmm : kYmm) + n * kHalf + word % 2 * 8;
        u64 value = 0;
        std::memcpy(&value, at, 8);
        value ^= each.before.vector(n)[word] & random_();
        std::memcpy(at, &value, 8);
      }
    for (const auto& [address, bits] : each.memory)
      *reinterpret_cast<u8*>(address) ^= static_cast<u8>(bits & random_());
  }

  bool is_writable(u64 address) const {
    return (address >= kData && address < kData + kDataBytes) ||
           (address >= kStack && address < kStack + kStackBytes) ||
           (address >= near_data(kCode) && address < near_data(kCode) + kNearBytes);
  }

  void one() {
    Case each;
    if (!prepare(each)) return;
    for (const auto& [address, bits] : each.memory)
      if (!is_writable(address)) return;
    std::vector<u8> code = each.code;
    code.push_back(0xcc);
    memory_.set_code(code, kCode, 0);
    memory_.fill(random_());
    memory_.reset();
    Memory shadow(each.start.vectors);
    shadow.undefined = each.memory;
    UndefinedBits after = each.before;
    Outcome base = run_native(each.start);
    if (base.state.regs.rip != kCode + each.code.size() + 1) return;
    std::map<u64, u8> base_bytes;
    memory_.reset();
    const UndefinedUse use =
        translate::Definedness(after, shadow).step(each.start.regs, each.decoded, each.code);
    if (use.kind != UndefinedUse::Kind::none) return;
    run_again(base_bytes, shadow, each.start);
    for (u64 variant = 0; variant < kVariants; ++variant) {
      memory_.reset();
      ProcessorState state = each.start;
      vary(each, state);
      Outcome outcome = run_native(state);
      if (outcome.state.regs.rip != base.state.regs.rip) continue;
      ++compared_;
      const std::string what =
          difference_in(each, base.state, outcome.state, after) + memory_difference_in(base_bytes, shadow);
      if (what.empty()) continue;
      ++failures_;
      ADD_FAILURE() << bytes_of(each.code) << " " << what;
      return;
    }
  }

  /// With nothing undefined but registers that are not touched.
  void one_untouched() {
    Case each;
    if (!prepare(each)) return;
    const translate::TouchedRegisters touched = translate::touched_registers(each.decoded, each.code);
    if ((touched.names & translate::kUpperVectorsBit) != 0) lower_halves(each.before);
    each.before.keep_only(~touched.names);
    UndefinedBits after = each.before;
    if (after.tainted() == 0) return;
    ++compared_;
    Memory shadow(each.start.vectors);
    memory_.reset();
    const UndefinedUse use =
        translate::Definedness(after, shadow).step(each.start.regs, each.decoded, each.code);
    bool same = use.kind == UndefinedUse::Kind::none;
    for (const auto& [address, bits] : shadow.undefined) same = same && bits == 0;
    each.before.keep_only(~touched.defined);
    for (u32 n = 0; n < 16; ++n)
      same = same && after.gpr(n) == each.before.gpr(n) &&
             std::memcmp(after.vector(n), each.before.vector(n), 8 * translate::kVectorWords) == 0;
    if (same && after.flags() == each.before.flags()) return;
    ++failures_;
    ADD_FAILURE() << bytes_of(each.code) << " names " << std::hex << touched.names << " defines "
                  << touched.defined << " left " << after.tainted() << " of " << each.before.tainted();
  }

  static void lower_halves(UndefinedBits& bits) {
    for (u32 n = 0; n < 16; ++n) {
      u64 words[translate::kVectorWords] = {bits.vector(n)[0], bits.vector(n)[1]};
      bits.set_vector(n, words, 1);
    }
  }

  /// What memory that the rules have spoken of holds after the first state.
  void run_again(std::map<u64, u8>& bytes, const Memory& shadow, const ProcessorState& start) {
    memory_.reset();
    run_native(start);
    for (const auto& [address, bits] : shadow.undefined)
      if (is_writable(address)) bytes[address] = *reinterpret_cast<const u8*>(address);
  }

  static std::string memory_difference_in(const std::map<u64, u8>& base, Memory& shadow) {
    for (const auto& [address, value] : base) {
      const u8 differs =
          static_cast<u8>((value ^ *reinterpret_cast<const u8*>(address)) & ~shadow.undefined[address]);
      if (differs != 0) return " memory " + std::to_string(address);
    }
    return "";
  }

  static std::string difference_in(const Case& each, const ProcessorState& a, const ProcessorState& b,
                                   const UndefinedBits& after) {
    char text[200];
    for (u32 n = 0; n < 16; ++n)
      if (const u64 differs = (a.regs.gpr[n] ^ b.regs.gpr[n]) & ~after.gpr(n); differs != 0) {
        std::snprintf(text, sizeof text, "gpr %u: %lx, undefined %lx", n, differs, after.gpr(n));
        return text;
      }
    const u64 flags = (a.regs.rflags ^ b.regs.rflags) & FlagBits::kAll & ~FlagBits::kLess & ~after.flags() &
                      ~flags_not_looked_at(each.decoded);
    if (flags != 0) {
      std::snprintf(text, sizeof text, "flags: %lx, undefined %lx", flags, after.flags());
      return text;
    }
    for (u32 n = 0; n < 16; ++n)
      for (u64 word = 0; word < 4; ++word) {
        const u64 at = (word < 2 ? kXmm : kYmm) + n * kHalf + word % 2 * 8;
        u64 one = 0, other = 0;
        std::memcpy(&one, a.vectors.bytes.data() + at, 8);
        std::memcpy(&other, b.vectors.bytes.data() + at, 8);
        if (const u64 differs = (one ^ other) & ~after.vector(n)[word]; differs != 0) {
          std::snprintf(text, sizeof text, "vector %u word %lu: %lx, undefined %lx", n, word, differs,
                        after.vector(n)[word]);
          return text;
        }
      }
    return "";
  }

  static std::string bytes_of(const std::vector<u8>& code) {
    std::string text;
    char one[4];
    for (const u8 byte : code) std::snprintf(one, sizeof one, "%02x ", byte), text += one;
    return text;
  }

  x86::FeatureSet features_;
  Generator generator_;
  std::mt19937_64 random_;
  GuestMemory memory_;
  u64 compared_ = 0;
  int failures_ = 0;
};

TEST(Definedness, WhatIsDefinedIsTheSameWhateverIsNot) {
  if (!processor_suffices()) GTEST_SKIP();
  prepare_process();
  Campaign campaign(first_seed());
  campaign.run(case_count(15'000));
  EXPECT_GT(campaign.compared(), 1000u);
}

TEST(Definedness, WhatIsNotTouchedStaysAsItIs) {
  if (!processor_suffices()) GTEST_SKIP();
  prepare_process();
  Campaign campaign(first_seed());
  campaign.run_untouched(4 * case_count(15'000));
  EXPECT_GT(campaign.compared(), 1000u);
}

}  // namespace
}  // namespace orrery::differential
