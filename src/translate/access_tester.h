// Emits tests of memory accesses: where one touches a byte that HeapWatch forbids, a load faults before it is
// made, and the engine looks at it (Borrowed::access_test, ExitCode::suspect). A test touches no flags: it
// loads the shadow of the bytes, and then a word at that distance from one of zeros, behind which nothing is
// mapped.
//
// Not tested is what cannot be of an allocator's memory: what is addressed by the stack pointer alone or
// by fs and gs, and what lies beside code. A stack in a block of the heap is not checked for that.
#pragma once

#include <span>

#include "translate/emitter.h"
#include "x86/accesses.h"

namespace orrery::translate {

/// What the block's tests have borrowed: the shadow's distance, and any word.
struct TestRegisters {
  Gpr offset = Gpr::r14, word = Gpr::r15;
};

/// Whether the engine has to look at what the instruction accesses, whatever it is: the block begins with it.
bool is_for_engine(const x86::Accesses& accesses);
/// Whether there is anything to be tested.
bool is_tested(const x86::MemoryAccess& access, const x86::Decoded& decoded, std::span<const u8> bytes,
               u64 pc);
/// Of an access that is tested, and not for the engine. `vectors`: of a whole one that is read, only the
/// first byte.
void emit_test(Emitter& emit, const x86::MemoryAccess& access, const x86::Decoded& decoded,
               std::span<const u8> bytes, u64 pc, TestRegisters borrowed, bool vectors);

// --- of undefined bits (HeapWatch::marks_undefined) ---

/// The same for these: accesses of stacks too.
bool is_tracked(const x86::MemoryAccess& access, const x86::Decoded& decoded);
/// What a store is about to write is defined.
void emit_defined(Emitter& emit, const x86::MemoryAccess& access, const x86::Decoded& decoded,
                  std::span<const u8> bytes, u64 pc, TestRegisters borrowed);
/// `size_bytes` below what lies `below` below the stack pointer are undefined.
void emit_undefined_below(Emitter& emit, u32 below, u32 size_bytes, TestRegisters borrowed);
/// Larger frames are marked by the engine.
inline constexpr u32 kMarkedInlineMost = 1536;

/// Vectors, as string functions read them, have at least this.
inline constexpr u64 kVectorBytesLeast = 16;

}  // namespace orrery::translate
