// Data races, orders of locks that may end in a deadlock, and wrong uses of locks, from the accesses of the
// replay and the functions of threads.
#include <asm/unistd.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>

#include "lens/clock.h"
#include "lens/lens.h"
#include "lens/races/program_code.h"
#include "lens/races/race_reader.h"
#include "lens/races/race_tables.h"
#include "lens/races/race_words.h"

namespace orrery::lens {
namespace races {
namespace {

const char* name_of(MisuseKind kind) {
  switch (kind) {
    case MisuseKind::unlock_free:
      return "unlock_free";
    case MisuseKind::unlock_others:
      return "unlock_others";
    case MisuseKind::wait_without:
      return "wait_without";
    case MisuseKind::destroy_held:
      return "destroy_held";
    case MisuseKind::free_held:
      return "free_held";
    case MisuseKind::exit_holding:
      return "exit_holding";
    case MisuseKind::lock_own:
      return "lock_own";
  }
  return "";
}

std::string kind_of(const RaceAccess& access) {
  const std::string kind = (access.flags & Slot::kFrees) != 0      ? "free"
                           : (access.flags & Slot::kModifies) != 0 ? "modify"
                           : (access.flags & Slot::kWrites) != 0   ? "write"
                                                                   : "read";
  return (access.flags & Slot::kAtomic) != 0 ? "atomic " + kind : kind;
}

class RaceWatcher final : public Watcher {
 public:
  RaceWatcher(const Recording& recording, const TreeProcess& process, Rows& rows)
      : recording_(recording), tree_(process), process_(process.process), rows_(rows) {
    for (const u64 number : {__NR_execve, __NR_execveat, __NR_mmap, __NR_mprotect, __NR_munmap, __NR_mremap,
                             __NR_brk, __NR_clone, __NR_clone3, __NR_exit})
      calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant&) override { begin_program(session); }

  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (!asked_) return;
    reader_->settled();
    const Call& call = walked.call;
    switch (call.number) {
      case __NR_execve:
      case __NR_execveat:
        return words_->collect(session, finder());
      case __NR_munmap:
        if (files_->overlap(call.arguments[0], call.arguments[0] + page_ceil(call.arguments[1])))
          words_->collect(session, finder());
        return;
      case __NR_exit:
        return finder().ends(walked.entry.task);
      case __NR_clone:
      case __NR_clone3:
        if (makes_thread(session, call)) finder().creating(walked.entry.task);
        return;
      default:
        return;
    }
  }

  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (asked_) reader_->settled();
    if (walked.replaced_program()) {
      finish_program();
      ++program_;
      return begin_program(session);
    }
    if (asked_) follow(session, walked);
  }

  void end(ReplaySession& session, const Instant&) override {
    if (asked_) {
      finder().finish();
      words_->collect(session, finder());
    }
    finish_program();
  }

 private:
  struct ThreadArguments {
    u64 flags = 0, stack = 0, stack_bytes = 0, thread = 0;
  };

  static u64 word_at(ReplaySession& session, u64 address) {
    u64 word = 0;
    return session.read_value(address, word) ? word : 0;
  }

  /// clone(2): of the new thread's registers, fs leads to what pthread_self() is.
  static ThreadArguments arguments_of(ReplaySession& session, const Call& call) {
    if (call.number == __NR_clone)
      return {.flags = call.arguments[0], .stack = call.arguments[1], .thread = call.arguments[4]};
    const u64 at = call.arguments[0];
    return {.flags = word_at(session, at + offsetof(clone_args, flags)),
            .stack = word_at(session, at + offsetof(clone_args, stack)),
            .stack_bytes = word_at(session, at + offsetof(clone_args, stack_size)),
            .thread = word_at(session, at + offsetof(clone_args, tls))};
  }
  static bool makes_thread(ReplaySession& session, const Call& call) {
    return (arguments_of(session, call).flags & CLONE_THREAD) != 0;
  }

  /// Until the session goes on.
  RaceFinder& finder() const { return reader_->settled(); }

  void begin_program(ReplaySession& session) {
    reader_.reset();
    files_ = std::make_unique<profile::CodeFiles>();
    code_ = std::make_unique<ProgramCode>(*files_);
    reader_ = std::make_unique<RaceReader>(*code_);
    words_ = std::make_unique<RaceWords>(*files_, tree_.program);
    seen_.clear();
    brk_ = 0;
    asked_ = static_cast<bool>(session.note_accesses_and_entries(
        [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
          reader_->read(records, points);
        }));
    look_at_files(session);
  }

