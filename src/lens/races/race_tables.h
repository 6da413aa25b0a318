// The tables of data races and of locks.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::races {

struct RaceCheckRow {
  u32 process = 0, program = 0;
  std::string state{};
  u32 tasks = 0;
};

inline constexpr db::Column<RaceCheckRow> kRaceCheckColumns[] = {
    db::column<&RaceCheckRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&RaceCheckRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&RaceCheckRow::state>("state", "checked, or why it was not."),
    db::column<&RaceCheckRow::tasks>("tasks", "How many tasks it had in all."),
};
inline constexpr db::Table<RaceCheckRow> kRaceCheck = {
    "race_check", "The programs whose tasks were checked for races.", kRaceCheckColumns};

/// A place of a run, and what code it is.
struct DataRaceRow {
  u32 process = 0, program = 0, number = 0;
  u64 times = 0, address = 0;
  std::string object{};
  std::string first_kind{};
  u64 first_bytes = 0, first_event = 0;
  i32 first_task = 0;
  u64 first_ticks = 0, first_pc = 0;
  std::optional<std::string> first_function{}, first_file{};
  std::optional<u32> first_line{};
  std::optional<std::string> first_object{};
  std::string first_locks{};
  std::string second_kind{};
  u64 second_bytes = 0, second_event = 0;
  i32 second_task = 0;
  u64 second_ticks = 0, second_pc = 0, time_ns = 0;
  std::optional<std::string> second_function{}, second_file{};
  std::optional<u32> second_line{};
  std::optional<std::string> second_object{};
  std::string second_locks{};
  std::optional<u64> block_address{}, block_bytes{}, made_event{};
  std::optional<i32> made_task{};
  std::optional<u64> made_ticks{}, made_pc{};
  std::string missing{};
};

inline constexpr db::Column<DataRaceRow> kDataRaceColumns[] = {
    db::column<&DataRaceRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&DataRaceRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&DataRaceRow::number>("number", "Counts the races of the program, from 1."),
    db::column<&DataRaceRow::times>("times", "How often these two places raced."),
    db::column<&DataRaceRow::address>("address", "The first byte that both accessed, the first time."),
    db::column<&DataRaceRow::object>("object", "What lies there: a variable, a block, a stack."),
    db::column<&DataRaceRow::first_kind>("first_kind",
                                         "Of the access that came first in this run: read, write, modify "
                                         "(both at once) or free; atomic before it, if it was."),
    db::column<&DataRaceRow::first_bytes>("first_bytes", "How much of the word it accessed."),
    db::column<&DataRaceRow::first_event>("first_event", "The process's next event then: the instant."),
    db::column<&DataRaceRow::first_task>("first_task", "The task that made it."),
    db::column<&DataRaceRow::first_ticks>("first_ticks", "Ticks of that task."),
    db::column<&DataRaceRow::first_pc>(
        "first_pc", "The instruction; of what a function or a system call did, the call of it."),
    db::column<&DataRaceRow::first_function>("first_function", "Its function."),
    db::column<&DataRaceRow::first_file>("first_file", "Its source file, if it is known."),
    db::column<&DataRaceRow::first_line>("first_line", "The line in it."),
    db::column<&DataRaceRow::first_object>("first_object", "The program or library that the code is from."),
    db::column<&DataRaceRow::first_locks>("first_locks", "The locks that the task held, with commas."),
    db::column<&DataRaceRow::second_kind>("second_kind", "The same of the other access."),
    db::column<&DataRaceRow::second_bytes>("second_bytes", "How much it accessed."),
    db::column<&DataRaceRow::second_event>("second_event", "The process's next event then."),
    db::column<&DataRaceRow::second_task>("second_task", "The task that made it."),
    db::column<&DataRaceRow::second_ticks>("second_ticks", "Ticks of that task."),
    db::column<&DataRaceRow::second_pc>("second_pc", "The instruction, or the call."),
    db::column<&DataRaceRow::time_ns>("time_ns", "The time of the second, in ns since the recording began."),
    db::column<&DataRaceRow::second_function>("second_function", "Its function."),
    db::column<&DataRaceRow::second_file>("second_file", "Its source file, if it is known."),
    db::column<&DataRaceRow::second_line>("second_line", "The line in it."),
    db::column<&DataRaceRow::second_object>("second_object", "The program or library that the code is from."),
    db::column<&DataRaceRow::second_locks>("second_locks", "The locks that the task held."),
    db::column<&DataRaceRow::block_address>("block_address", "The heap block that the address lies in."),
    db::column<&DataRaceRow::block_bytes>("block_bytes", "Its size, as it was asked for."),
    db::column<&DataRaceRow::made_event>("made_event", "The next event when it was given out."),
    db::column<&DataRaceRow::made_task>("made_task", "The task that asked for it."),
    db::column<&DataRaceRow::made_ticks>("made_ticks", "Ticks of that task."),
    db::column<&DataRaceRow::made_pc>("made_pc", "The call of the function that gave it."),
    db::column<&DataRaceRow::missing>("missing", "What would have ordered the two."),
};
inline constexpr db::Table<DataRaceRow> kDataRace = {
    "data_race",
    "Two accesses of the same bytes by two tasks that nothing orders; a row for each two places.",
    kDataRaceColumns};

