// The table of control blocks over time.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::process {

struct StateRow {
  u32 process = 0;
  u64 number = 0;
  std::string field{}, value{};
  std::string call{};
  i32 task = 0;
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
};
inline constexpr db::Column<StateRow> kStateColumns[] = {
    db::column<&StateRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&StateRow::number>("number",
                                  "Counts the values of the process in the order in which they were set."),
    db::column<&StateRow::field>(
        "field",
        "uid, group, supplementary groups, directory, umask, limit NOFILE, handler SIGTERM, mask of 4711 (a "
        "task), name of 4711, ...",
        db::Key::indexed),
    db::column<&StateRow::value>("value", "What it was, in words."),
    db::column<&StateRow::call>("call", "The system call that set it; start, or exec."),
    db::column<&StateRow::task>("task", "The thread that made it, which may be another process's."),
    db::column<&StateRow::begin_event>(
        "begin_event", "The next event when it was set, of the process that set it: the instant."),
    db::column<&StateRow::begin_ticks>("begin_ticks", "Ticks of the task then."),
    db::column<&StateRow::begin_ns>("begin_ns", "That instant, in ns since the recording began."),
    db::column<&StateRow::end_event>(
        "end_event", "The next event when it was set to another; NULL: it was so to the end."),
    db::column<&StateRow::end_ticks>("end_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&StateRow::end_ns>("end_ns", "That instant, in ns since the recording began; NULL likewise."),
};
inline constexpr db::Table<StateRow> kStateTable = {
    "process_state", "What the kernel keeps of each process, value by value, from when to when.",
    kStateColumns};

}  // namespace orrery::lens::process
