// Which bits of a task's registers are not defined: nobody has given them a value since the memory that they
// come from was given out. A bit that is set is undefined, as in Memcheck (Seward and Nethercote, "Using
// Valgrind to detect undefined value errors with bit-precision", 2005).
#pragma once

#include <bit>
#include <cstring>

#include "base/types.h"

namespace orrery::translate {

inline constexpr u32 kVectorRegisters = 32, kVectorWords = 8, kMaskRegisters = 8;

/// A register, or what is treated as one.
struct RegisterName {
  static constexpr u32 kFirstVector = 16, kFlags = 48, kFirstMask = 49, kX87 = 57, kCount = 58;
  u32 number = 0;
  static constexpr RegisterName gpr(u32 n) { return {n}; }
  static constexpr RegisterName vector(u32 n) { return {kFirstVector + n}; }
  static constexpr RegisterName flags() { return {kFlags}; }
  static constexpr RegisterName mask(u32 n) { return {kFirstMask + n}; }
  static constexpr RegisterName x87() { return {kX87}; }  ///< all of it, and the MMX registers
  constexpr u64 bit() const { return u64{1} << number; }
};
/// Beside those bits: something of a vector register is undefined that lies above its lower 128 bits, which
/// is all that instructions without VEX write.
inline constexpr u64 kUpperVectorsBit = u64{1} << RegisterName::kCount;

/// The flags of RFLAGS that instructions compute; kLess is whether SF and OF differ, which may be known when
/// they are not.
struct FlagBits {
  static constexpr u64 kCarry = 1, kParity = 4, kAdjust = 0x10, kZero = 0x40, kSign = 0x80, kOverflow = 0x800,
                       kLess = 1 << 16;
  static constexpr u64 kAll = kCarry | kParity | kAdjust | kZero | kSign | kOverflow | kLess;
};

class UndefinedBits {
 public:
  /// Bit RegisterName::number: the register has an undefined bit; and kUpperVectorsBit.
  u64 tainted() const { return tainted_ | (uppers_ != 0 ? kUpperVectorsBit : 0); }
  void clear() {
    if (tainted_ != 0) *this = {};
  }
  /// Of what a function need not preserve (System V ABI, AMD64, 3.2.3).
  void clear_volatile() {
    constexpr u64 kPreserved = 1u << 3 | 1u << 5 | 0xfu << 12;
    for (u32 n = 0; n < 16; ++n)
      if ((kPreserved >> n & 1) == 0) gpr_[n] = 0;
    std::memset(vectors_, 0, sizeof vectors_);
    flags_ = 0;
    uppers_ = 0;
    tainted_ &= kPreserved;
  }
  /// All but these are defined.
  void keep_only(u64 names) {
    for (u64 gone = tainted_ & ~names; gone != 0; gone &= gone - 1) {
      const u32 n = static_cast<u32>(std::countr_zero(gone));
      if (n < RegisterName::kFirstVector) {
        set_gpr(n, 0, origins_[n]);
      } else if (n < RegisterName::kFlags) {
        constexpr u64 kDefined[kVectorWords] = {};
        set_vector(n - RegisterName::kFirstVector, kDefined, origins_[n]);
      } else if (n == RegisterName::kFlags) {
        set_flags(0, origins_[n]);
      } else {
        note({n}, false, origins_[n]);
      }
    }
  }

  u64 gpr(u32 n) const { return gpr_[n]; }
  const u64* vector(u32 n) const { return vectors_[n]; }
  u64 flags() const { return flags_; }
  bool has(RegisterName name) const { return (tainted_ & name.bit()) != 0; }
  /// An address that the undefined bits of a register were loaded from.
  u64 origin(RegisterName name) const { return origins_[name.number]; }

  /// What the register is at least, whatever its undefined bits are, if that is known better than from them.
  u64 floor(u32 n) const { return floors_[n]; }
  void set_floor(u32 n, u8 floor) { floors_[n] = floor; }
  /// Whether two numbers that were compared are known to be in order, whatever single flags are.
  bool signed_order_known() const { return signed_order_known_; }
  bool unsigned_order_known() const { return unsigned_order_known_; }
  void set_orders_known(bool of_signed, bool of_unsigned) {
    signed_order_known_ = of_signed;
    unsigned_order_known_ = of_unsigned;
  }

  void set_gpr(u32 n, u64 bits, u64 origin) {
    gpr_[n] = bits;
    floors_[n] = 0;
    note(RegisterName::gpr(n), bits != 0, origin);
  }
  void set_vector(u32 n, const u64* bits, u64 origin) {
    u64 lower = 0, upper = 0;
    for (u32 i = 0; i < kVectorWords; ++i) (i < 2 ? lower : upper) |= vectors_[n][i] = bits[i];
    uppers_ = upper != 0 ? uppers_ | 1u << n : uppers_ & ~(1u << n);
    note(RegisterName::vector(n), (lower | upper) != 0, origin);
  }
  void set_flags(u64 bits, u64 origin) {
    flags_ = bits;
    set_orders_known(false, false);
    note(RegisterName::flags(), bits != 0, origin);
  }
  /// The same of what was compared last.
  void set_flags_kept(u64 bits) {
    flags_ = bits;
    note(RegisterName::flags(), bits != 0, origins_[RegisterName::kFlags]);
  }
  /// Of a register that is defined or not as a whole.
  void set_whole(RegisterName name, bool undefined, u64 origin) { note(name, undefined, origin); }

 private:
  void note(RegisterName name, bool any, u64 origin) {
    tainted_ = any ? tainted_ | name.bit() : tainted_ & ~name.bit();
    origins_[name.number] = origin;
  }

  u64 gpr_[16] = {};
  u8 floors_[16] = {};
  bool signed_order_known_ = false, unsigned_order_known_ = false;
  u64 vectors_[kVectorRegisters][kVectorWords] = {};
  u64 flags_ = 0;
  u64 tainted_ = 0;
  u32 uppers_ = 0;  ///< vector registers that have something undefined above their lower 128 bits
  u64 origins_[RegisterName::kCount] = {};
};

}  // namespace orrery::translate
