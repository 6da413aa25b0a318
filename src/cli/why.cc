// `orrery why [REC]`: explains how the recorded run ended. 0: nothing is wrong; 1: something was found.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "cli/command.h"
#include "cli/errors_report.h"
#include "cli/process_option.h"
#include "cli/recorded_files.h"
#include "cli/recording_text.h"
#include "cli/replay_process.h"
#include "cli/style.h"
#include "cli/why_descriptors.h"
#include "cli/why_json.h"
#include "cli/why_sarif.h"
#include "cli/why_sights.h"
#include "cli/why_slowness.h"
#include "cli/why_text.h"
#include "lens/lens.h"
#include "lens/why/verdict.h"
#include "trace/recordings_hosted.h"

namespace orrery::cli {
namespace {

using lens::ProcessTree;

struct WhyOptions {
  std::string recording;
  std::string process;
  bool json = false, sarif = false;
};

/// Replays of one recording, ended when the last question has been asked.
class Replays {
 public:
  explicit Replays(const lens::RunSummary& run) : run_(run), files_(run.directory) {}

  Result<std::unique_ptr<lens::ReplaySession>> begin() {
    process_ = TRY(ReplayProcess::start(run_.directory, {.asked = run_.process}));
    return process_->attach(files_.of(run_));
  }

