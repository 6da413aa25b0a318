// Indirect jumps and returns: the shadow code table.
//
// Problem. A jump to a computed guest address must find the translation of that address, at every
// return, virtual call and switch. A hash look-up costs a compare, and the compare costs the guest's
// flags: 1.5 to 2 times on call-heavy code (design.md, "Measured beforehand").
//
// Approach. A sparse table has one 4-byte entry for every guest code byte. With the target t in rax:
//
//     mov eax, [rax + rax*4 + kShadowBase]     ; the entry at kShadowBase + 5*t
//     jmp [rax + kCells.start]                 ; the cell the entry names
//
// No compare, no flags, one borrowed register (rax, given back by the first instruction at the other
// end), and a jump of its own at each site, which the processor's predictor learns. A cell holds one
// 8-byte code address for each variant of the code; cell 0 leads to the slow path, so the zero pages of
// an untouched table need no filling. Cells are why entries need only 4 bytes although the cache lies
// beyond 4 GiB, near the guest's code, where rip-relative operands still reach.
//
// Why 5*t. The index must be safe for all 2^64 targets, wild ones too. Multiplication by an odd number
// is a bijection modulo 2^64, so two targets never share an entry; with 4*t a target with its top bits
// flipped would silently run the right code. Targets outside the code windows read elsewhere:
//   * above the windows' tables, non-canonical, or just below kShadowBase: unmapped, PROT_NONE or a
//     general protection fault. lift_fault() knows the instruction and takes the slow path, which gives
//     the guest its own fault;
//   * where guest data happens to lie: the entry is garbage, and the jump through kCells.start + garbage
//     faults unless it hits the 128 MiB of cells. lift_fault() treats a fault outside all known code,
//     while in_guest, the same way. What remains is a wild jump whose 5-fold address is mapped data that
//     holds a valid multiple of 16 below the number of cells: not reachable by flipping bits of a good
//     pointer, and only ever in a program that was about to crash.
//
// Rejected: 4-byte entries that are code addresses (the cache would have to lie below 4 GiB, out of
// reach of rip-relative operands: those are 5 to 10 % of library code and would need a borrowed register
// each); a software return stack (design.md: lost here).
#pragma once

#include "base/types.h"
#include "memory/layout.h"

namespace orrery::translate {

/// Where an indirect jump to a guest pc goes, one word a variant.
struct Cell {
  u64 fast;
  u64 exact;
};

inline Cell& cell_at(u32 index) { return reinterpret_cast<Cell*>(memory::layout::kCells.start)[index]; }
inline constexpr u32 kCellsMost = static_cast<u32>(memory::layout::kCells.size_bytes() / sizeof(Cell));

/// The table's entry for a guest pc inside one of the code windows: a cell's offset in bytes.
inline u32& shadow_entry(u64 pc) { return *reinterpret_cast<u32*>(memory::layout::shadow_entry(pc)); }
inline bool in_code_window(u64 pc) {
  return memory::layout::kLowWindow.contains(pc) || memory::layout::kMiddleWindow.contains(pc) ||
         memory::layout::kHighWindow.contains(pc);
}

}  // namespace orrery::translate