struct LockOrderRow {
  u32 process = 0, program = 0, circle = 0, step = 0;
  std::string held{}, wanted{};
  u64 held_address = 0, wanted_address = 0, times = 0;
  i32 task = 0;
  u64 held_event = 0, held_ticks = 0, held_pc = 0;
  std::optional<std::string> held_function{}, held_file{};
  std::optional<u32> held_line{};
  u64 event = 0, ticks = 0, pc = 0;
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
};

inline constexpr db::Column<LockOrderRow> kLockOrderColumns[] = {
    db::column<&LockOrderRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LockOrderRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&LockOrderRow::circle>("circle", "Counts the circles of the program, from 1."),
    db::column<&LockOrderRow::step>("step", "Counts the steps of the circle, from 1."),
    db::column<&LockOrderRow::held>("held", "The lock that was held: its name, if it has one."),
    db::column<&LockOrderRow::wanted>("wanted", "The lock that was wanted then."),
    db::column<&LockOrderRow::held_address>("held_address", "Where the one lies."),
    db::column<&LockOrderRow::wanted_address>("wanted_address", "Where the other lies."),
    db::column<&LockOrderRow::times>("times", "How often that was done."),
    db::column<&LockOrderRow::task>("task", "The task that did it first."),
    db::column<&LockOrderRow::held_event>("held_event", "The process's next event when it took the one."),
    db::column<&LockOrderRow::held_ticks>("held_ticks", "The task's ticks then."),
    db::column<&LockOrderRow::held_pc>("held_pc", "The call that took it."),
    db::column<&LockOrderRow::held_function>("held_function", "The function of that call."),
    db::column<&LockOrderRow::held_file>("held_file", "Its source file, if it is known."),
    db::column<&LockOrderRow::held_line>("held_line", "The line in it."),
    db::column<&LockOrderRow::event>("event", "The next event when it asked for the other."),
    db::column<&LockOrderRow::ticks>("ticks", "The task's ticks then."),
    db::column<&LockOrderRow::pc>("pc", "The call that asked for it."),
    db::column<&LockOrderRow::function>("function", "The function of that call."),
    db::column<&LockOrderRow::file>("file", "Its source file, if it is known."),
    db::column<&LockOrderRow::line>("line", "The line in it."),
};
inline constexpr db::Table<LockOrderRow> kLockOrder = {
    "lock_order", "Locks that are taken in orders that close a circle: a deadlock may come of it.",
    kLockOrderColumns};

struct LockMisuseRow {
  u32 process = 0, program = 0, number = 0;
  std::string kind{}, lock{};
  u64 address = 0, times = 0, event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0, pc = 0;
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<i32> holder{};
  std::optional<u64> held_event{}, held_ticks{}, held_pc{};
};

inline constexpr db::Column<LockMisuseRow> kLockMisuseColumns[] = {
    db::column<&LockMisuseRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LockMisuseRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&LockMisuseRow::number>("number", "Counts those of the program, from 1."),
    db::column<&LockMisuseRow::kind>(
        "kind",
        "unlock_free (nobody held it), unlock_others (another task did), wait_without (for a condition, "
        "without the lock), destroy_held, free_held (with the heap block around it), exit_holding or "
        "lock_own (the task waits for itself)."),
    db::column<&LockMisuseRow::lock>("lock", "The lock: its name, if it has one."),
    db::column<&LockMisuseRow::address>("address", "Where it lies."),
    db::column<&LockMisuseRow::times>("times", "How often it was done there."),
    db::column<&LockMisuseRow::event>("event", "The process's next event then: the instant."),
    db::column<&LockMisuseRow::task>("task", "The task that did it."),
    db::column<&LockMisuseRow::ticks>("ticks", "Ticks of that task."),
    db::column<&LockMisuseRow::time_ns>("time_ns", "Its time, in ns since the recording began."),
    db::column<&LockMisuseRow::pc>("pc", "The call; of exit_holding, the last one that the task made."),
    db::column<&LockMisuseRow::function>("function", "The function of the call."),
    db::column<&LockMisuseRow::file>("file", "Its source file, if it is known."),
    db::column<&LockMisuseRow::line>("line", "The line in it."),
    db::column<&LockMisuseRow::holder>("holder", "The task that held it."),
    db::column<&LockMisuseRow::held_event>("held_event", "The next event when that one took it."),
    db::column<&LockMisuseRow::held_ticks>("held_ticks", "Ticks of that task."),
    db::column<&LockMisuseRow::held_pc>("held_pc", "The call that took it."),
};
inline constexpr db::Table<LockMisuseRow> kLockMisuse = {
    "lock_misuse", "What was done to locks that may not be done.", kLockMisuseColumns};

}  // namespace orrery::lens::races
