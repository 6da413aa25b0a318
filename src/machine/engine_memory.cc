#include "machine/engine_memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <sys/mman.h>

#include "host/raw_syscall.h"
#include "machine/control.h"
#include "memory/layout.h"
#include "translate/call_path.h"
#include "translate/heap_watch.h"

namespace orrery::machine {

using memory::layout::Range;
namespace layout = memory::layout;

namespace {

constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
constexpr u64 kEngineStackBytes = 1 << 20;
constexpr u64 kGuard = 0x1'0000;

i64 map_at(u64 start, u64 size_bytes, int protection) {
  return host::raw_syscall(__NR_mmap, start, size_bytes, protection, kPrivate, -1, 0);
}

/// A range the engine uses sparsely. Huge pages would turn one touched table entry into 2 MiB.
i64 map_sparse(const Range& range, int protection) {
  const i64 mapped = map_at(range.start, range.size_bytes(), protection);
  if (mapped < 0) return mapped;
  host::raw_syscall(__NR_madvise, range.start, range.size_bytes(), MADV_NOHUGEPAGE);
  return 0;
}

}  // namespace

u64 engine_stack_top() { return layout::kEngineStacks.start + kGuard + kEngineStackBytes; }
u64 signal_stack_start() { return engine_stack_top() + kGuard; }

Status map_engine_memory() {
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  struct Wanted {
    const char* what;
    Range range;
    int protection;
  };
  const Wanted wanted[] = {
      {"map the engine's state", {layout::kEngineState.start, translate::kPathEnd}, kReadWrite},
      {"reserve the guard behind the path of calls",
       {translate::kPathEnd, layout::kEngineState.end},
       PROT_NONE},
      {"map the engine's stack", {engine_stack_top() - kEngineStackBytes, engine_stack_top()}, kReadWrite},
      {"map the signal stack", {signal_stack_start(), signal_stack_start() + kSignalStackBytes}, kReadWrite},
      {"map the cells", layout::kCells, kReadWrite},
      {"reserve the guard below the shadow table", {layout::kCells.end, layout::kLowShadow.start}, PROT_NONE},
      {"reserve the low shadow code table", layout::kLowShadow, kReadWrite},
      {"reserve the middle shadow code table", layout::kMiddleShadow, kReadWrite},
      {"reserve the high shadow code table", layout::kHighShadow, kReadWrite},
      {"map the code cache", layout::kCodeCache, kReadWrite | PROT_EXEC},
  };
  for (const Wanted& want : wanted) {
    const i64 result = map_sparse(want.range, want.protection);
    if (result < 0) return Error{want.what, static_cast<int>(-result)};
  }
  return Nothing{};
}

bool map_task_stack(u64 start, u64 size_bytes) {
  return map_at(start, size_bytes, PROT_READ | PROT_WRITE) >= 0;
}

bool map_counters() {
  const i64 mapped = map_sparse(layout::kCounters, PROT_READ | PROT_WRITE);
  return mapped >= 0 || mapped == -EEXIST;
}

bool map_heap_shadow() {
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  bool is_mapped = map_sparse(translate::kHeldPages, kReadWrite) >= 0;
  for (const u64 offset : {translate::kShadowOffset, translate::kNoShadowOffset}) {
    const u64 zero = page_floor(offset + static_cast<u64>(i64{translate::kZeroWord}));
    is_mapped = is_mapped && map_sparse({zero, zero + kPageBytes}, PROT_READ) >= 0;
    for (const Range& window : {layout::kLowWindow, layout::kMiddleWindow, layout::kHighWindow})
      is_mapped = is_mapped && map_sparse(translate::shadow_of(window, offset), kReadWrite) >= 0;
  }
  if (is_mapped) return true;
  // What was written before, of another program, is only in these.
  using translate::kShadowOffset;
  for (const Range& written : {translate::kHeldPages, translate::shadow_of(layout::kLowWindow, kShadowOffset),
                               translate::shadow_of(layout::kMiddleWindow, kShadowOffset),
                               translate::shadow_of(layout::kHighWindow, kShadowOffset)}) {
    if (host::raw_syscall(__NR_madvise, written.start, written.size_bytes(), MADV_DONTNEED) != 0)
      return false;
  }
  return true;
}

std::span<u64> map_notes() {
  const i64 mapped = map_at(kNotesStart, kNotesBytes, PROT_READ | PROT_WRITE);
  if (mapped < 0 && mapped != -EEXIST) return {};
  return {reinterpret_cast<u64*>(kNotesStart), kNotesBytes / sizeof(u64)};
}

std::array<std::span<u64>, 2> map_shared_notes(int fd) {
  std::array<std::span<u64>, 2> halves;
  for (u64 half = 0; half < halves.size(); ++half) {
    const i64 mapped =
        host::raw_syscall(__NR_mmap, kSharedNotesStart + half * kSharedNotesStride, kNotesHalfBytes,
                          PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, half * kNotesHalfBytes);
    if (mapped < 0 && mapped > -4096) return {};
    halves[half] = {reinterpret_cast<u64*>(mapped), kNotesHalfBytes / sizeof(u64)};
  }
  return halves;
}

bool EngineHeapPages::commit(u64 address, u64 size_bytes) {
  return map_at(address, size_bytes, PROT_READ | PROT_WRITE) >= 0;
}

}  // namespace orrery::machine
