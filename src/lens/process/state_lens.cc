// The control block of every process over time: each value, from when to when. Asked of the guest kernel
// after every system call that may change it.
#include <asm/unistd.h>

#include <map>

#include "lens/call_set.h"
#include "lens/lens.h"
#include "lens/process/block_fields.h"

namespace orrery::lens {
namespace process {
namespace {

struct StateRow {
  u32 process = 0;
  u64 number = 0;
  std::string field{}, value{};
  std::string call{};
  i32 task = 0;
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
};
constexpr db::Column<StateRow> kColumns[] = {
    db::column<&StateRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&StateRow::number>("number",
                                  "Counts the values of the process in the order in which they were set."),
    db::column<&StateRow::field>(
        "field",
        "uid, directory, umask, limit NOFILE, handler SIGTERM, mask of 4711 (a task), name "
        "of 4711, ...",
        db::Key::indexed),
    db::column<&StateRow::value>("value", "What it was, in words."),
    db::column<&StateRow::call>("call", "The system call that set it; start, or exec."),
    db::column<&StateRow::task>("task", "The thread that made it."),
    db::column<&StateRow::begin_event>("begin_event",
                                       "The process's next event when it was set: the instant."),
    db::column<&StateRow::begin_ticks>("begin_ticks", "Ticks of the task then."),
    db::column<&StateRow::begin_ns>("begin_ns", "That instant, in ns since the recording began."),
    db::column<&StateRow::end_event>(
        "end_event", "The process's next event when it was set to another; NULL: it was so to the end."),
    db::column<&StateRow::end_ticks>("end_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&StateRow::end_ns>("end_ns", "That instant, in ns since the recording began; NULL likewise."),
};
constexpr db::Table<StateRow> kTable = {
    "process_state", "What the kernel keeps of each process, value by value, from when to when.", kColumns};

constexpr u64 kChangesState[] = {
    __NR_setuid,       __NR_setgid,         __NR_setreuid,     __NR_setregid,     __NR_setresuid,
    __NR_setresgid,    __NR_setfsuid,       __NR_setpgid,      __NR_setsid,       __NR_chdir,
    __NR_fchdir,       __NR_chroot,         __NR_umask,        __NR_setrlimit,    __NR_prlimit64,
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack,  __NR_personality,
    __NR_prctl,        __NR_seccomp,        __NR_clone,        __NR_clone3,       __NR_fork,
    __NR_vfork,        __NR_execve,         __NR_execveat,     __NR_timer_create, __NR_timer_delete};

class StateWatcher final : public Watcher {
 public:
  StateWatcher(const TreeProcess& process, Rows& rows)
      : process_(process), rows_(rows), calls_(set_of(kChangesState)) {
    calls_.set(__NR_exit);
  }
  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant& now) override { look(session, now, "start"); }
  /// A thread that ends takes its values along.
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.call.number == __NR_exit) look(session, walked.entry, "exit");
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    const Call& call = walked.call;
    if (call.failed() || call.number == __NR_exit) return;
    look(session, walked.exit, walked.replaced_program() ? "exec" : call.name);
  }
  void end(ReplaySession& session, const Instant& now) override {
    look(session, now, "exit");
    for (auto& [field, row] : values_) rows_.add(kTable, row);
  }

 private:
  void look(ReplaySession& session, const Instant& now, const std::string& call) {
    auto block = session.process_block();
    if (!block) return;
    const auto fields = fields_of(session, block.value(), session.tasks());
    for (auto known = values_.begin(); known != values_.end();) {
      const auto found = fields.find(known->first);
      if (found != fields.end() && found->second == known->second.value) {
        ++known;
        continue;
      }
      known->second.end_event = now.event;
      known->second.end_ticks = now.ticks;
      known->second.end_ns = now.time_ns;
      rows_.add(kTable, known->second);
      known = values_.erase(known);
    }
    for (const auto& [field, value] : fields) {
      if (values_.contains(field)) continue;
      values_[field] = {.process = process_.process,
                        .number = set_++,
                        .field = field,
                        .value = value,
                        .call = call,
                        .task = now.task,
                        .begin_event = now.event,
                        .begin_ticks = now.ticks,
                        .begin_ns = now.time_ns};
    }
  }

  const TreeProcess& process_;
  Rows& rows_;
  CallSet calls_;
  u64 set_ = 0;
  std::map<std::string, StateRow> values_{};  ///< those that are so now, by field
};

std::unique_ptr<Watcher> watch(const Recording&, const TreeProcess& process, Rows& rows) {
  return std::make_unique<StateWatcher>(process, rows);
}

std::vector<db::TableDescription> tables() { return {db::describe(kTable)}; }

}  // namespace
}  // namespace process

extern const Lens kStateLens;
const Lens kStateLens = {.name = "state",
                         .version = 1,
                         .sentence = "The control block of each process over time.",
                         .tables = process::tables,
                         .read = nullptr,
                         .watch = process::watch};

}  // namespace orrery::lens
