// Evaluates DWARF expressions (DWARF 5, 2.5) over one frame of a stopped machine: where the CFA is,
// where a caller's register was saved, where a variable lives. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <functional>
#include <optional>
#include <span>

#include "elf/stopped_machine_hosted.h"
#include "elf/unwind_hosted.h"

namespace orrery::elf {

struct ExpressionContext {
  StoppedMachine& machine;
  const FrameRegisters& registers;
  std::optional<u64> cfa;
  u64 bias = 0;                            ///< added to DW_OP_addr
  std::span<const Dwarf_Op> frame_base{};  ///< the function's DW_AT_frame_base
  /// What this DW_OP_entry_value operation stands for; not set where callers are of no use.
  std::function<std::optional<u64>(const Dwarf_Op&)> entry_value{};
  Dwarf_Attribute* attribute = nullptr;  ///< that the expression is from: its operations may name types
};

enum class Place : u8 { memory, machine_register, value };

/// A value's place: an address, a register's number, or the value itself.
struct Operand {
  Place place = Place::memory;
  u64 number = 0;
};

/// Nothing if a part is not known (optimised out), or the value lies in pieces.
std::optional<Operand> evaluate(const ExpressionContext& context, std::span<const Dwarf_Op> operations);

}  // namespace orrery::elf
