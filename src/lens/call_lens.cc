// Every system call of every process as a table.
#include "lens/lens.h"

namespace orrery::lens {
namespace {

struct CallRow {
  u32 process = 0;
  u64 number = 0, event = 0;
  i32 task = 0;
  u64 ticks = 0, time_ns = 0, waited_ns = 0;
  std::string name{};
  std::optional<i64> result{};
  std::optional<std::string> path{};
  std::string text{};
};

constexpr db::Column<CallRow> kColumns[] = {
    db::column<&CallRow::process>("process", "Who called: a process of the table process.", db::Key::indexed),
    db::column<&CallRow::number>("number", "Counts the process's calls from 0."),
    db::column<&CallRow::event>("event", "The process's next event at its entry: the instant."),
    db::column<&CallRow::task>("task", "The thread's id as the program saw it."),
    db::column<&CallRow::ticks>("ticks", "Ticks of the task at its entry."),
    db::column<&CallRow::time_ns>("time_ns", "When it returned, in ns since the recording began."),
    db::column<&CallRow::waited_ns>("waited_ns", "How long it took, if that was 10 us or more; else 0."),
    db::column<&CallRow::name>("name", "The call's name.", db::Key::indexed),
    db::column<&CallRow::result>("result",
                                 "What it returned, -1 to -4095 an error; NULL if the process ended in it."),
    db::column<&CallRow::path>("path", "The first path among its arguments; NULL if there is none."),
    db::column<&CallRow::text>("text", "The call with its arguments and result, as strace writes them."),
};
constexpr db::Table<CallRow> kTable = {"call", "The system calls, in order within each process.", kColumns};

class CallWatcher final : public Watcher {
 public:
  CallWatcher(u32 process, Rows& rows) : process_(process), rows_(rows) {}

  void leave(ReplaySession&, const WalkedCall& walked) override {
    const Call& call = walked.call;
    CallRow row{.process = process_,
                .number = walked.number,
                .event = call.event,
                .task = walked.entry.task,
                .ticks = walked.entry.ticks,
                .time_ns = walked.exit.time_ns,
                .waited_ns = walked.exit.time_ns - walked.entry.time_ns,
                .name = call.name,
                .text = call.text};
    if (call.returned) row.result = call.result;
    if (!call.path.empty()) row.path = call.path;
    rows_.add(kTable, row);
  }

 private:
  u32 process_;
  Rows& rows_;
};

std::unique_ptr<Watcher> watch(const Recording&, const TreeProcess& process, Rows& rows) {
  return std::make_unique<CallWatcher>(process.process, rows);
}

std::vector<db::TableDescription> tables() { return {db::describe(kTable)}; }

}  // namespace

extern const Lens kCallLens;
const Lens kCallLens = {.name = "call",
                        .version = 2,
                        .sentence = "Every system call, decoded.",
                        .tables = tables,
                        .read = nullptr,
                        .watch = watch};

}  // namespace orrery::lens
