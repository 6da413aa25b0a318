// The tables of the map's layer.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"
#include "lens/memory/meanings.h"

namespace orrery::lens::memory {

struct PieceRow {
  u32 process = 0, program = 0;
  u64 start = 0, end = 0;
  std::string permissions{}, meaning{};
  std::optional<std::string> object{};
  std::optional<u64> file_offset{};
  std::optional<i32> thread{};
  std::string made_by{};
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
};
inline constexpr db::Column<PieceRow> kPieceColumns[] = {
    db::column<&PieceRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&PieceRow::program>("program", "A program of the table program."),
    db::column<&PieceRow::start>("start", "Its first address."),
    db::column<&PieceRow::end>("end", "Behind its last address."),
    db::column<&PieceRow::permissions>("permissions", "As in /proc/PID/maps: r, w, x, and p or s."),
    db::column<&PieceRow::meaning>("meaning", kMeaningWords),
    db::column<&PieceRow::object>("object",
                                  "The file that is mapped there, or whose bss it is; NULL if none."),
    db::column<&PieceRow::file_offset>("file_offset",
                                       "Of its first byte in the file; NULL if it shows none."),
    db::column<&PieceRow::thread>("thread",
                                  "The last task whose stack, guard or TLS it was; NULL for other memory."),
    db::column<&PieceRow::made_by>(
        "made_by",
        "Who asked for it: functions, innermost first, without those inside libraries; exec, "
        "the parent (before its fork), or the dynamic linker's name for what it mapped "
        "before the program began."),
    db::column<&PieceRow::begin_event>("begin_event", "The process's next event when it came: the instant."),
    db::column<&PieceRow::begin_ticks>("begin_ticks", "Ticks of the task then."),
    db::column<&PieceRow::begin_ns>("begin_ns", "That instant, in ns since the recording began."),
    db::column<&PieceRow::end_event>(
        "end_event",
        "The process's next event when it went, or became another; NULL: it was there to the end."),
    db::column<&PieceRow::end_ticks>("end_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&PieceRow::end_ns>("end_ns", "That instant, in ns since the recording began; NULL likewise."),
};
inline constexpr db::Table<PieceRow> kPiece = {
    "memory_map", "Every piece of address space that a process had, from when it came to when it went.",
    kPieceColumns};

struct ChangeRow {
  u32 process = 0, program = 0;
  u64 number = 0;
  i32 task = 0;
  u64 event = 0, ticks = 0, time_ns = 0;
  std::string call{}, change{};
  u64 start = 0, end = 0;
  std::optional<std::string> before{}, permissions{}, meaning{}, object{};
  std::optional<std::string> caller_function{}, caller_line{}, stack{};
};
inline constexpr db::Column<ChangeRow> kChangeColumns[] = {
    db::column<&ChangeRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&ChangeRow::program>("program", "A program of the table program."),
    db::column<&ChangeRow::number>("number", "Counts the changes of the process from 0."),
    db::column<&ChangeRow::task>("task", "The thread that made it."),
    db::column<&ChangeRow::event>("event", "The process's next event when it was made: the instant."),
    db::column<&ChangeRow::ticks>("ticks", "Ticks of the task then."),
    db::column<&ChangeRow::time_ns>("time_ns", "That instant, in ns since the recording began."),
    db::column<&ChangeRow::call>("call",
                                 "The system call that made it; growth of a stack that grew by itself."),
    db::column<&ChangeRow::change>("change",
                                   "mapped, unmapped, replaced, protected (its permissions changed) or "
                                   "moved."),
    db::column<&ChangeRow::start>("start", "The first address of what changed."),
    db::column<&ChangeRow::end>("end", "Behind the last."),
    db::column<&ChangeRow::before>("before", "The permissions before; NULL if nothing was there."),
    db::column<&ChangeRow::permissions>("permissions", "The permissions after; NULL if nothing is there."),
    db::column<&ChangeRow::meaning>("meaning", "What is there, or was: as in memory_map."),
    db::column<&ChangeRow::object>("object", "The file, likewise; NULL if there is none."),
    db::column<&ChangeRow::caller_function>(
        "caller_function", "The innermost function of the program itself that led to it; NULL if not known."),
    db::column<&ChangeRow::caller_line>("caller_line",
                                        "Its source file and line; NULL without debug information."),
    db::column<&ChangeRow::stack>("stack",
                                  "The functions that were active, innermost first; NULL if not known."),
};
inline constexpr db::Table<ChangeRow> kChange = {
    "map_change", "Every change of an address space: what, when, and by whom.", kChangeColumns};

struct StackRow {
  u32 process = 0, program = 0;
  i32 thread = 0;
  u64 start = 0, end = 0, top = 0;
  std::optional<u64> guard_start{}, guard_end{}, tls{};
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
};
inline constexpr db::Column<StackRow> kStackColumns[] = {
    db::column<&StackRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&StackRow::program>("program", "A program of the table program."),
    db::column<&StackRow::thread>("thread", "The task that runs on it."),
    db::column<&StackRow::start>("start", "Its first address, when the thread began."),
    db::column<&StackRow::end>("end", "Behind its last address."),
    db::column<&StackRow::top>("top", "The stack pointer that the thread began with."),
    db::column<&StackRow::guard_start>(
        "guard_start",
        "Where the memory below begins that may not be accessed; NULL: the kernel "
        "keeps a gap below the main thread's."),
    db::column<&StackRow::guard_end>("guard_end", "Where that ends; NULL likewise."),
    db::column<&StackRow::tls>("tls",
                               "Its thread pointer (fs base), by which it finds its TLS; NULL: none yet."),
    db::column<&StackRow::begin_event>("begin_event", "The process's next event when it began: the instant."),
    db::column<&StackRow::begin_ticks>("begin_ticks", "Ticks of the task then that made it."),
    db::column<&StackRow::begin_ns>("begin_ns", "That instant, in ns since the recording began."),
    db::column<&StackRow::end_event>(
        "end_event", "The process's next event when the thread ended; NULL: with its program."),
    db::column<&StackRow::end_ticks>("end_ticks", "Ticks of the thread then; NULL likewise."),
    db::column<&StackRow::end_ns>("end_ns", "That instant, in ns since the recording began; NULL likewise."),
};
inline constexpr db::Table<StackRow> kStack = {
    "thread_stack", "The stack of every thread, with its guard and its thread pointer.", kStackColumns};

}  // namespace orrery::lens::memory
