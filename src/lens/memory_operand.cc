#include "lens/memory_operand.h"

#include "x86/decode.h"

namespace orrery::lens {
namespace {

constexpr int kRsi = 6;
constexpr int kRdi = 7;

struct Extensions {
  int index = 0;  ///< REX.X
  int base = 0;   ///< REX.B
};

/// REX, or the inverted bits of a VEX prefix (SDM vol. 2, 2.3.5).
Extensions extensions_of(const x86::Decoded& decoded, std::span<const u8> bytes) {
  if (decoded.encoding == x86::Encoding::legacy) return {(decoded.rex >> 1) & 1, decoded.rex & 1};
  const u8* prefix = bytes.data() + decoded.prefix_bytes;
  if (prefix[0] == 0xc5) return {};
  return {(~prefix[1] >> 6) & 1, (~prefix[1] >> 5) & 1};
}

u64 segment_base(const x86::Decoded& decoded, const elf::MachineRegisters& registers) {
  if (decoded.segment == 0x64) return registers.fs_base;
  if (decoded.segment == 0x65) return registers.gs_base;
  return 0;
}

/// movs, cmps, stos, lods, scas: of two pointers, the one that cannot be an address is meant.
std::optional<MemoryOperand> string_operand(const x86::Decoded& decoded,
                                            const elf::MachineRegisters& registers) {
  if (decoded.map != 0 || decoded.encoding != x86::Encoding::legacy) return std::nullopt;
  const u8 pair = decoded.opcode & 0xfe;
  const u64 source = registers.gpr[kRsi];
  const u64 destination = registers.gpr[kRdi];
  const bool reads = pair == 0xa4 || pair == 0xa6 || pair == 0xac;
  const bool writes = pair == 0xa4 || pair == 0xa6 || pair == 0xaa || pair == 0xae;
  if (reads && (!writes || !is_canonical(source))) return MemoryOperand{.address = source, .base = kRsi};
  if (writes) return MemoryOperand{.address = destination, .base = kRdi};
  return std::nullopt;
}

}  // namespace

std::optional<MemoryOperand> memory_operand(std::span<const u8> instruction,
                                            const elf::MachineRegisters& registers) {
  const x86::Decoded decoded = x86::decode(instruction);
  if (decoded.length == 0) return std::nullopt;
  if (!decoded.has_modrm) return string_operand(decoded, registers);
  if (decoded.modrm_mod() == 3 || decoded.encoding == x86::Encoding::evex) return std::nullopt;
  MemoryOperand operand{.displacement = decoded.displacement};
  operand.address = segment_base(decoded, registers) + static_cast<u64>(operand.displacement);
  if (decoded.rip_relative) {
    operand.address += registers.rip + decoded.length;
    return operand;
  }
  const Extensions extension = extensions_of(decoded, instruction);
  operand.base = decoded.modrm_rm() | extension.base << 3;
  if (decoded.modrm_rm() == 4) {
    const int index = ((decoded.sib >> 3) & 7) | extension.index << 3;
    const int base_field = decoded.sib & 7;
    operand.base = base_field == 5 && decoded.modrm_mod() == 0 ? -1 : base_field | extension.base << 3;
    if (index != elf::kRspIndex) {
      operand.index = index;
      operand.address += registers.gpr[index] << (decoded.sib >> 6);
    }
  }
  if (operand.base >= 0) operand.address += registers.gpr[operand.base];
  if (decoded.has_67) operand.address &= 0xffff'ffff;
  return operand;
}

std::optional<u64> divisor(elf::StoppedMachine& machine, std::span<const u8> instruction) {
  const x86::Decoded decoded = x86::decode(instruction);
  const bool divides = decoded.encoding == x86::Encoding::legacy && decoded.map == 0 &&
                       (decoded.opcode & 0xfe) == 0xf6 && decoded.modrm_reg() >= 6;
  if (decoded.length == 0 || !divides) return std::nullopt;
  const bool wide = (decoded.rex & 8) != 0;
  const u64 size_bytes = decoded.opcode == 0xf6 ? 1 : wide ? 8 : decoded.has_66 ? 2 : 4;
  const u64 mask = size_bytes == 8 ? ~u64{0} : (u64{1} << (8 * size_bytes)) - 1;
  const elf::MachineRegisters& registers = machine.registers();
  if (decoded.modrm_mod() == 3) {
    const int number = decoded.modrm_rm() | (decoded.rex & 1) << 3;
    const bool high_byte = size_bytes == 1 && decoded.rex == 0 && number >= 4;  // ah, ch, dh, bh
    return (high_byte ? registers.gpr[number - 4] >> 8 : registers.gpr[number]) & mask;
  }
  const auto operand = memory_operand(instruction, registers);
  u64 value = 0;
  if (!operand || machine.read(operand->address, {reinterpret_cast<u8*>(&value), size_bytes}) != size_bytes) {
    return std::nullopt;
  }
  return value;
}

const char* register_name(int number) {
  constexpr const char* kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  return number >= 0 && number < 16 ? kNames[number] : "?";
}

}  // namespace orrery::lens
