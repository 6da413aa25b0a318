// Maps what the engine needs of the address space before the first guest byte: state, stacks, cells,
// shadow code tables, code cache, heap. The ranges are memory/layout.h's; nothing else of the engine's
// is ever mapped where the guest could be given memory.
#pragma once

#include <array>
#include <span>

#include "base/heap.h"
#include "base/result.h"
#include "base/types.h"

namespace orrery::machine {

/// Where the engine's stack begins (its top) and the stack of host signal handlers lies.
u64 engine_stack_top();
u64 signal_stack_start();
inline constexpr u64 kSignalStackBytes = 256 * 1024;

/// Maps everything but the heap. The error names what could not be had.
Status map_engine_memory();

/// Maps the stack of a task, at an address inside layout::kTaskStacks.
bool map_task_stack(u64 start, u64 size_bytes);

/// The place of the stream of memory accesses, which a replay notes that is asked for them. Behind it nothing
/// is mapped. Empty if it cannot be had.
std::span<u64> map_notes();
/// The same in the halves of a shared file (machine/control.h). The descriptor is not needed any more.
std::array<std::span<u64>, 2> map_shared_notes(int fd);

/// The counters of translate/stretches.h, once and for all.
bool map_counters();

/// The shadow of translate/heap_watch.h, all zeros, also if it was there before.
bool map_heap_shadow();

/// Gives the heap more pages of layout::kEngineHigh.
class EngineHeapPages final : public HeapPages {
 public:
  bool commit(u64 address, u64 size_bytes) override;
};

/// Where the heap and the ring lie inside layout::kEngineHigh.
inline constexpr u64 kHeapStart = 0x7000'0000'0000;
inline constexpr u64 kHeapBytesMost = u64{64} << 30;
inline constexpr u64 kRingStart = 0x7080'0000'0000;
inline constexpr u64 kLaunchStart = 0x7090'0000'0000;
inline constexpr u64 kMachinePageStart = 0x70a0'0000'0000;
inline constexpr u64 kNotesStart = 0x70b0'0000'0000;
inline constexpr u64 kNotesBytes = 8 << 20;
inline constexpr u64 kSharedNotesStart = 0x70b8'0000'0000;
inline constexpr u64 kSharedNotesStride = 64 << 20;  ///< between the halves: what lies between is not mapped

}  // namespace orrery::machine
