// Moves between memory and a register that take undefined bits along as they are. Copies of structures that
// have padding are nearly all that touches undefined values in many programs, so these have a shorter way
// than the rules for all instructions (definedness.h), with the same result.
#pragma once

#include <span>
#include <vector>

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
  u8 guest_offset = 0;       ///< from the first of those that are done together
  x86::AddressForm form{};
};

constexpr bool is_load(const PlainMove& move) {
  return move.kind == PlainMove::Kind::load || move.kind == PlainMove::Kind::load_vector;
}

/// Of other instructions: PlainMove::Kind::none.
PlainMove plain_move(const x86::Decoded& decoded, std::span<const u8> bytes);

/// The moves that `code` begins with whose addresses do not depend on one before. They may be looked at one
/// after another before the first is executed, if no general register is undefined.
std::vector<PlainMove> moves_together(std::span<const u8> code);

/// Which memory it moves.
u64 address_of(const PlainMove& move, const cpu::Registers& regs);

/// As Definedness::step, which tells of no use. False, with nothing done, if the address is undefined.
bool step_plain_move(const PlainMove& move, const cpu::Registers& regs, UndefinedBits& bits,
                     DefinedShadow& memory);

/// What moves have overwritten that were looked at together, for when not all of them are executed.
class OverwrittenBits {
 public:
  void clear() { count_ = 0; }
  /// Before step_plain_move.
  void keep(const PlainMove& move, const cpu::Registers& regs, const UndefinedBits& bits,
            const DefinedShadow& memory);
  /// All from the one at `guest_offset` on are as if they had not been looked at.
  void give_back_from(u64 guest_offset, UndefinedBits& bits, DefinedShadow& memory);

  static constexpr std::size_t kMost = 12;

 private:
  struct Kept {
    PlainMove move;
    u64 address = 0, origin = 0;
    u8 floor = 0;
    u64 words[kVectorWords] = {};
  };
  Kept kept_[kMost];
  std::size_t count_ = 0;
};

}  // namespace orrery::translate
