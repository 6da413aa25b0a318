// What one process of the machine can know of another: its map, its threads, its signals, as /proc shows
// them. The host's own /proc shows the engine. A process writes its view into a descriptor of the engine's,
// where others find it (outer_view.h); of itself it makes one when its own files of /proc are read.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "kernel/process.h"

namespace orrery::kernel {

struct ProcessView {
  /// A thread.
  struct TaskView {
    i32 id = 0;
    std::array<char, 16> comm{};
    SignalSet pending = 0, blocked = 0;
  };
  /// What is of one size; copied as it is.
  struct Numbers {
    ImageLayout image;
    u64 peak_mapped_bytes = 0, locked_bytes = 0;
    u64 brk_start = 0, brk_end = 0;
    SignalSet ignored = 0, caught = 0, pending = 0;
    std::array<ResourceLimit, kResourceLimitCount> limits;
    u32 personality = 0;
    u32 engine_fd_first = 0, engine_fd_end = 0;
  };

  Numbers numbers;
  std::vector<memory::Region> regions;  ///< in the order of addresses; files as in `files`
  std::vector<memory::MappedFile> files;
  std::vector<TaskView> tasks;  ///< leader first

  const TaskView* find_task(i32 id) const;
};

ProcessView view_of(const Process& process);

/// Bytes of address space by what they are for (fs/proc/task_mmu.c task_mem).
struct Sizes {
  u64 total = 0, data = 0, stack = 0, executable = 0;
  u64 program_code = 0;  ///< of `executable`: the program's own
};
Sizes measure(const ProcessView& view);

/// As bytes for others to read.
void encode(const ProcessView& view, std::vector<u8>& out);
inline constexpr u64 kViewHeaderBytes = 16;
/// How many bytes there are, by the first of them; 0 if they are too few.
u64 view_bytes(std::span<const u8> head);
/// Nothing: these are no whole view.
std::optional<ProcessView> decode_view(std::span<const u8> bytes);

}  // namespace orrery::kernel
