// What an instruction does with addresses: which register gets what from where. For those who follow through
// code what registers hold; all that they need not know is a register that is written.
#pragma once

#include <optional>
#include <span>

#include "base/types.h"

namespace orrery::x86 {

/// The explicit memory operand, registers as the encoding numbers them.
struct OperandForm {
  static constexpr i8 kNone = -1;
  i8 base = kNone, index = kNone;
  u8 scale = 1;
  bool is_absolute = false;  ///< no base: `displacement` is the address, as of one relative to rip
  bool has_segment = false;  ///< of fs or gs: not an address by itself
  i64 displacement = 0;
  u32 size_bytes = 0;
};

enum class FlowKind : u8 {
  other,
  copy,     ///< `to` gets `from`, all 64 bits
  load,     ///< `to` gets 64 bits of memory
  store,    ///< memory gets the 64 bits of `from`
  address,  ///< `to` gets the address of `memory`
  add,      ///< `from` is added to `to`, or `immediate` is
};

enum class FlowExit : u8 { none, jump, jump_if, call, leaves };

struct InstructionFlow {
  u8 length = 0;  ///< 0: no instruction
  FlowKind kind = FlowKind::other;
  i8 to = -1, from = -1;
  i64 immediate = 0;
  std::optional<OperandForm> memory{};  ///< if there is one, of any size, but the stack's
  bool pushes = false, pops = false;
  u16 written = 0;  ///< general registers that it writes, a bit each
  FlowExit exit = FlowExit::none;
  std::optional<u64> target{};  ///< of a direct jump or call
};

/// Of the instruction at `address`. Without Zydis (zydis_hosted.h) all have length 0.
InstructionFlow flow_of(std::span<const u8> bytes, u64 address);

}  // namespace orrery::x86
