// What data each instruction of a file accesses, found from its code and DWARF alone: what perf calls data
// type profiling (perf-annotate(1), --data-type).
//
// A function's instructions are followed as they may come one after another. DWARF says which variables lie
// in the frame, and of which registers hold one at which pc; from there on types go where values go: a load
// through a pointer to a structure has the member's type, an address has that of what it is the address of,
// and what is stored in the frame is found there again. Where two ways meet with different types, none is
// known. An index is taken to stay within the array that it goes into, and steps of a pointer to be whole
// elements.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "elf/data_types_hosted.h"
#include "x86/instruction_flow_hosted.h"

namespace orrery::lens::cache {

/// What an instruction's memory operand is.
struct AccessedData {
  enum class Kind : u8 {
    unknown,
    frame,  ///< of the function, and no variable's: what it has saved there
    typed
  };
  Kind kind = Kind::unknown;
  bool by_pointer = false;          ///< `offset_bytes` behind where a pointer to `type` leads
  elf::TypeId type = elf::kNoType;  ///< of no array
  u64 offset_bytes = 0;             ///< in the type
  u32 size_bytes = 0;               ///< of the access
};

/// Of an instruction: of its operand, and whether it pushes or pops besides.
struct InstructionData {
  AccessedData operand{};
  bool pushes = false, pops = false;
};

class CodeTypes {
 public:
  /// `image` must outlive it.
  explicit CodeTypes(const elf::Image& image) : types_(image) {}
  elf::DataTypes& types() { return types_; }

  /// Of the instruction at `pc`, in the function from `begin` to `end`.
  InstructionData find(u64 pc, u64 begin, u64 end);

 private:
  elf::DataTypes types_;
  std::unordered_map<u64, std::unordered_map<u64, InstructionData>> functions_;  ///< by begin, by pc
};

/// Without arrays around it: the innermost element and the offset in it.
std::pair<elf::TypeId, u64> in_element(const elf::DataTypes& types, elf::TypeId type, i64 offset_bytes);

}  // namespace orrery::lens::cache