  /// What a call did to tasks and to the map.
  void follow(ReplaySession& session, const WalkedCall& walked) {
    const Call& call = walked.call;
    if (call.result < 0 && call.result >= -4095) return;
    const u64 result = static_cast<u64>(call.result);
    switch (call.number) {
      case __NR_clone:
      case __NR_clone3:
        if (makes_thread(session, call)) {
          ThreadArguments made = arguments_of(session, call);
          if (made.stack_bytes == 0) add_stack(session, made);
          finder().created(walked.exit.task, static_cast<i32>(result), made.thread, made.stack,
                           made.stack_bytes);
        }
        return;
      case __NR_brk:
        if (brk_ != 0 && result > brk_) finder().mapped(brk_, result - brk_);
        brk_ = result;
        return;
      case __NR_mmap:
        finder().mapped(result, page_ceil(call.arguments[1]));
        if ((call.arguments[2] & PROT_EXEC) != 0) look_at_files(session);
        return;
      case __NR_munmap:
        forget(call.arguments[0], call.arguments[0] + page_ceil(call.arguments[1]));
        return;
      case __NR_mremap:
        finder().mapped(result, page_ceil(call.arguments[2]));
        return;
      default:
        if ((call.arguments[2] & PROT_EXEC) != 0) look_at_files(session);
        return;
    }
  }

  /// clone(2) is given the stack's top alone.
  static void add_stack(ReplaySession& session, ThreadArguments& made) {
    const elf::MappedRegion* const region = session.find_region(made.stack - 1);
    if (region == nullptr) return;
    made.stack_bytes = made.stack - region->start;
    made.stack = region->start;
  }

  void forget(u64 start, u64 end) {
    code_->forget(start, end);
    files_->forget(start, end);
    std::erase_if(seen_, [&](const auto& each) { return each.second >= start && each.second < end; });
  }

  /// Files whose code is mapped since the last look.
  void look_at_files(ReplaySession& session) {
    if (!asked_) return;
    files_->look(session);
    for (const elf::MappedRegion& region : session.regions()) {
      if ((region.protection & PROT_EXEC) == 0 || !region.path.starts_with("/")) continue;
      if (!seen_.emplace(region.path, region.start).second) continue;
      heap::FileFunctions allocators = heap::place_of_file(session, region);
      heap::find_known_functions(region, allocators);
      const auto functions = find_thread_functions(session, region);
      std::vector<u64> addresses;
      for (const auto& [address, function] : allocators.by_address) addresses.push_back(address);
      for (const auto& [address, function] : functions) addresses.push_back(address);
      if (!session.watch_functions(addresses)) continue;
      finder().watch(allocators);
      finder().watch(functions);
    }
  }

  // --- rows ---

  void finish_program() {
    rows_.add(kRaceCheck, {.process = process_,
                           .program = program_,
                           .state = asked_ ? "checked" : "not checked: the replay could not be asked",
                           .tasks = asked_ ? finder().tasks() : 0});
    if (!asked_) return;
    Clock clock(recording_, process_);
    add_races(clock);
    add_circles();
    add_misuses(clock);
  }

  /// Instructions of the same two lines are one place each: only the first are told, with how often all did.
  void add_races(Clock& clock) {
    std::map<std::pair<std::string, std::string>, std::size_t> known;
    std::vector<DataRaceRow> rows;
    for (const Race& race : finder().races()) {
      std::string one = line_of(race.first.place.pc), other = line_of(race.second.place.pc);
      if (other < one) std::swap(one, other);
      const auto [place, is_new] = known.try_emplace({one, other}, rows.size());
      if (is_new)
        rows.push_back(row_of(race, static_cast<u32>(rows.size() + 1), clock));
      else
        rows[place->second].times += race.times;
    }
    for (const DataRaceRow& row : rows) rows_.add(kDataRace, row);
  }

  std::string line_of(u64 pc) const {
    const CodeWords& words = words_->code(pc);
    return words.line ? *words.file + ":" + std::to_string(*words.line) : std::to_string(pc);
  }

  std::string locks_of(const RaceAccess& access) const {
    std::string names;
    for (const LockNumber lock : finder().locks().set(access.locks))
      names += (names.empty() ? "" : ", ") + words_->data(finder().locks().address_of(lock));
    return names;
  }

  std::string object_of(const Race& race) const {
    const RaceObject& object = race.object;
    if (object.block)
      return "byte " + std::to_string(race.address - object.block->address) + " of a block of " +
             std::to_string(object.block->size_bytes) + " bytes" +
             (object.freed ? " that was given back" : "");
    if (object.stack_of != 0) return "the stack of task " + std::to_string(object.stack_of);
    return words_->data(race.address);
  }

  std::string missing_of(const Race& race) const {
    if (((race.first.flags | race.second.flags) & Slot::kFrees) != 0)
      return "the release has to come after the last access: a join, or a count of users";
    if (((race.first.flags | race.second.flags) & Slot::kAtomic) != 0)
      return "one of the two is atomic: the other has to be, too";
    const bool first = race.first.locks != 0, second = race.second.locks != 0;
    if (first && second) return "both hold locks, but none in common";
    if (first || second) return std::string("only the ") + (first ? "first" : "second") + " holds a lock";
    return "neither holds a lock, and no join, condition or atomic variable leads from one to the other";
  }

