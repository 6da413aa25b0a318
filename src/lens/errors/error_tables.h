// The tables of errors of memory.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::errors {

struct MemoryErrorRow {
  u32 process = 0, program = 0, number = 0;
  std::string kind{};
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0, pc = 0;
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<std::string> object{};
  u64 address = 0, size_bytes = 0, times = 0;
  std::optional<std::string> relation{};
  std::optional<u64> distance{}, block_address{}, block_bytes{}, made_event{};
  std::optional<i32> made_task{};
  std::optional<u64> made_ticks{}, made_pc{}, gone_event{};
  std::optional<i32> gone_task{};
  std::optional<u64> gone_ticks{}, gone_pc{};
};

inline constexpr db::Column<MemoryErrorRow> kMemoryErrorColumns[] = {
    db::column<&MemoryErrorRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&MemoryErrorRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&MemoryErrorRow::number>("number", "Counts the errors of the program, from 1."),
    db::column<&MemoryErrorRow::kind>("kind",
                                      "invalid_read, invalid_write, invalid_argument (of a system call), "
                                      "double_free, invalid_free or mismatched_free; undefined_jump, "
                                      "undefined_address or undefined_argument (of a system call)."),
    db::column<&MemoryErrorRow::event>("event",
                                       "The process's next event when it was made first: the instant."),
    db::column<&MemoryErrorRow::task>("task", "The task that made it."),
    db::column<&MemoryErrorRow::ticks>("ticks", "Ticks of that task."),
    db::column<&MemoryErrorRow::time_ns>("time_ns", "Its time, in ns since the recording began."),
    db::column<&MemoryErrorRow::pc>("pc",
                                    "The instruction; of a wrong release, the function that was called."),
    db::column<&MemoryErrorRow::function>("function", "The function of the instruction, or that called."),
    db::column<&MemoryErrorRow::file>("file", "The source file, if it is known."),
    db::column<&MemoryErrorRow::line>("line", "The line in it."),
    db::column<&MemoryErrorRow::object>("object", "The program or library that the code is from."),
    db::column<&MemoryErrorRow::address>("address", "What was accessed, or released."),
    db::column<&MemoryErrorRow::size_bytes>("size_bytes", "How much was accessed; 0 of a release."),
    db::column<&MemoryErrorRow::times>("times", "How often it was made there."),
    db::column<&MemoryErrorRow::relation>(
        "relation", "How the first bad byte lies to a block: inside, behind or before; NULL if to none."),
    db::column<&MemoryErrorRow::distance>(
        "distance", "Bytes from the block's beginning if inside, else between the two."),
    db::column<&MemoryErrorRow::block_address>("block_address", "The block."),
    db::column<&MemoryErrorRow::block_bytes>("block_bytes", "Its size, as it was asked for."),
    db::column<&MemoryErrorRow::made_event>("made_event", "The next event when it was given out."),
    db::column<&MemoryErrorRow::made_task>("made_task", "The task that asked for it."),
    db::column<&MemoryErrorRow::made_ticks>("made_ticks", "Ticks of that task."),
    db::column<&MemoryErrorRow::made_pc>("made_pc", "The function that it called."),
    db::column<&MemoryErrorRow::gone_event>("gone_event",
                                            "The next event when it was given back, if it was."),
    db::column<&MemoryErrorRow::gone_task>("gone_task", "The task that gave it back."),
    db::column<&MemoryErrorRow::gone_ticks>("gone_ticks", "Ticks of that task."),
    db::column<&MemoryErrorRow::gone_pc>("gone_pc", "The function that it called."),
};
inline constexpr db::Table<MemoryErrorRow> kMemoryError = {
    "memory_error", "An access of heap memory that no block has, or a wrong release; once for each place.",
    kMemoryErrorColumns};

/// The same columns: of a value, that it is undefined where it decides.
inline constexpr db::Table<MemoryErrorRow> kUndefinedValue = {
    "undefined_value",
    "A use of a value that nobody has given: address is where it was loaded from, and the block the one it "
    "lies in; once for each place.",
    kMemoryErrorColumns};

struct LeakRow {
  u32 process = 0, program = 0;
  std::string kind{};
  u64 address = 0, size_bytes = 0, event = 0;
  i32 task = 0;
  u64 ticks = 0, pc = 0;
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<std::string> object{};
};

inline constexpr db::Column<LeakRow> kLeakColumns[] = {
    db::column<&LeakRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LeakRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&LeakRow::kind>(
        "kind",
        "definite: no pointer leads there; indirect: only lost blocks do; possible: only "
        "pointers into its midst do; reachable: one to its beginning does."),
    db::column<&LeakRow::address>("address", "The block."),
    db::column<&LeakRow::size_bytes>("size_bytes", "Its size, as it was asked for."),
    db::column<&LeakRow::event>("event", "The process's next event when it was given out: the instant."),
    db::column<&LeakRow::task>("task", "The task that asked for it."),
    db::column<&LeakRow::ticks>("ticks", "Ticks of that task."),
    db::column<&LeakRow::pc>("pc", "The function that it called."),
    db::column<&LeakRow::function>("function", "The function that called it."),
    db::column<&LeakRow::file>("file", "The source file of the call, if it is known."),
    db::column<&LeakRow::line>("line", "The line in it."),
    db::column<&LeakRow::object>("object", "The program or library that the call is in."),
};
inline constexpr db::Table<LeakRow> kLeak = {
    "leak", "A block that was never given back: what still led to it when the program ended.", kLeakColumns};

struct CheckedRow {
  u32 process = 0, program = 0;
  std::string heap{};
  u64 blocks = 0;
};

inline constexpr db::Column<CheckedRow> kCheckedColumns[] = {
    db::column<&CheckedRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&CheckedRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&CheckedRow::heap>("heap", "checked, or why it was not."),
    db::column<&CheckedRow::blocks>("blocks", "Blocks that were live at the program's end."),
};
inline constexpr db::Table<CheckedRow> kChecked = {
    "checked", "The programs whose accesses of the heap were checked.", kCheckedColumns};

}  // namespace orrery::lens::errors
