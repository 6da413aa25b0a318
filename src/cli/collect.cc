#include "cli/collect.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <thread>

#include "cli/command.h"
#include "cli/launch.h"
#include "cli/progress.h"
#include "cli/recorded_files.h"
#include "cli/replay_process.h"
#include "lens/collected.h"
#include "lens/run_summary.h"
#include "lens/walk.h"

namespace orrery::cli {
namespace {

using lens::Lens;
using lens::Recording;

/// A lens whose processes have nothing to do with each other.
class EachAlone final : public lens::Inquiry {
 public:
  EachAlone(const Lens& lens, const Recording& recording, lens::Rows& rows)
      : lens_(lens), recording_(recording), rows_(rows) {}
  std::unique_ptr<lens::Watcher> watch(const lens::TreeProcess& process) override {
    return lens_.watch(recording_, process, rows_);
  }

 private:
  const Lens& lens_;
  const Recording& recording_;
  lens::Rows& rows_;
};

using Inquiries = std::vector<std::unique_ptr<lens::Inquiry>>;

/// The replay of all processes, each walked through by a thread of its own.
class Collection {
 public:
  Collection(const Recording& recording, const Inquiries& inquiries, Progress& progress)
      : recording_(recording), inquiries_(inquiries), files_(recording.directory), progress_(progress) {}

  Fallible<Nothing> run() {
    auto replay =
        ReplayProcess::start(recording_.directory,
                             {.each = [this](u32 process, Fd control) { begin(process, std::move(control)); },
                              .trace = recording_.trace});
    if (!replay) return Failure(replay.error());
    const int status = replay.value()->wait();
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    for (std::thread& walk : walks_) walk.join();
    const auto& others = replay.value()->others();
    const bool differed = (WIFEXITED(status) && WEXITSTATUS(status) == kDiffered) || others.differed;
    if (differed) return Failure("the replay differs from the recording");
    if (failure_) return *failure_;
    if (others.lost || WIFSIGNALED(status)) return Failure("the replaying engine ended without a word");
    return Nothing{};
  }

 private:
  void begin(u32 process, Fd control) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    walks_.emplace_back([this, process, fd = control.release()] { walk(process, fd); });
  }

  void walk(u32 number, int control_fd) {
    const auto known = recording_.tree.find(number);
    auto run = known != recording_.tree.end()
                   ? lens::summarize(recording_.directory, recording_.trace, known->second)
                   : Result<lens::RunSummary>(Error{"an unknown process began"});
    if (!run) {
      close(control_fd);
      return note(run.error());
    }
    auto session = lens::ReplaySession::attach(control_fd, files_.of(run.value()));
    if (!session) return;  // it ended before it began: the recording has nothing of it
    std::vector<std::unique_ptr<lens::Watcher>> watchers;
    for (const auto& each : inquiries_)
      if (auto watcher = each->watch(known->second)) watchers.push_back(std::move(watcher));
    if (watchers.empty()) return session.value()->let_go();
    u64 before = 0;
    const Status walked = lens::walk_process(recording_, number, *session.value(), watchers, [&](u64 event) {
      progress_.add(event - std::min(before, event));
      before = event;
    });
    if (!walked) note(walked.error());
  }

  void note(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_.emplace(error);
  }

  const Recording& recording_;
  const Inquiries& inquiries_;
  RecordedFiles files_;
  Progress& progress_;
  std::mutex mutex_;
  std::list<std::thread> walks_;
  bool ended_ = false;
  std::optional<Failure> failure_;
};

/// A lens, and what it is asked.
struct Question {
  const Lens* lens;
  std::string name;  ///< by which it is known that it was asked
  std::function<std::unique_ptr<lens::Inquiry>(const Recording&, lens::Rows&)>
      inquire{};  ///< if not as usual
};

std::vector<Question> usual_questions(std::span<const Lens* const> lenses) {
  std::vector<Question> questions;
  for (const Lens* each : lenses) questions.push_back({.lens = each, .name = each->name});
  return questions;
}

lens::CollectedRow mark_of(const Question& question, const Recording& recording) {
  return {.lens = question.name,
          .version = question.lens->version,
          .trace_bytes = recording.trace->file_bytes(),
          .event_count = recording.info.event_count};
}

/// Those whose tables are not there, or not of this lens and this trace.
Fallible<std::vector<Question>> find_missing(db::Database& database, const Recording& recording,
                                             std::span<const Question> wanted) {
  if (!TRY(database.has_table(lens::kCollected.name))) TRY(database.create_table(lens::kCollected));
  const std::vector<lens::CollectedRow> done = TRY(database.read(lens::kCollected));
  std::vector<Question> missing;
  for (const Question& each : wanted) {
    const lens::CollectedRow mark = mark_of(each, recording);
    const bool there = std::any_of(done.begin(), done.end(), [&](const lens::CollectedRow& row) {
      return row.lens == mark.lens && row.version == mark.version && row.trace_bytes == mark.trace_bytes &&
             row.event_count == mark.event_count;
    });
    if (!there) missing.push_back(each);
  }
  return missing;
}

/// Each has the engine of a process that runs, and a thread that reads what it says.
std::size_t replays_at_once() { return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U); }

