// Moves between memory and a register that take undefined bits along as they are. Copies of structures that
// have padding are nearly all that touches undefined values in many programs, so these have a shorter way
// than the rules for all instructions (definedness.h), with the same result.
#pragma once

#include <span>

#include "cpu/registers.h"
#include "translate/defined_shadow.h"
#include "translate/undefined_bits.h"
#include "x86/accesses.h"
#include "x86/decode.h"

namespace orrery::translate {

struct PlainMove {
  enum class Kind : u8 { none, load, store, load_vector, store_vector };
  Kind kind = Kind::none;
  u8 reg = 0;                ///< the number of the general or vector register
  u8 size_bytes = 0;         ///< 4 or 8; of vectors 8, 16 or 32. A load makes the rest of its register zero
  bool keeps_upper = false;  ///< but for what lies above a vector's lower 128 bits
  x86::AddressForm form{};
};

/// Of other instructions: PlainMove::Kind::none.
PlainMove plain_move(const x86::Decoded& decoded, std::span<const u8> bytes);

/// Which memory it moves.
u64 address_of(const PlainMove& move, const cpu::Registers& regs);

/// As Definedness::step, which tells of no use. False, with nothing done, if the address is undefined.
bool step_plain_move(const PlainMove& move, const cpu::Registers& regs, UndefinedBits& bits,
                     DefinedShadow& memory);

}  // namespace orrery::translate
