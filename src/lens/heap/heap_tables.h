// The tables of the heap.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/table.h"

namespace orrery::lens::heap {

struct HeapRow {
  u32 process = 0, program = 0;
  u64 begin_event = 0;
  std::optional<u32> inherited_from{}, inherited_program{};
  u64 inherited_blocks = 0, inherited_bytes = 0, inherited_entries = 0, first_block = 0;
  u32 inherited_nodes = 0;
  u64 allocations = 0, bytes = 0, releases = 0, temporary = 0, failed = 0, unknown_releases = 0;
  u64 peak_blocks = 0, peak_bytes = 0, peak_event = 0;
  i32 peak_task = 0;
  u64 peak_ticks = 0, peak_ns = 0, live_blocks = 0, live_bytes = 0;
};

inline constexpr db::Column<HeapRow> kHeapColumns[] = {
    db::column<&HeapRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&HeapRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&HeapRow::begin_event>("begin_event", "The process's next event when the program began."),
    db::column<&HeapRow::inherited_from>(
        "inherited_from", "The process that forked this one, whose blocks it has; NULL if there is none."),
    db::column<&HeapRow::inherited_program>("inherited_program",
                                            "The program which that ran; NULL likewise."),
    db::column<&HeapRow::inherited_blocks>("inherited_blocks", "Blocks that were live at the fork."),
    db::column<&HeapRow::inherited_bytes>("inherited_bytes", "Bytes of these."),
    db::column<&HeapRow::inherited_entries>("inherited_entries",
                                            "How much of that program's heap_log was before the fork."),
    db::column<&HeapRow::first_block>("first_block",
                                      "The number of the first block of its own; those that "
                                      "it inherited have lower ones."),
    db::column<&HeapRow::inherited_nodes>(
        "inherited_nodes", "Nodes of that program's heap_node that are below this one are the same here."),
    db::column<&HeapRow::allocations>("allocations", "Blocks that were given out."),
    db::column<&HeapRow::bytes>("bytes", "Bytes that were asked for, of all of them."),
    db::column<&HeapRow::releases>("releases", "Blocks that were given back."),
    db::column<&HeapRow::temporary>("temporary",
                                    "Blocks given back at once: before another was given out or back."),
    db::column<&HeapRow::failed>("failed", "Requests that got no block."),
    db::column<&HeapRow::unknown_releases>("unknown_releases", "Releases of addresses that no block had."),
    db::column<&HeapRow::peak_blocks>("peak_blocks", "Blocks that were live when most bytes were."),
    db::column<&HeapRow::peak_bytes>("peak_bytes", "Most bytes that were live at a time."),
    db::column<&HeapRow::peak_event>("peak_event", "The process's next event then: the instant."),
    db::column<&HeapRow::peak_task>("peak_task", "The task that asked for the block then."),
    db::column<&HeapRow::peak_ticks>("peak_ticks", "Ticks of that task."),
    db::column<&HeapRow::peak_ns>("peak_ns", "Its time, in ns since the recording began."),
    db::column<&HeapRow::live_blocks>(
        "live_blocks", "Blocks that were live at the end of the program, inherited ones among them."),
    db::column<&HeapRow::live_bytes>("live_bytes", "Bytes of these."),
};
inline constexpr db::Table<HeapRow> kHeap = {
    "heap", "The heap of each program: blocks by the entry points of its allocators, sizes as asked for.",
    kHeapColumns};

struct FunctionRow {
  u32 process = 0, program = 0;
  std::string name{}, kind{}, object{};
  u64 address = 0, calls = 0;
};

inline constexpr db::Column<FunctionRow> kFunctionColumns[] = {
    db::column<&FunctionRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&FunctionRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&FunctionRow::name>("name",
                                   "As it is linked; of an allocator that --allocator names, "
                                   "with its arguments."),
    db::column<&FunctionRow::kind>("kind",
                                   "allocate, reallocate, release, or allocate_to: it stores the "
                                   "block's address where an argument points."),
    db::column<&FunctionRow::object>("object", "The file that defines it."),
    db::column<&FunctionRow::address>("address", "Its first instruction."),
    db::column<&FunctionRow::calls>("calls", "Calls, without those from within another such function."),
};
inline constexpr db::Table<FunctionRow> kHeapFunction = {
    "heap_function", "The allocators of each program: functions that gave blocks out and took them back.",
    kFunctionColumns};

struct NodeRow {
  u32 process = 0, program = 0, node = 0, parent = 0;
  u64 pc = 0;
  u64 allocations = 0, bytes = 0, temporary = 0, peak_blocks = 0, peak_bytes = 0, live_blocks = 0,
      live_bytes = 0;
};

inline constexpr db::Column<NodeRow> kNodeColumns[] = {
    db::column<&NodeRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&NodeRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&NodeRow::node>("node", "A call within the calls that led to it; numbered in each program."),
    db::column<&NodeRow::parent>("parent", "The node of the call that led there; 0 if none is known."),
    db::column<&NodeRow::pc>("pc", "The call instruction; see heap_place."),
    db::column<&NodeRow::allocations>("allocations", "Blocks that this call got of an allocator."),
    db::column<&NodeRow::bytes>("bytes", "Bytes that were asked for, of all of them."),
    db::column<&NodeRow::temporary>("temporary", "Of them, given back before another was given out or back."),
    db::column<&NodeRow::peak_blocks>("peak_blocks", "Of them, live when most bytes of the heap were."),
    db::column<&NodeRow::peak_bytes>("peak_bytes", "Bytes of these."),
    db::column<&NodeRow::live_blocks>("live_blocks", "Of them, live at the end of the program."),
    db::column<&NodeRow::live_bytes>("live_bytes", "Bytes of these."),
};
inline constexpr db::Table<NodeRow> kHeapNode = {
    "heap_node",
    "Who allocated: calls of allocators, and the calls that led to them; without blocks that the "
    "process inherited.",
    kNodeColumns};

struct PlaceRow {
  u32 process = 0, program = 0;
  u64 pc = 0;
  u32 depth = 0;
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<std::string> object{};
};

inline constexpr db::Column<PlaceRow> kPlaceColumns[] = {
    db::column<&PlaceRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&PlaceRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&PlaceRow::pc>("pc", "An instruction of the table heap_node."),
    db::column<&PlaceRow::depth>("depth", "0, or which of the functions it was inlined into."),
    db::column<&PlaceRow::function>("function", "The function; NULL if no symbol tells."),
    db::column<&PlaceRow::file>("file", "Its source file; NULL without debug information."),
    db::column<&PlaceRow::line>("line", "The line there."),
    db::column<&PlaceRow::object>("object", "The program or library; NULL if it is none."),
};
inline constexpr db::Table<PlaceRow> kHeapPlace = {
    "heap_place", "Where the calls of heap_node are in source.", kPlaceColumns};

struct SampleRow {
  u32 process = 0, program = 0;
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0, live_blocks = 0, live_bytes = 0;
};

inline constexpr db::Column<SampleRow> kSampleColumns[] = {
    db::column<&SampleRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&SampleRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&SampleRow::event>("event", "The process's next event: the instant."),
    db::column<&SampleRow::task>("task", "The task that allocated or released then."),
    db::column<&SampleRow::ticks>("ticks", "Ticks of that task."),
    db::column<&SampleRow::time_ns>("time_ns", "Its time, in ns since the recording began."),
    db::column<&SampleRow::live_blocks>("live_blocks", "Blocks that were live."),
    db::column<&SampleRow::live_bytes>("live_bytes", "Bytes of these."),
};
inline constexpr db::Table<SampleRow> kHeapSample = {
    "heap_sample", "The size of the heap over time: each nth change, at most 4096 of them.", kSampleColumns};

struct BlockRow {
  u32 process = 0, program = 0;
  u64 number = 0, address = 0, size_bytes = 0;
  u32 node = 0;
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0;
};

/// Without an index: there may be ten million rows, most of them of one process.
inline constexpr db::Column<BlockRow> kBlockColumns[] = {
    db::column<&BlockRow::process>("process", "A process of the table process."),
    db::column<&BlockRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&BlockRow::number>("number", "Counts the blocks of the program, from 0."),
    db::column<&BlockRow::address>("address", "Of its first byte."),
    db::column<&BlockRow::size_bytes>("size_bytes", "As it was asked for."),
    db::column<&BlockRow::node>("node", "Who allocated it, in heap_node."),
    db::column<&BlockRow::event>("event", "The process's next event when it was asked for: the instant."),
    db::column<&BlockRow::task>("task", "The task that asked for it."),
    db::column<&BlockRow::ticks>("ticks", "Ticks of that task."),
    db::column<&BlockRow::time_ns>("time_ns", "Its time, in ns since the recording began."),
};
inline constexpr db::Table<BlockRow> kHeapBlock = {
    "heap_block", "The blocks that were live at the end of each program, without those it inherited.",
    kBlockColumns};

struct LogRow {
  u32 process = 0, program = 0, chunk = 0;
  u64 entries = 0, first_event = 0;
  std::vector<u8> columns{};
};

inline constexpr db::Column<LogRow> kLogColumns[] = {
    db::column<&LogRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LogRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&LogRow::chunk>("chunk", "Counts the chunks of the program, from 0."),
    db::column<&LogRow::entries>("entries", "Allocations and releases in it."),
    db::column<&LogRow::first_event>("first_event", "The process's next event at the first of them."),
    db::column<&LogRow::columns>("columns", "They, in a form of Orrery's own (lens/heap/heap_log.h)."),
};
inline constexpr db::Table<LogRow> kHeapLog = {
    "heap_log", "Every allocation and release, for `orrery show heap --at`.", kLogColumns};

struct GrowthRow {
  u32 process = 0, program = 0;
  u64 number = 0, event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0;
  std::string call{};
  u64 address = 0;
  i64 mapped = 0, usable = 0;
  u64 dropped = 0;
  i64 mapped_bytes = 0, usable_bytes = 0;
  u64 live_bytes = 0;
  std::optional<std::string> function{};
  std::optional<u32> node{};
};

inline constexpr db::Column<GrowthRow> kGrowthColumns[] = {
    db::column<&GrowthRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&GrowthRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&GrowthRow::number>("number", "Counts these rows of the program, from 0."),
    db::column<&GrowthRow::event>("event", "The process's next event when it was asked for: the instant."),
    db::column<&GrowthRow::task>("task", "The task that asked."),
    db::column<&GrowthRow::ticks>("ticks", "Ticks of that task."),
    db::column<&GrowthRow::time_ns>("time_ns", "Its time, in ns since the recording began."),
    db::column<&GrowthRow::call>("call", "The system call: brk, mmap, munmap, mremap, mprotect or madvise."),
    db::column<&GrowthRow::address>("address",
                                    "What it was about; of brk the new end, of mremap the new place."),
    db::column<&GrowthRow::mapped>("mapped", "Bytes of address space got, or with a minus given back."),
    db::column<&GrowthRow::usable>("usable",
                                   "Of them those that may be read and written; glibc's arenas "
                                   "reserve address space and open it later."),
    db::column<&GrowthRow::dropped>("dropped", "Bytes whose pages were given back (madvise), still mapped."),
    db::column<&GrowthRow::mapped_bytes>("mapped_bytes", "Address space that allocators hold, after it."),
    db::column<&GrowthRow::usable_bytes>("usable_bytes", "Of it, what may be read and written."),
    db::column<&GrowthRow::live_bytes>("live_bytes",
                                       "Bytes of the blocks that were live then, as asked for."),
    db::column<&GrowthRow::function>("function",
                                     "The allocator's function that was running; NULL: its "
                                     "library's own, as a constructor."),
    db::column<&GrowthRow::node>("node", "Who called that, in heap_node; NULL likewise."),
};
inline constexpr db::Table<GrowthRow> kHeapGrowth = {
    "heap_growth", "What allocators got of the kernel, and gave back.", kGrowthColumns};

struct HeldRow {
  u32 process = 0, program = 0;
  u64 start = 0, end = 0;
  bool is_usable = false;
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
};

inline constexpr db::Column<HeldRow> kHeldColumns[] = {
    db::column<&HeldRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&HeldRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&HeldRow::start>("start", "Its first address."),
    db::column<&HeldRow::end>("end", "Behind its last address."),
    db::column<&HeldRow::is_usable>("is_usable", "1 if it may be read and written, 0 if it is reserved."),
    db::column<&HeldRow::begin_event>("begin_event", "The process's next event when it came: the instant."),
    db::column<&HeldRow::begin_ticks>("begin_ticks", "Ticks of the task then."),
    db::column<&HeldRow::begin_ns>("begin_ns", "That instant, in ns since the recording began."),
    db::column<&HeldRow::end_event>("end_event",
                                    "The process's next event when it went, or was opened or "
                                    "closed; NULL: it was there to the end."),
    db::column<&HeldRow::end_ticks>("end_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&HeldRow::end_ns>("end_ns", "That instant, in ns since the recording began; NULL likewise."),
};
inline constexpr db::Table<HeldRow> kHeapHeld = {
    "heap_held", "Address space that allocators had of the kernel, from when it came to when it went.",
    kHeldColumns};

}  // namespace orrery::lens::heap
