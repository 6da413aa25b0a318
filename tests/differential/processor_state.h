// Everything of a processor that a program can see, and how two of them are compared.
#pragma once

#include <array>
#include <string>

#include "base/types.h"
#include "cpu/exit.h"
#include "cpu/registers.h"

namespace orrery::differential {

/// Standard-format XSAVE image up to AVX-512 (SDM vol. 1, 13.4).
inline constexpr u64 kImageBytes = 2816;
struct alignas(64) VectorImage {
  std::array<u8, kImageBytes> bytes = {};
};

struct ProcessorState {
  cpu::Registers regs;
  VectorImage vectors;
};

/// How a run ended: every one ends with a fault, if only that of the final int3.
struct Outcome {
  ProcessorState state;
  cpu::Fault fault;
};

/// The components of it that this host has, and how far they reach.
u64 image_components();
u64 image_bytes();

/// An image with every component at its reset value.
VectorImage initial_vectors();

/// Components that XSTATE_BV says are at their initial values get those bytes, and the addresses of the
/// last x87 instruction, which are the host's, become zero.
void make_canonical(VectorImage& image);

/// Empty if equal. With `engine_owns_upper_vectors`, zmm16 to zmm31 and opmasks are not compared.
std::string difference(const Outcome& expected, const Outcome& got, bool engine_owns_upper_vectors);

}  // namespace orrery::differential