 private:
  const lens::RunSummary& run_;
  RecordedFiles files_;
  std::unique_ptr<ReplayProcess> process_;
};

/// A run that ended well, or never began, is explained without a replay.
bool needs_replay(const lens::RunSummary& run) {
  const bool well = run.ended && run.status == 0 && run.signal == 0;
  return run.started && !well;
}

/// The process that the user means; nothing, and it was said, if there is none.
std::optional<u32> choose_process(const ProcessTree& tree, const std::string& word) {
  if (word.empty()) return tree.begin()->first;
  const std::set<u32> found = choose_processes(pids_of(tree), word);
  if (found.size() == 1) return *found.begin();
  if (!found.empty())
    complain("several processes had the pid " + word + "; name one by its number: '#" +
             std::to_string(*found.rbegin()) + "'");
  return std::nullopt;
}

Result<lens::why::Facts> gather(const std::string& directory, const lens::TreeProcess& process,
                                const std::string& named) {
  lens::RunSummary run = TRY(lens::summarize(directory, process));
  run.named = named;
  if (needs_replay(run)) {
    Replays replays(run);
    return lens::why::gather(run, [&replays] { return replays.begin(); });
  }
  lens::why::Facts facts;
  facts.run = std::move(run);
  return facts;
}

/// Errors of heap memory of the process. Checking takes some ten times as long as the replay, so nobody waits
/// for that of a long run without having asked for it (`orrery show errors`), and none are told if it fails.
std::vector<lens::why::HeapError> read_heap_errors(const std::string& directory,
                                                   const lens::RunSummary& run) {
  constexpr std::size_t kErrorsMost = 20;
  auto report =
      read_errors(directory, "process = " + std::to_string(run.process), kErrorsMost, Sought::accesses);
  std::vector<lens::why::HeapError> errors;
  if (!report) return errors;
  for (const lens::errors::MemoryErrorRow& row : report.value().errors) {
    const auto stack = [&](const RunPlace& place) {
      const lens::StackFact* const found = report.value().stack_at(place);
      return found == nullptr ? lens::StackFact{} : *found;
    };
    lens::why::HeapError& error =
        errors.emplace_back(lens::why::HeapError{.row = row, .stack = stack(place_of(row))});
    if (row.made_pc) error.made = stack(made_place(row));
    if (row.gone_pc) error.gone = stack(gone_place(row));
  }
  return errors;
}

/// The processes that lived when this one was ended: what they were doing, and what all of them had open.
void read_surroundings(const std::string& directory, const ProcessTree& tree, lens::why::Facts& facts) {
  constexpr u64 kProcessesMost = 6, kTogetherNs = 100'000'000;
  const lens::TreeProcess& own = tree.at(facts.run.process);
  u64 looked_at = 0;
  for (const auto& [number, process] : tree) {
    const bool lived = process.end_ns + kTogetherNs >= own.end_ns && process.start_ns <= own.end_ns;
    if (number == facts.run.process || process.native || process.event_count == 0 || !lived) continue;
    if (process.exit_status || ++looked_at > kProcessesMost) continue;
    auto run = lens::summarize(directory, process);
    if (!run) continue;
    Replays replays(run.value());
    auto tasks = lens::why::gather_tasks(run.value(), [&replays] { return replays.begin(); });
    if (!tasks) continue;
    for (lens::why::TaskFact& task : tasks.value()) facts.others.push_back(std::move(task));
  }
}

bool waits_on_descriptor(const lens::why::Facts& facts) {
  const auto waits = [](const lens::why::TaskFact& task) { return task.fd >= 0; };
  return std::any_of(facts.tasks.begin(), facts.tasks.end(), waits) ||
         std::any_of(facts.others.begin(), facts.others.end(), waits);
}

/// The verdict again, with what more it takes in some cases; each asks more replays.
void look_further(const std::string& directory, const ProcessTree& tree, lens::why::Facts& facts,
                  lens::why::Verdict& verdict) {
  using lens::why::Category;
  const bool wants_others = !facts.tasks.empty() && tree.size() > 1;
  if (wants_others) read_surroundings(directory, tree, facts);
  const bool had_none = std::any_of(verdict.failing_calls.begin(), verdict.failing_calls.end(),
                                    [](const lens::Call& call) { return call.error() == EMFILE; });
  const bool wants_descriptors =
      waits_on_descriptor(facts) || verdict.category == Category::descriptors_used_up || had_none;
  if (wants_descriptors) facts.descriptors = read_descriptors(directory);
  if (wants_others || wants_descriptors) verdict = lens::why::explain(facts);
}

/// About what is checked in five seconds.
constexpr u64 kTicksChecked = 30'000'000;

int run_why(const WhyOptions& options, const Session& session) {
  const auto found = find_recording(options.recording);
  if (!found) return kCannotRun;
  const std::string& directory = *found;
  auto recording = lens::open_recording(directory);
  if (!recording) return complain(printable(recording.error().sentence));
  const ProcessTree& tree = recording.value().tree;
  auto from = choose_process(tree, options.process);
  if (!from) return kUsage;
  if (tree.at(*from).native)
    return complain("the program of process " + std::to_string(tree.at(*from).pid) +
                    " ran natively and was not recorded (" + lens::end_words(tree.at(*from)) + ")");
  const std::vector<u32> chain = lens::why::trace_blame(tree, *from);
  auto gathered = gather(directory, tree.at(chain.back()), options.recording);
  if (!gathered) return complain(gathered.error());
  lens::why::Facts facts = gathered.take();
  for (auto parent = chain.begin(); *parent != chain.back(); ++parent)
    facts.blaming.push_back(lens::why::fact_of(tree.at(*parent)));
  if (const auto native = lens::why::find_blamed_native(tree, chain.back()))
    facts.native = lens::why::fact_of(tree.at(*native));
  if (chain.size() == 1)
    for (const u32 child : lens::why::find_crashed(tree, *from))
      facts.crashed.push_back(lens::why::fact_of(tree.at(child)));
  if (facts.run.killed) facts.killer = find_killer(directory, tree, facts.run.process);
  const bool is_clean = facts.run.status == 0;
  if (facts.run.ended && facts.run.signal == 0 && (is_clean || !facts.is_long))
    facts.slowness = read_slowness(directory, tree, facts.run.process);
  lens::why::Verdict verdict = lens::why::explain(facts);
  look_further(directory, tree, facts, verdict);
  const bool is_short = tree.at(chain.back()).end_ticks <= kTicksChecked;
  if (lens::why::asks_about_heap(verdict) && !is_short) {
    verdict.hints.insert(verdict.hints.begin(),
                         {"orrery show errors" + (facts.run.named.empty() ? "" : " " + facts.run.named),
                          "whether it had damaged its heap before; takes a while"});
  } else if (lens::why::asks_about_heap(verdict)) {
    facts.heap_errors = read_heap_errors(directory, facts.run);
    if (!facts.heap_errors.empty()) verdict = lens::why::explain(facts);
  }
  const std::string text = options.sarif ? why_sarif(verdict, facts)
                           : options.json
                               ? why_json(verdict, facts)
                               : why_text(verdict, facts, Style::for_stream(session.color, STDOUT_FILENO));
  std::fputs(text.c_str(), stdout);
  const bool is_well =
      verdict.category == lens::why::Category::clean || lens::why::is_slowness(verdict.category);
  return is_well ? kNothingFound : kFound;
}

}  // namespace

void add_why(Arguments app, Session& session) {
  auto options = std::make_shared<WhyOptions>();
  const Arguments command =
      app.command("why", "Explain how a run ended: crash, abort, failure, missing file");
  add_recording_option(command, options->recording);
  command.option("-p,--process", options->process, kProcessWords);
  command.flag("--json", options->json, "Print the verdict and all facts as JSON");
  command.flag("--sarif", options->sarif, "Print the verdict as a SARIF 2.1.0 log");
  command.set_examples(
      "  orrery record -- ./program; orrery why\n"
      "  orrery why ~/recordings/crash\n"
      "  orrery why make-0 -p 4711\n"
      "  orrery why --json | jq .place\n");
  command.run([options, &session] { session.exit_code = run_why(*options, session); });
}

}  // namespace orrery::cli
