// The tables of the heap.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/table.h"

namespace orrery::lens::heap {

struct HeapRow {
  u32 process = 0, program = 0;
  u64 allocations = 0, bytes = 0, releases = 0, temporary = 0, failed = 0, unknown_releases = 0;
  u64 peak_blocks = 0, peak_bytes = 0, peak_event = 0;
  i32 peak_task = 0;
  u64 peak_ticks = 0, peak_ns = 0, live_blocks = 0, live_bytes = 0;
};

inline constexpr db::Column<HeapRow> kHeapColumns[] = {
    db::column<&HeapRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&HeapRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&HeapRow::allocations>("allocations", "Blocks that were given out."),
    db::column<&HeapRow::bytes>("bytes", "Bytes that were asked for, of all of them."),
    db::column<&HeapRow::releases>("releases", "Blocks that were given back."),
    db::column<&HeapRow::temporary>("temporary",
                                    "Blocks given back at once: before another was given out or back."),
    db::column<&HeapRow::failed>("failed", "Requests that got no block."),
    db::column<&HeapRow::unknown_releases>(
        "unknown_releases", "Releases of addresses that no block had; of a forked process, its parent's."),
    db::column<&HeapRow::peak_blocks>("peak_blocks", "Blocks that were live when most bytes were."),
    db::column<&HeapRow::peak_bytes>("peak_bytes", "Most bytes that were live at a time."),
    db::column<&HeapRow::peak_event>("peak_event", "The process's next event then: the instant."),
    db::column<&HeapRow::peak_task>("peak_task", "The task that asked for the block then."),
    db::column<&HeapRow::peak_ticks>("peak_ticks", "Ticks of that task."),
    db::column<&HeapRow::peak_ns>("peak_ns", "Its time, in ns since the recording began."),
    db::column<&HeapRow::live_blocks>("live_blocks", "Blocks that were live at the end of the program."),
    db::column<&HeapRow::live_bytes>("live_bytes", "Bytes of these."),
};
inline constexpr db::Table<HeapRow> kHeap = {
    "heap", "The heap of each program: blocks by the entry points of its allocators, sizes as asked for.",
    kHeapColumns};

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
    "heap_node", "Who allocated: calls of allocators, and the calls that led to them.", kNodeColumns};

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

inline constexpr db::Column<BlockRow> kBlockColumns[] = {
    db::column<&BlockRow::process>("process", "A process of the table process.", db::Key::indexed),
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
    "heap_block", "The blocks that were live at the end of each program.", kBlockColumns};

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

}  // namespace orrery::lens::heap
