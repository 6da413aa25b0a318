// The control block of every process over time: each value, from when to when. Asked of the guest kernel
// after every system call that may change it.
#include <asm/unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "lens/call_set.h"
#include "lens/lens.h"
#include "lens/process/block_fields.h"
#include "lens/process/inherited_fields.h"
#include "lens/process/state_rows.h"

namespace orrery::lens {
namespace process {
namespace {

constexpr u64 kChangesState[] = {__NR_setuid,         __NR_setgid,       __NR_setreuid,    __NR_setregid,
                                 __NR_setresuid,      __NR_setresgid,    __NR_setfsuid,    __NR_setpgid,
                                 __NR_setsid,         __NR_chdir,        __NR_fchdir,      __NR_chroot,
                                 __NR_umask,          __NR_setrlimit,    __NR_prlimit64,   __NR_rt_sigaction,
                                 __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack, __NR_personality,
                                 __NR_prctl,          __NR_seccomp,      __NR_clone,       __NR_clone3,
                                 __NR_fork,           __NR_vfork,        __NR_execve,      __NR_execveat,
                                 __NR_timer_create,   __NR_timer_delete, __NR_setgroups};

constexpr u64 kGroupsMost = 65536;  ///< NGROUPS_MAX

/// Of all processes, before they are numbered.
class StateRows {
 public:
  void add(StateRow row) {
    const std::lock_guard lock(mutex_);
    rows_.push_back(std::move(row));
  }
  std::vector<StateRow> take() { return std::move(rows_); }

 private:
  std::mutex mutex_;
  std::vector<StateRow> rows_;
};

class StateWatcher final : public Watcher {
 public:
  StateWatcher(const Recording& recording, const TreeProcess& process, StateRows& rows,
               InheritedFields& inherited)
      : recording_(recording),
        process_(process),
        rows_(rows),
        inherited_(inherited),
        calls_(set_of(kChangesState)) {
    calls_.set(__NR_exit);
  }
  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant& now) override {
    look(session, now, "start");
    inherited_.begin(process_.process, kSupplementaryField, recording_.info.inherited_value("Groups"), now);
  }
  /// A thread that ends takes its values along.
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.call.number == __NR_exit) look(session, walked.entry, "exit");
    if (walked.call.number == __NR_setgroups) groups_[walked.entry.task] = read_groups(session, walked.call);
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    const Call& call = walked.call;
    if (call.failed() || call.number == __NR_exit) return;
    look(session, walked.exit, walked.replaced_program() ? "exec" : call.name);
    if (call.number == __NR_setgroups)
      inherited_.set(process_.process, kSupplementaryField, groups_[walked.entry.task], call.name,
                     walked.exit);
    const i32 pid = static_cast<i32>(call.arguments[0]), group = static_cast<i32>(call.arguments[1]);
    if (call.number == __NR_setpgid && pid != 0 && pid != process_.pid)
      inherited_.set_others(pid, kGroupField, std::to_string(group == 0 ? pid : group), call.name,
                            walked.exit);
  }
  void end(ReplaySession& session, const Instant& now) override {
    look(session, now, "exit");
    for (auto& [field, row] : values_) rows_.add(row);
  }

 private:
  void look(ReplaySession& session, const Instant& now, const std::string& call) {
    auto block = session.process_block();
    if (!block) return;
    auto fields = fields_of(session, block.value(), session.tasks());
    const auto own_group = fields.extract(kGroupField);
    if (own_group && own_group.mapped() != group_) {
      group_ = own_group.mapped();
      inherited_.set(process_.process, kGroupField, group_, call, now);
    }
    for (auto known = values_.begin(); known != values_.end();) {
      const auto found = fields.find(known->first);
      if (found != fields.end() && found->second == known->second.value) {
        ++known;
        continue;
      }
      known->second.end_event = now.event;
      known->second.end_ticks = now.ticks;
      known->second.end_ns = now.time_ns;
      rows_.add(known->second);
      known = values_.erase(known);
    }
    for (const auto& [field, value] : fields) {
      if (values_.contains(field)) continue;
      values_[field] = {.process = process_.process,
                        .field = field,
                        .value = value,
                        .call = call,
                        .task = now.task,
                        .begin_event = now.event,
                        .begin_ticks = now.ticks,
                        .begin_ns = now.time_ns};
    }
  }

  static std::string read_groups(ReplaySession& session, const Call& call) {
    std::vector<u32> groups(std::min(call.arguments[0], kGroupsMost));
    session.read(call.arguments[1], {reinterpret_cast<u8*>(groups.data()), groups.size() * sizeof(u32)});
    std::string words;
    for (const u32 group : groups) words += (words.empty() ? "" : " ") + std::to_string(group);
    return words;
  }

  const Recording& recording_;
  const TreeProcess& process_;
  StateRows& rows_;
  InheritedFields& inherited_;
  CallSet calls_;
  std::string group_{};                       ///< as the process's own kernel knows it
  std::map<i32, std::string> groups_{};       ///< of calls of setgroups that are under way, by task
  std::map<std::string, StateRow> values_{};  ///< those that are so now, by field
};

class StateInquiry final : public Inquiry {
 public:
  StateInquiry(const Recording& recording, Rows& rows)
      : recording_(recording), rows_(rows), inherited_(recording) {}

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<StateWatcher>(recording_, process, collected_, inherited_);
  }

  Fallible<Nothing> finish() override {
    for (StateRow& row : inherited_.take_rows()) collected_.add(std::move(row));
    std::vector<StateRow> rows = collected_.take();
    std::stable_sort(rows.begin(), rows.end(), [](const StateRow& left, const StateRow& right) {
      return std::tie(left.process, left.begin_ns) < std::tie(right.process, right.begin_ns);
    });
    u64 number = 0;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      number = at > 0 && rows[at - 1].process == rows[at].process ? number + 1 : 0;
      rows[at].number = number;
      rows_.add(kStateTable, rows[at]);
    }
    return Nothing{};
  }

 private:
  const Recording& recording_;
  Rows& rows_;
  StateRows collected_;
  InheritedFields inherited_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<StateInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() { return {db::describe(kStateTable)}; }

}  // namespace
}  // namespace process

extern const Lens kStateLens;
const Lens kStateLens = {.name = "state",
                         .version = 2,
                         .sentence = "The control block of each process over time.",
                         .tables = process::tables,
                         .read = nullptr,
                         .watch = nullptr,
                         .inquire = process::inquire};

}  // namespace orrery::lens
