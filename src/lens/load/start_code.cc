#include "lens/load/start_code.h"

#include <array>

#include "x86/decode.h"

namespace orrery::lens::load {
namespace {

using x86::Category;

constexpr u64 kStartBytesMost = 256;
constexpr u64 kInstructionBytesMost = 15;
constexpr int kRdi = 7, kRsi = 6, kRdx = 2;

x86::Decoded decode_at(elf::StoppedMachine& machine, u64 address) {
  std::array<u8, kInstructionBytesMost> bytes;
  const u64 size = machine.read(address, bytes);
  return x86::decode({bytes.data(), size});
}

}  // namespace

std::optional<u64> find_first_call(elf::StoppedMachine& machine, u64 address) {
  for (u64 at = address; at < address + kStartBytesMost;) {
    const x86::Decoded decoded = decode_at(machine, at);
    if (decoded.length == 0 || decoded.category == Category::invalid) return std::nullopt;
    const bool is_found = decoded.category == Category::call || decoded.category == Category::call_indirect ||
                          decoded.category == Category::jump || decoded.category == Category::jump_indirect;
    if (is_found) return at;
    if (decoded.category == Category::ret || decoded.category == Category::trap) return std::nullopt;
    at += decoded.length;
  }
  return std::nullopt;
}

std::optional<u64> read_main(elf::StoppedMachine& machine, const StartStack& stack, const ObjectFile& program,
                             u64 base) {
  const auto& gpr = machine.registers().gpr;
  const bool has_arguments = static_cast<u32>(gpr[kRsi]) == stack.arguments.size() && gpr[kRdx] == stack.argv;
  return has_arguments && program.is_code(gpr[kRdi] - base) ? std::optional(gpr[kRdi]) : std::nullopt;
}

std::optional<u64> find_target(elf::StoppedMachine& machine) {
  const elf::MachineRegisters& registers = machine.registers();
  const x86::Decoded decoded = decode_at(machine, registers.rip);
  const u64 next = registers.rip + decoded.length;
  if (decoded.category == Category::call || decoded.category == Category::jump)
    return next + static_cast<u64>(decoded.immediate);
  u64 target = 0;
  const bool through_slot = decoded.rip_relative && decoded.category == Category::call_indirect;
  const u64 slot = next + static_cast<u64>(static_cast<i64>(decoded.displacement));
  return through_slot && machine.read_value(slot, target) ? std::optional(target) : std::nullopt;
}

}  // namespace orrery::lens::load
