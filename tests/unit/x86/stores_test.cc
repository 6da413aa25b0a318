// may_store() against what Zydis says of every operand: never false for an instruction that writes memory,
// and false for most of those in real code that do not.
#include "x86/stores.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"

namespace orrery::x86 {
namespace {

class Zydis {
 public:
  Zydis() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  /// Whether the instruction writes memory; `valid` false if it is none.
  bool writes_memory(std::span<const u8> bytes, bool& valid, std::string& name) const {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    valid =
        ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &instruction, operands));
    if (!valid) return false;
    name = ZydisMnemonicGetString(instruction.mnemonic);
    for (int i = 0; i < instruction.operand_count; ++i) {
      const bool memory = operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
      if (memory && (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0) return true;
    }
    return false;
  }

 private:
  ZydisDecoder decoder_;
};

TEST(Stores, NeverMissesAWrite) {
  const Zydis zydis;
  SplitMix64 random(20'261'121);
  u64 writers = 0, readers_known = 0;
  for (u64 i = 0; i < 6'000'000; ++i) {
    u8 bytes[15];
    random.fill(bytes);
    if (i % 3 == 1) bytes[0] = 0x0f;
    if (i % 3 == 2) bytes[0] = static_cast<u8>(0x40 | (bytes[0] & 15));
    const Decoded decoded = decode(bytes);
    if (decoded.length == 0 || decoded.category != Category::copy) continue;
    bool valid = false;
    std::string name;
    const bool writes = zydis.writes_memory(bytes, valid, name);
    if (!valid) continue;
    writers += writes;
    readers_known += !may_store(decoded);
    if (!writes) continue;
    ASSERT_TRUE(may_store(decoded)) << name << " opcode " << int{decoded.opcode} << " map "
                                    << int{decoded.map};
  }
  EXPECT_GT(writers, 100'000u);
  EXPECT_GT(readers_known, 1'000'000u);
}

}  // namespace
}  // namespace orrery::x86
