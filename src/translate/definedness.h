// What an instruction makes of undefined bits: which bits of its results are undefined, given which bits of
// its operands are, and their values. A bit of a result is undefined if it could be otherwise with other
// values of the undefined bits; where there is no rule that exact, all results are undefined if an operand
// has an undefined bit.
//
// The rules for general registers and flags are in definedness_general.cc, those of vector registers in
// definedness_vectors.cc.
#pragma once

#include <algorithm>
#include <span>

#include "cpu/registers.h"
#include "cpu/vector_state.h"
#include "translate/undefined_bits.h"
#include "x86/accesses.h"
#include "x86/decode.h"

namespace orrery::translate {

/// The memory that instructions read and write, with its undefined bits.
class DefinednessMemory {
 public:
  virtual void load(u64 address, u8* bits, u64 size_bytes) = 0;
  virtual void store(u64 address, const u8* bits, u64 size_bytes) = 0;
  virtual void values(u64 address, u8* bytes, u64 size_bytes) = 0;
  /// All vector registers.
  virtual const cpu::VectorImage& vectors() = 0;

 protected:
  ~DefinednessMemory() = default;
};

/// Where an undefined value decides.
struct UndefinedUse {
  enum class Kind : u8 { none, jump, address, argument };
  Kind kind = Kind::none;
  u64 origin = 0;  ///< where it was loaded from
};

/// A word and its undefined bits.
struct Word {
  u64 value = 0, undefined = 0;
  u64 floor = 0;  ///< it is no less
  /// Of all values that the undefined bits may make.
  u64 least() const { return value & ~undefined; }
  u64 at_least() const { return std::max(least(), floor); }
  u64 most() const { return value | undefined; }
};

class Definedness {
 public:
  Definedness(UndefinedBits& bits, DefinednessMemory& memory) : bits_(bits), memory_(memory) {}

  /// Before the instruction at regs.rip is executed: bits and memory are what they will be after it. A value
  /// that is told of still counts as undefined.
  UndefinedUse step(const cpu::Registers& regs, const x86::Decoded& decoded, std::span<const u8> bytes) {
    return step(regs, decoded, bytes, x86::accesses_of(decoded, bytes));
  }
  /// The same, of an instruction whose accesses are known.
  UndefinedUse step(const cpu::Registers& regs, const x86::Decoded& decoded, std::span<const u8> bytes,
                    const x86::Accesses& accesses);

 private:
  using Decoded = x86::Decoded;

  // --- operands ---
  u64 size_of_operand() const;
  u32 rm_register() const;
  u32 reg_register() const;
  bool is_register_form() const { return decoded_->modrm_mod() == 3; }
  Word gpr(u32 number, u64 size);
  void set_gpr(u32 number, u64 size, u64 undefined);
  Word memory_word(u64 address, u64 size);
  void set_memory(u64 address, u64 size, u64 undefined);
  Word rm(u64 size) { return is_register_form() ? gpr(rm_register(), size) : memory_word(address_, size); }
  void set_rm(u64 size, u64 undefined);
  Word reg(u64 size) { return gpr(reg_register(), size); }
  Word immediate(u64 size) const;
  void taint_from(RegisterName name) { origin_ = bits_.origin(name); }

  // --- flags ---
  void set_flags(u64 written, u64 undefined);
  void flags_of_result(const Word& result, u64 size, u64 others);
  bool condition_undefined(u8 condition);
  Word add(const Word& a, const Word& b, const Word& carry, u64 size);
  Word subtract(const Word& a, const Word& b, const Word& borrow, u64 size);

  // --- general instructions ---
  UndefinedUse addresses();
  UndefinedUse transfer();
  bool one_byte();
  bool operation(u64 size);
  bool flags_or_stack(u64 size);
  bool move(u64 size);
  void address_to_register();
  void double_shift();
  bool of_bits(u64 size);
  bool of_words(u64 size);
  bool arithmetic(u32 operation, const Word& a, const Word& b, u64 size, bool same, u64* result);
  void arithmetic_to(u32 operation, u64 size, bool to_reg);
  void immediate_group();
  void shift();
  void shift_flags(const Word& from, u64 result, u64 size, u64 count, u32 operation);
  void unary_group();
  void increments();
  void stack(bool push);
  void string_instruction();
  bool two_bytes();
  bool bits_by_map();
  bool bits_without_vex(u64 size);
  void lowest_bit(const Word& from, u32 to, u64 size);
  void zero_high(const Word& from, const Word& index, u64 size);
  void gather_bits(const Word& mask, const Word& from, u64 size, bool extracts);
  void extract_field(const Word& from, const Word& control, u64 size);
  void shift_without_flags(const Word& from, const Word& count, u64 size, u8 prefix);
  void bit_test(const Word& index);
  void bit_scan(bool forward, bool counts_width);
  void exchange_and_add();
  void compare_exchange();
  void compare_exchange_twice();
  void multiply_to(const Word& a, const Word& b, u64 size);
  void anything();

  // --- vectors ---
  struct Vector {
    u64 value[kVectorWords] = {};
    u64 undefined[kVectorWords] = {};
  };
  struct VectorShape;
  bool vector_instruction();
  VectorShape shape() const;
  void read_vector(u32 number, bool with_value, Vector& out);
  void read_vector_rm(u64 size, bool with_value, Vector& out);
  void write_vector(u32 number, const Vector& result, u64 size, bool keeps_rest);
  void write_vector_rm(const Vector& result, u64 size, bool keeps_rest);
  bool half_move(const VectorShape& shape);
  bool vector_move(const VectorShape& shape);
  bool vector_to_flags_or_general(const VectorShape& shape);
  bool compare_strings(const VectorShape& shape);
  bool vector_shift(const VectorShape& shape, Vector& result);
  bool vector_permutation(const VectorShape& shape, Vector& result);
  void read_both(const VectorShape& shape, bool with_control, Vector& a, Vector& b);
  bool shuffle_words(const VectorShape& shape, u64* out);
  bool interleave(const VectorShape& shape, u64* out);
  bool permute_by_register(const VectorShape& shape, u64* out);
  bool widen(const VectorShape& shape, u64* out);
  bool permute_by_immediate(const VectorShape& shape, u64* out);
  bool permute_halves(const VectorShape& shape, u64* out);
  bool vector_lanes(const VectorShape& shape, Vector& result);
  static bool is_same_whatever(const VectorShape& shape);
  static u64 test_undefined(const Vector& first, const Vector& second, u64 size);
  void anything_vector(const VectorShape& shape);

  UndefinedBits& bits_;
  DefinednessMemory& memory_;
  const cpu::Registers* regs_ = nullptr;
  const x86::Decoded* decoded_ = nullptr;
  std::span<const u8> bytes_{};
  u64 address_ = 0;  ///< of the memory operand
  x86::Accesses accesses_{};
  u64 origin_ = 0;  ///< of the last undefined bits that were read
};

/// The undefined bits that the addition of two words has, each of `size` bytes.
u64 undefined_of_sum(const Word& a, const Word& b, u64 size);

}  // namespace orrery::translate