  DataRaceRow row_of(const Race& race, u32 number, Clock& clock) {
    const CodeWords& first = words_->code(race.first.place.pc);
    const CodeWords& second = words_->code(race.second.place.pc);
    const Place& then = race.first.place;
    const Place& now = race.second.place;
    DataRaceRow row{.process = process_, .program = program_, .number = number};
    row.times = race.times;
    row.address = race.address;
    row.object = object_of(race);
    row.first_kind = kind_of(race.first);
    row.first_bytes = race.first.size_bytes;
    row.first_event = then.event;
    row.first_task = then.task;
    row.first_ticks = then.ticks;
    row.first_pc = then.pc;
    row.first_function = first.function;
    row.first_file = first.file;
    row.first_line = first.line;
    row.first_object = first.object;
    row.first_locks = locks_of(race.first);
    row.second_kind = kind_of(race.second);
    row.second_bytes = race.second.size_bytes;
    row.second_event = now.event;
    row.second_task = now.task;
    row.second_ticks = now.ticks;
    row.second_pc = now.pc;
    row.time_ns = clock.time_at(now.event, now.task, now.ticks);
    row.second_function = second.function;
    row.second_file = second.file;
    row.second_line = second.line;
    row.second_object = second.object;
    row.second_locks = locks_of(race.second);
    row.missing = missing_of(race);
    if (!race.object.block) return row;
    const errors::HeapBlock& block = *race.object.block;
    row.block_address = block.address;
    row.block_bytes = block.size_bytes;
    row.made_event = block.made.event;
    row.made_task = block.made.task;
    row.made_ticks = block.made.ticks;
    row.made_pc = block.made.pc;
    return row;
  }

  void add_circles() {
    u32 circle = 0;
    for (const std::vector<LockOrder>& orders : finder().locks().circles()) {
      ++circle;
      u32 step = 0;
      for (const LockOrder& order : orders) {
        const CodeWords& held = words_->code(order.held_at.pc);
        const CodeWords& wanted = words_->code(order.wanted_at.pc);
        LockOrderRow row{.process = process_, .program = program_, .circle = circle, .step = ++step};
        row.held_address = finder().locks().address_of(order.held);
        row.wanted_address = finder().locks().address_of(order.wanted);
        row.held = words_->data(row.held_address);
        row.wanted = words_->data(row.wanted_address);
        row.times = order.times;
        row.task = order.wanted_at.task;
        row.held_event = order.held_at.event;
        row.held_ticks = order.held_at.ticks;
        row.held_pc = order.held_at.pc;
        row.held_function = held.function;
        row.held_file = held.file;
        row.held_line = held.line;
        row.event = order.wanted_at.event;
        row.ticks = order.wanted_at.ticks;
        row.pc = order.wanted_at.pc;
        row.function = wanted.function;
        row.file = wanted.file;
        row.line = wanted.line;
        rows_.add(kLockOrder, row);
      }
    }
  }

  void add_misuses(Clock& clock) {
    u32 number = 0;
    for (const Misuse& misuse : finder().locks().misuses()) {
      const CodeWords& words = words_->code(misuse.place.pc);
      LockMisuseRow row{.process = process_, .program = program_, .number = ++number};
      row.kind = name_of(misuse.kind);
      row.address = finder().locks().address_of(misuse.lock);
      row.lock = words_->data(row.address);
      row.times = misuse.times;
      row.event = misuse.place.event;
      row.task = misuse.place.task;
      row.ticks = misuse.place.ticks;
      row.time_ns = clock.time_at(misuse.place.event, misuse.place.task, misuse.place.ticks);
      row.pc = misuse.place.pc;
      row.function = words.function;
      row.file = words.file;
      row.line = words.line;
      if (misuse.holder != 0) {
        row.holder = misuse.holder;
        row.held_event = misuse.held_at.event;
        row.held_ticks = misuse.held_at.ticks;
        row.held_pc = misuse.held_at.pc;
      }
      rows_.add(kLockMisuse, row);
    }
  }

  const Recording& recording_;
  const TreeProcess& tree_;
  u32 process_;
  Rows& rows_;
  CallSet calls_;
  bool asked_ = false;
  u32 program_ = 0;
  u64 brk_ = 0;
  std::unique_ptr<profile::CodeFiles> files_;
  std::unique_ptr<ProgramCode> code_;
  std::unique_ptr<RaceReader> reader_;
  std::unique_ptr<RaceWords> words_;
  std::set<std::pair<std::string, u64>> seen_;  ///< mapped code, by path and address
};

std::unique_ptr<Watcher> watch(const Recording& recording, const TreeProcess& process, Rows& rows) {
  return std::make_unique<RaceWatcher>(recording, process, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kRaceCheck), db::describe(kDataRace), db::describe(kLockOrder),
          db::describe(kLockMisuse)};
}

}  // namespace
}  // namespace races

extern const Lens kRacesLens;
const Lens kRacesLens = {.name = "races",
                         .version = 2,
                         .sentence = "Data races, locks taken in circles, and wrong uses of locks.",
                         .tables = races::tables,
                         .read = nullptr,
                         .watch = races::watch,
                         .notes = machine::Notes::accesses_and_entries};

}  // namespace orrery::lens