/// A replay, and what it notes.
struct Round {
  machine::Notes notes = machine::Notes::nothing;
  Inquiries inquiries{};
};

/// The replay that notes what the lens wants. Those that want no notes have one of their own where replays
/// can go on beside one another: it is done long before one that notes.
Inquiries& round_for(const Lens& lens, std::vector<Round>& rounds) {
  constexpr machine::Notes kNothing = machine::Notes::nothing;
  const bool alone = replays_at_once() == 1;
  for (Round& round : rounds) {
    const bool one_wants_none = lens.notes == kNothing || round.notes == kNothing;
    if (lens.notes != round.notes && !(alone && one_wants_none)) continue;
    if (lens.notes != kNothing) round.notes = lens.notes;
    return round.inquiries;
  }
  return rounds.emplace_back(Round{.notes = lens.notes}).inquiries;
}

void ask(const Question& question, const Recording& recording, lens::Rows& rows, std::vector<Round>& rounds) {
  const Lens& lens = *question.lens;
  if (question.inquire) return round_for(lens, rounds).push_back(question.inquire(recording, rows));
  if (lens.read != nullptr) lens.read(recording, rows);
  if (lens.inquire != nullptr) round_for(lens, rounds).push_back(lens.inquire(recording, rows));
  if (lens.watch != nullptr)
    round_for(lens, rounds).push_back(std::make_unique<EachAlone>(lens, recording, rows));
}

Fallible<Nothing> replay_one(const Recording& recording, const Round& round, Progress& progress) {
  TRY(Collection(recording, round.inquiries, progress).run());
  for (const auto& each : round.inquiries) TRY(each->finish());
  return Nothing{};
}

/// As many at once as the processors serve. After a failure no other one is begun.
Fallible<Nothing> replay(const Recording& recording, const std::vector<Round>& rounds) {
  u64 events = 0;
  for (const auto& [number, process] : recording.tree) events += process.event_count;
  Progress progress("replaying", events * rounds.size());
  std::mutex mutex;
  std::size_t next = 0;
  std::optional<Failure> failure;
  const auto work = [&] {
    for (std::unique_lock lock(mutex); next < rounds.size() && !failure;) {
      const Round& round = rounds[next++];
      lock.unlock();
      auto done = replay_one(recording, round, progress);
      lock.lock();
      if (!done && !failure) failure.emplace(done.error());
    }
  };
  std::vector<std::thread> beside(std::min(rounds.size(), replays_at_once()));
  for (std::thread& each : beside) each = std::thread(work);
  for (std::thread& each : beside) each.join();
  if (failure) return *failure;
  return Nothing{};
}

Fallible<Nothing> fill(db::Database& database, const Recording& recording,
                       const std::vector<Question>& questions) {
  db::Transaction transaction = TRY(database.begin());
  std::vector<Round> rounds;
  lens::Rows rows(database);
  for (const Question& each : questions) {
    for (const db::TableDescription& table : each.lens->tables()) {
      TRY(database.execute(std::string("DROP TABLE IF EXISTS ") + table.name));
      TRY(database.execute(db::create_table_sql(table)));
    }
    ask(each, recording, rows, rounds);
  }
  TRY(replay(recording, rounds));
  TRY(rows.finish());
  auto note = TRY(database.inserter(lens::kCollected));
  for (const Question& each : questions) {
    for (const db::TableDescription& table : each.lens->tables())
      TRY(database.execute(db::create_indexes_sql(table)));
    TRY(database.execute(each.inquire ? "DELETE FROM collected"
                                      : "DELETE FROM collected WHERE lens = '" + each.name + "'"));
    TRY(note.add(mark_of(each, recording)));
  }
  return transaction.commit();
}

