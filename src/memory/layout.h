// Where everything lies in a guest process. A guest address is the host address (design.md, invariant
// 1), so this page divides the one 47-bit space between the guest and the engine. See translate/
// indirect.cc for why the numbers are what they are: an indirect jump to `t` loads the 4-byte entry
// at kShadowBase + 5 * t, so every place where code may lie needs its table, and no place that the
// guest can write may look like one.
#pragma once

#include "base/prng.h"
#include "base/types.h"

namespace orrery::memory::layout {

struct Range {
  u64 start;
  u64 end;  ///< exclusive
  constexpr u64 size_bytes() const { return end - start; }
  constexpr bool contains(u64 address) const { return address >= start && address < end; }
  constexpr bool overlaps(u64 from, u64 to) const { return from < end && start < to; }
};

inline constexpr u64 kGiB = u64{1} << 30;
inline constexpr u64 kMiB = u64{1} << 20;

// --- the engine's low half gigabyte: reachable with a 32-bit absolute address from any code ---
inline constexpr Range kEngineLow{0x6000'0000, 0x8000'0000};
inline constexpr Range kEngineImage{0x6000'0000, 0x6400'0000};   ///< text, rodata, data of the engine
inline constexpr Range kEngineState{0x6400'0000, 0x6500'0000};   ///< CpuSlots and the machine's root
inline constexpr Range kEngineStacks{0x6500'0000, 0x6600'0000};  ///< engine stack, signal stack
inline constexpr Range kCounters{0x6600'0000, 0x6800'0000};      ///< of a profile (translate/stretches.h)
inline constexpr Range kCells{0x6800'0000, 0x7000'0000};         ///< targets of indirect jumps
inline constexpr u64 kShadowBase = 0x7ff0'0000;                  ///< below it PROT_NONE down to kCells.end

// --- guest code may lie in these three windows; each has its part of the shadow code table ---
inline constexpr Range kLowWindow{0x1'0000, 0x6000'0000};
inline constexpr Range kMiddleWindow{0x8'0000'0000, 0x28'0000'0000};
inline constexpr Range kHighWindow{0x1400'0000'0000, 0x1480'0000'0000};
constexpr u64 shadow_entry(u64 target) { return kShadowBase + 5 * target; }
inline constexpr Range kLowShadow{page_floor(shadow_entry(0)), page_ceil(shadow_entry(kLowWindow.end))};
inline constexpr Range kMiddleShadow{page_floor(shadow_entry(kMiddleWindow.start)),
                                     page_ceil(shadow_entry(kMiddleWindow.end))};
inline constexpr Range kHighShadow{page_floor(shadow_entry(kHighWindow.start)),
                                   page_ceil(shadow_entry(kHighWindow.end))};

/// Where programs built with AddressSanitizer map the shadow of their low memory, whatever lies there. It is
/// lent to them; code whose entries stood there, linked to fixed addresses below 51 MiB, is then found the
/// slow way.
inline constexpr Range kLendable{0x7fff'7000, 0x8fff'7000};

// --- inside the high window ---
inline constexpr u64 kBrkStart = 0x1410'0000'0000;  ///< the heap; brk may grow 32 GiB
inline constexpr Range kBrk{kBrkStart, kBrkStart + 32 * kGiB};
inline constexpr Range kFar{0x1420'0000'0000, 0x146f'0000'0000};        ///< anonymous memory, top-down
inline constexpr Range kProgram{0x146f'a000'0000, 0x146f'fff0'0000};    ///< PIE programs, bottom-up
inline constexpr Range kCodeCache{0x1470'0000'0000, 0x1470'1000'0000};  ///< the engine's; PROT_NONE around it
inline constexpr Range kNear{0x1470'1010'0000, 0x1470'7000'0000};       ///< file images and code, top-down
inline constexpr u64 kStackTop = 0x147f'ffff'f000;
inline constexpr u64 kStackBytesMax = kGiB;  ///< room kept free below kStackTop

// --- outside the windows: data only ---
inline constexpr Range kHuge{0x2000'0000'0000, 0x6000'0000'0000};        ///< reservations too large for kFar
inline constexpr Range kEngineHigh{0x7000'0000'0000, 0x7100'0000'0000};  ///< arenas, rings
inline constexpr Range kShownView{0x70b0'0000'0000, 0x70b0'0400'0000};   ///< of kEngineHigh: what others see
inline constexpr Range kTaskStacks{0x70c0'0000'0000, 0x70c4'0000'0000};  ///< of kEngineHigh: the tasks' own
inline constexpr Range kSegments{0x70d0'0000'0000, 0x7100'0000'0000};    ///< of kEngineHigh: SysV memory
inline constexpr Range kHostHigh{0x7f00'0000'0000, 0x7fff'ffff'f000};    ///< host stack, vdso, vvar

/// Where a program's parts go when nobody says where.
struct Places {
  Range program;  ///< position-independent programs, bottom-up
  Range near;     ///< file images and code, top-down
  Range far;      ///< anonymous memory, top-down
  Range huge;     ///< reservations too large for that
  Range brk;
  u64 stack_top;
};
inline constexpr Places kUsualPlaces{kProgram, kNear, kFar, kHuge, kBrk, kStackTop};

/// By how many bits of pages a seed moves each of them (`record --aslr`): fewer than Linux does where the
/// window has less room.
inline constexpr u64 kProgramBits = 17, kNearBits = 16, kFarBits = 22, kHugeBits = 28, kBrkBits = 18,
                     kStackBits = 22;

/// The usual places, moved by what the seed says; 0: not moved.
constexpr Places varied_places(u64 seed) {
  Places places = kUsualPlaces;
  if (seed == 0) return places;
  SplitMix64 prng(seed);
  const auto moved = [&](u64 bits) { return prng.below(u64{1} << bits) * kPageBytes; };
  places.program.start += moved(kProgramBits);
  places.near.end -= moved(kNearBits);
  places.far.end -= moved(kFarBits);
  places.huge.end -= moved(kHugeBits);
  places.brk.start += moved(kBrkBits);
  places.stack_top -= moved(kStackBits);
  return places;
}

/// ThreadSanitizer lays the shadow of a program over 0x100'0000'0000 to 0x2000'0000'0000, where the high
/// window lies, and wants the program in one of three ranges, of which the first ends at 0x80'0000'0000
/// (compiler-rt, tsan_platform.h). Its programs live in the middle window; their code is beyond the reach of
/// the code cache's displacements.
inline constexpr Places kLowPlaces{.program = {0x24'0000'0000, 0x26'0000'0000},
                                   .near = {0x22'0000'0000, 0x24'0000'0000},
                                   .far = {0xc'0000'0000, 0x22'0000'0000},
                                   .huge = {0xc'0000'0000, 0x22'0000'0000},
                                   .brk = {0x8'0000'0000, 0xc'0000'0000},
                                   .stack_top = 0x27'ffff'f000};

/// All ranges the guest can neither see nor be given.
inline constexpr Range kReserved[] = {
    {0, 0x1'0000}, {kEngineLow.start, kLendable.start},         kLendable,   {kLendable.end, kLowShadow.end},
    kMiddleShadow, {kCodeCache.start - 0x10'0000, kNear.start}, kHighShadow, kEngineHigh,
    kHostHigh,
};

}  // namespace orrery::memory::layout
