// The processes of a recording as a table.
#include "lens/lens.h"

namespace orrery::lens {
namespace {

struct ProcessRow {
  u32 process = 0;
  std::optional<u32> parent{};
  i32 pid = 0, parent_pid = 0;
  std::string program{}, command{};
  bool executed = false;
  u64 start_ns = 0, end_ns = 0;
  std::optional<u64> reaped_ns{};
  u64 events = 0, ticks = 0;
  std::optional<int> exit_status{}, signal{};
  std::string end{};
};

constexpr db::Column<ProcessRow> kColumns[] = {
    db::column<&ProcessRow::process>("process", "Its number in the recording; 0 is the first.",
                                     db::Key::primary),
    db::column<&ProcessRow::parent>("parent", "The process that forked it; NULL for the first.",
                                    db::Key::indexed),
    db::column<&ProcessRow::pid>("pid", "Its pid as the program saw it."),
    db::column<&ProcessRow::parent_pid>("parent_pid", "Its parent's pid."),
    db::column<&ProcessRow::program>("program", "Path of the program it ran last."),
    db::column<&ProcessRow::command>("command", "Name and arguments of that, with spaces between."),
    db::column<&ProcessRow::executed>("executed", "1 if it ran a program of its own, 0 if its parent's."),
    db::column<&ProcessRow::start_ns>("start_ns", "When it began, in ns since the recording did."),
    db::column<&ProcessRow::end_ns>("end_ns", "Its last event, in ns since the recording began."),
    db::column<&ProcessRow::reaped_ns>("reaped_ns",
                                       "When its parent was told of its end, in ns since the recording "
                                       "began: a zombie until then. NULL: it was not."),
    db::column<&ProcessRow::events>("events", "How many events it has."),
    db::column<&ProcessRow::ticks>("ticks", "Ticks of its processor until its last event."),
    db::column<&ProcessRow::exit_status>("exit_status", "What it exited with; NULL if it did not."),
    db::column<&ProcessRow::signal>("signal", "The signal that killed it; NULL if none did."),
    db::column<&ProcessRow::end>("end", "How it ended, in words."),
};
constexpr db::Table<ProcessRow> kTable = {"process", "The processes, with their programs and ends.",
                                          kColumns};

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line.append(line.empty() ? "" : " ").append(word);
  return line;
}

std::optional<u64> reaped_at(const Recording& recording, const TreeProcess& process) {
  if (process.told.time_ns == 0) return std::nullopt;
  return recording.since_begin(process.told.time_ns);
}

void read(const Recording& recording, Rows& rows) {
  for (const auto& [number, process] : recording.tree)
    rows.add(kTable, ProcessRow{.process = number,
                                .parent = process.parent,
                                .pid = process.pid,
                                .parent_pid = process.parent_pid,
                                .program = process.program,
                                .command = joined(process.arguments),
                                .executed = process.executed,
                                .start_ns = recording.since_begin(process.start_ns),
                                .end_ns = recording.since_begin(process.end_ns),
                                .reaped_ns = reaped_at(recording, process),
                                .events = process.event_count,
                                .ticks = process.end_ticks,
                                .exit_status = process.exit_status,
                                .signal = process.fatal_signal,
                                .end = end_words(process)});
}

std::vector<db::TableDescription> tables() { return {db::describe(kTable)}; }

}  // namespace

extern const Lens kProcessLens;
const Lens kProcessLens = {.name = "process",
                           .version = 2,
                           .sentence = "The process tree.",
                           .tables = tables,
                           .read = read,
                           .watch = nullptr};

}  // namespace orrery::lens
