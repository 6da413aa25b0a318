// How far an instruction moves the stack pointer down: what lies above it then is new, and undefined.
#pragma once

#include <span>

#include "cpu/registers.h"
#include "x86/decode.h"

namespace orrery::translate {

struct StackGrowth {
  enum class Kind : u8 {
    none,
    constant,   ///< by `size_bytes`, or less
    registers,  ///< registers say how far: grown_bytes()
  };
  Kind kind = Kind::none;
  u32 size_bytes = 0;
};

/// A move further than this is one to another stack, as Memcheck has it (--max-stackframe).
inline constexpr u64 kStackFrameMost = 2'000'000;
/// Below the stack pointer, for functions that call no other (System V ABI, AMD64, 3.2.2).
inline constexpr u32 kRedZoneBytes = 128;

StackGrowth stack_growth(const x86::Decoded& decoded, std::span<const u8> bytes);

/// Of an instruction of StackGrowth::Kind::registers; 0 if it moves up.
u64 grown_bytes(const x86::Decoded& decoded, std::span<const u8> bytes, const cpu::Registers& regs);

}  // namespace orrery::translate
