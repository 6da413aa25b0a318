// accesses_of() against what Zydis says of every memory operand, hidden ones included: of random bytes and of
// the C library's code.
#include "x86/accesses.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "x86/register_effects.h"

namespace orrery::x86 {
namespace {

struct Wanted {
  u32 kind = 0, size_bytes = 0;
  auto operator<=>(const Wanted&) const = default;
};

class Zydis {
 public:
  Zydis() {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder_, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  }

  struct Answer {
    bool valid = false;
    ZydisDecodedInstruction instruction{};
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT]{};
    const ZydisDecodedOperand* named = nullptr;  ///< its ModRM operand
    std::vector<Wanted> accesses{};
  };

  Answer ask(std::span<const u8> bytes) const {
    Answer answer;
    answer.valid = ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &answer.instruction, answer.operands));
    if (!answer.valid) return answer;
    for (int i = 0; i < answer.instruction.operand_count; ++i) {
      const ZydisDecodedOperand& operand = answer.operands[i];
      if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN ||
          operand.mem.type == ZYDIS_MEMOP_TYPE_MIB)
        continue;
      if (operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) answer.named = &answer.operands[i];
      const u32 reads = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
      const u32 writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
      answer.accesses.push_back({reads | writes << 1, operand.size / 8u});
    }
    return answer;
  }

 private:
  ZydisDecoder decoder_;
};

/// Where Zydis names memory that is not accessed.
bool accesses_nothing(const Zydis::Answer& answer) {
  return answer.instruction.meta.category == ZYDIS_CATEGORY_PREFETCH ||
         answer.instruction.mnemonic == ZYDIS_MNEMONIC_NOP ||
         answer.instruction.mnemonic == ZYDIS_MNEMONIC_CLDEMOTE;
}

void compare(const Zydis& zydis, std::span<const u8> bytes, u64& compared, std::set<std::string>& names) {
  const Decoded decoded = decode(bytes);
  const bool asked = decoded.category == Category::copy || decoded.category == Category::call ||
                     decoded.category == Category::ret || decoded.category == Category::jump_indirect ||
                     decoded.category == Category::call_indirect;
  if (decoded.length == 0 || !asked) return;
  const Zydis::Answer answer = zydis.ask(bytes);
  if (!answer.valid) return;
  const std::string name = ZydisMnemonicGetString(answer.instruction.mnemonic);
  const Accesses found = accesses_of(decoded, bytes.first(decoded.length));
  std::vector<Wanted> got;
  bool chosen = false;
  for (const MemoryAccess& access : found) {
    got.push_back({static_cast<u32>(access.kind), access.size_bytes});
    chosen = chosen || access.addressing == Addressing::chosen;
  }
  std::vector<Wanted> wanted = accesses_nothing(answer) ? std::vector<Wanted>{} : answer.accesses;
  if (chosen) {
    ASSERT_FALSE(wanted.empty()) << name;
    names.insert(name);
    return;
  }
  std::sort(got.begin(), got.end());
  std::sort(wanted.begin(), wanted.end());
  std::string text;
  for (u8 byte : bytes.first(decoded.length)) text += std::to_string(byte) + " ";
  ASSERT_EQ(got.size(), wanted.size()) << name << ": " << text;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].kind, wanted[i].kind) << name << ": " << text;
    ASSERT_EQ(got[i].size_bytes, wanted[i].size_bytes) << name << ": " << text;
  }
  compared += !got.empty();
  if (answer.named == nullptr || answer.accesses.empty() || !decoded.has_modrm) return;
  const AddressForm form = address_form(decoded, bytes.first(decoded.length));
  // With 67 the library takes r13d for a base where the encoding has none (SDM vol. 2, table 2-5, note 1).
  const bool mistaken = decoded.has_67 && decoded.modrm_mod() == 0 && decoded.modrm_rm() == 4 &&
                        (decoded.sib & 7) == 5 && answer.named->mem.base == ZYDIS_REGISTER_R13D;
  if (mistaken) return;
  ASSERT_EQ(form.displacement, answer.named->mem.disp.value) << name << ": " << text;
  const auto number = [](ZydisRegister reg) {
    return reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP
               ? int{AddressForm::kNone}
               : int{ZydisRegisterGetId(reg)};
  };
  ASSERT_EQ(form.base, number(answer.named->mem.base)) << name << ": " << text;
  ASSERT_EQ(form.index, number(answer.named->mem.index)) << name << ": " << text;
  if (form.index == AddressForm::kNone) return;
  ASSERT_EQ(1 << form.shift, answer.named->mem.scale) << name;
}

