// Which memory an instruction reads and writes when it is executed, explicitly and implicitly, for replays
// that are asked about memory accesses. Sizes and directions of ModRM operands are generated from Zydis
// (access_table.inc); the implicit accesses are few and written by hand. A test compares all with Zydis.
#pragma once

#include <span>

#include "base/types.h"
#include "x86/decode.h"

namespace orrery::x86 {

enum class AccessKind : u8 { none, read, write, modify };

/// How the address of an access comes about.
enum class Addressing : u8 {
  operand,      ///< the ModRM operand
  pushed,       ///< the stack, below rsp
  popped,       ///< the stack, at rsp
  frame,        ///< at rbp (leave)
  source,       ///< at rsi (string instructions)
  destination,  ///< at rdi
  table,        ///< at rbx + al (xlat)
  offset,       ///< an address in the instruction (mov rax, moffs)
  chosen,       ///< registers choose what is accessed: see chosen_accesses()
};

struct MemoryAccess {
  Addressing addressing = Addressing::operand;
  AccessKind kind = AccessKind::none;
  u16 size_bytes = 0;     ///< of one element, if repeated
  bool repeated = false;  ///< a string instruction with a rep prefix
};

/// At most two, in the order in which they are done.
struct Accesses {
  MemoryAccess items[2];
  u8 count = 0;
  void add(const MemoryAccess& access) { items[count++] = access; }
  const MemoryAccess* begin() const { return items; }
  const MemoryAccess* end() const { return items + count; }
};

/// Of an instruction that completes. `bytes` are those it was decoded from. Gated instructions, far transfers
/// and traps are not asked about.
Accesses accesses_of(const Decoded& decoded, std::span<const u8> bytes);

/// The parts that a ModRM (or moffs) address is the sum of; the segment's base is not among them.
struct AddressForm {
  static constexpr u8 kNone = 0xff;
  u8 base = kNone, index = kNone;  ///< general registers
  u8 shift = 0;                    ///< the index counts 1 << shift
  bool rip_relative = false;
  i64 displacement = 0;  ///< of EVEX, scaled
};
AddressForm address_form(const Decoded& decoded, std::span<const u8> bytes);

/// Bit n: the instruction may read or write r(8+n), by name. Too many rather than too few.
u8 high_registers(const Decoded& decoded, std::span<const u8> bytes);

// --- what chosen_accesses() needs besides ---

enum class OperandPattern : u8 { none, whole, chosen };

/// What an instruction does to its ModRM memory operand.
struct OperandAccess {
  OperandPattern pattern = OperandPattern::none;
  AccessKind kind = AccessKind::none;
  u16 size_bytes = 0;
  u8 displacement_shift = 0;  ///< EVEX: an 8-bit displacement counts 1 << this
  u8 element_bytes = 0;       ///< EVEX: elements that a mask leaves out are not accessed; 0: they are
};
OperandAccess operand_access(const Decoded& decoded, std::span<const u8> bytes);

/// The fields of VEX and EVEX that Decoded does not have.
struct VectorFields {
  u8 length = 0, mask = 0, prefix = 0;  ///< L'L; aaa; pp
  bool wide = false, x = false, b = false, v2 = false, broadcast = false;
};
VectorFields vector_fields(const Decoded& decoded, std::span<const u8> bytes);

}  // namespace orrery::x86