/// Where the tables go: beside the recording, or into a file that is gone when the last who has it open is.
struct Place {
  std::string path;
  bool passing = false;
};

Fallible<Place> choose_place(const std::string& directory, const std::string& file) {
  const std::string beside = directory + "/" + file;
  const Fd made(open(beside.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat status {};
  if (made && fstat(made.get(), &status) == 0 && S_ISREG(status.st_mode)) return Place{beside};
  std::error_code error;
  std::string passing = std::filesystem::temp_directory_path(error) / "orrery-layers-XXXXXX";
  const Fd temporary(mkostemp(passing.data(), O_CLOEXEC));
  if (!temporary) return Failure(Error{"making a file for the tables", errno});
  return Place{passing, true};
}

/// Who has it open is the only one that collects from the recording.
Fd wait_for_turn(const std::string& directory) {
  Fd turn(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (turn && flock(turn.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return turn;
}

/// No database, or another program's: what was in it can be found again.
bool is_spoiled(const std::string& path, const Recording& recording) {
  auto database = db::Database::create(path);
  return !database || !find_missing(database.value(), recording, {});
}

/// Those first that others need.
Fallible<Nothing> fill_missing(const std::string& path, const Recording& recording,
                               const std::vector<Question>& questions, bool anew) {
  db::Database database = TRY(db::Database::create(path));
  std::vector<Question> missing = anew ? questions : TRY(find_missing(database, recording, questions));
  std::vector<const Lens*> needed;
  for (const Question& each : missing)
    if (each.lens->needs != nullptr) needed.push_back(each.lens->needs);
  const std::vector<Question> before = TRY(find_missing(database, recording, usual_questions(needed)));
  if (!before.empty()) TRY(fill(database, recording, before));
  if (!anew) missing = TRY(find_missing(database, recording, missing));
  if (missing.empty()) return Nothing{};
  return fill(database, recording, missing);
}

/// Tables that end early must not be taken for a whole run's.
void tell_damage(const Recording& recording) {
  for (const auto& [number, process] : recording.tree)
    if (process.ending == trace::Ending::damaged)
      complain("the events of process #" + std::to_string(number) +
               " are damaged: what was found ends there");
}

/// `file`: of the recording, where the tables are kept.
Fallible<db::Database> collect_into(const std::string& directory, const std::string& file,
                                    const std::vector<Question>& questions, bool anew) {
  const Fd turn = wait_for_turn(directory);
  const Recording recording = TRY(lens::open_recording(directory));
  tell_damage(recording);
  Place place = TRY(choose_place(directory, file));
  if (!place.passing && is_spoiled(place.path, recording)) {
    unlink(place.path.c_str());
    place = TRY(choose_place(directory, file));
  }
  const auto filled = fill_missing(place.path, recording, questions, anew);
  auto database =
      filled ? db::Database::open_for_reading(place.path) : Fallible<db::Database>(filled.error());
  if (place.passing) unlink(place.path.c_str());
  return database;
}

}  // namespace

Fallible<db::Database> collect(const std::string& directory, std::span<const Lens* const> lenses) {
  return collect_into(directory, lens::kLayersFile, usual_questions(lenses), false);
}

Fallible<db::Database> collect_anew(const std::string& directory, std::span<const Lens* const> lenses) {
  return collect_into(directory, lens::kLayersFile, usual_questions(lenses), true);
}

Fallible<db::Database> collect_own(const std::string& directory, const OwnQuestion& question) {
  const std::string lens = question.lens->name;
  const Question asked{
      .lens = question.lens, .name = lens + " " + question.words, .inquire = question.inquire};
  return collect_into(directory, lens::own_layers_file(lens), {asked}, false);
}

const Lens* lens_of_table(const std::string& table) {
  for (const Lens* lens : lens::all_lenses())
    for (const db::TableDescription& each : lens->tables())
      if (each.name == table) return lens;
  return nullptr;
}

}  // namespace orrery::cli
