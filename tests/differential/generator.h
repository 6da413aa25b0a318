// Random programs and random states for them. Every encoding the decoder calls copyable, and the
// features offer, comes up; memory operands mostly hit the guest's few pages.
#pragma once

#include <initializer_list>
#include <random>
#include <vector>

#include "base/types.h"
#include "processor_state.h"
#include "x86/decode.h"
#include "x86/isa_table.h"

namespace orrery::differential {

/// Every block of a program has its place; what it does not fill is nops.
inline constexpr u64 kBlockBytes = 96;

class Generator {
 public:
  Generator(u64 seed, const x86::FeatureSet& features) : random_(seed), features_(features) {}

  ProcessorState state();
  /// One copyable instruction for address `pc`. A tame one has no memory operand that depends on a
  /// register, so that it mostly does not fault.
  std::vector<u8> instruction(u64 pc, bool tame = false);
  /// An encoding as random as `instruction`, but one that the decoder refuses.
  std::vector<u8> refused(u64 pc);
  /// `count` instructions and the int3 that ends them.
  std::vector<u8> straight_line(u64 pc, u64 count);
  /// `blocks` short blocks that jump, loop, call and return among each other, and an int3.
  std::vector<u8> program(u64 pc, u64 blocks);

  u64 below(u64 limit) { return random_() % limit; }

 private:
  using Bytes = std::vector<u8>;
  u8 byte() { return static_cast<u8>(random_()); }
  bool one_in(u64 n) { return below(n) == 0; }
  u64 scalar();
  void append_legacy(Bytes& out);
  void append_vex(Bytes& out);
  void append_evex(Bytes& out);
  void append_operand(Bytes& out, u64 pc);
  void append_word32(Bytes& out, u32 value);
  Bytes candidate(u64 pc);
  static bool is_tame(const x86::Decoded& decoded);
  static bool reads_selector(const x86::Decoded& decoded);
  void append(Bytes& out, std::initializer_list<unsigned> bytes);
  void append_fuel_check(Bytes& out, u64 pc, u64 end);
  void append_relative(Bytes& out, u64 pc, u64 target);
  void append_address(Bytes& out, unsigned reg, u64 pc, u64 target);
  void append_indirect(Bytes& out, u64 pc, u64 target);
  void append_transfer(Bytes& out, u64 pc, u64 target);

  std::mt19937_64 random_;
  x86::FeatureSet features_;
};

}  // namespace orrery::differential