/// Every general register from r8 on that Zydis names is among high_registers().
void compare_registers(const Zydis& zydis, std::span<const u8> bytes) {
  const Decoded decoded = decode(bytes);
  if (decoded.length == 0 || decoded.category != Category::copy) return;
  const Zydis::Answer answer = zydis.ask(bytes);
  if (!answer.valid) return;
  const u8 high = high_registers(decoded, bytes.first(decoded.length));
  const auto check = [&](ZydisRegister reg) {
    const ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    if (wide < ZYDIS_REGISTER_R8 || wide > ZYDIS_REGISTER_R15) return;
    ASSERT_TRUE((high >> (wide - ZYDIS_REGISTER_R8) & 1) != 0)
        << ZydisMnemonicGetString(answer.instruction.mnemonic);
  };
  for (int i = 0; i < answer.instruction.operand_count; ++i) {
    if (answer.operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER) check(answer.operands[i].reg.value);
    if (answer.operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    check(answer.operands[i].mem.base);
    check(answer.operands[i].mem.index);
  }
}

/// What an instruction that register_effects() knows adds to a register.
i64 added_by(const Zydis::Answer& answer) {
  switch (answer.instruction.mnemonic) {
    case ZYDIS_MNEMONIC_ADD:
      return answer.operands[1].imm.value.s;
    case ZYDIS_MNEMONIC_SUB:
      return -answer.operands[1].imm.value.s;
    case ZYDIS_MNEMONIC_PUSH:
      return -8;
    case ZYDIS_MNEMONIC_POP:
      return 8;
    default:
      ADD_FAILURE() << ZydisMnemonicGetString(answer.instruction.mnemonic);
      return 0;
  }
}

/// Every general register that Zydis says is written is one that register_effects() says may be.
void compare_effects(const Zydis& zydis, std::span<const u8> bytes, u64& added) {
  const Decoded decoded = decode(bytes);
  if (decoded.length == 0 || decoded.category != Category::copy) return;
  const Zydis::Answer answer = zydis.ask(bytes);
  if (!answer.valid) return;
  const RegisterEffects effects = register_effects(decoded, bytes.first(decoded.length));
  u32 left = 0;
  for (int i = 0; i < answer.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = answer.operands[i];
    const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes) continue;
    const ZydisRegister wide =
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value);
    if (wide >= ZYDIS_REGISTER_RAX && wide <= ZYDIS_REGISTER_R15) left |= 1u << (wide - ZYDIS_REGISTER_RAX);
  }
  left &= ~u32{effects.written};
  if (effects.added_to != RegisterEffects::kNone) {
    ASSERT_EQ(left, 1u << effects.added_to) << ZydisMnemonicGetString(answer.instruction.mnemonic);
    ASSERT_EQ(effects.added, added_by(answer)) << ZydisMnemonicGetString(answer.instruction.mnemonic);
    ++added;
    return;
  }
  ASSERT_EQ(left, 0u) << ZydisMnemonicGetString(answer.instruction.mnemonic);
}

TEST(Accesses, AreThoseThatZydisNames) {
  const Zydis zydis;
  SplitMix64 random(20'261'122);
  u64 compared = 0, added = 0;
  std::set<std::string> chosen;
  for (u64 i = 0; i < 8'000'000; ++i) {
    u8 bytes[15];
    random.fill(bytes);
    static constexpr u8 kFirst[] = {0, 0x0f, 0x48, 0xc4, 0xc5, 0x62, 0x66, 0xf3};
    if (i % 8 != 0) bytes[0] = kFirst[i % 8];
    if (i % 8 == 2) bytes[0] = static_cast<u8>(0x40 | (bytes[0] & 15));
    if (i % 8 == 3) bytes[1] = static_cast<u8>((bytes[1] & 0xe0) | (bytes[1] % 3 + 1));
    if (i % 8 == 5) bytes[1] = static_cast<u8>((bytes[1] & 0xf0) | (bytes[1] % 3 + 1)), bytes[2] |= 4;
    compare(zydis, bytes, compared, chosen);
    compare_registers(zydis, bytes);
    compare_effects(zydis, bytes, added);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared, 1'000'000u);
  EXPECT_GT(added, 10'000u);
  for (const char* name :
       {"vgatherdps", "vpgatherdd", "vpmaskmovd", "vmaskmovps", "bts", "maskmovdqu", "enter"})
    EXPECT_TRUE(chosen.contains(name)) << name;
}

}  // namespace
}  // namespace orrery::x86
