// `orrery why [REC]`: explains how the recorded run ended. 0: nothing is wrong; 1: something was found.
#include <unistd.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/replay_process.h"
#include "cli/style.h"
#include "cli/why_json.h"
#include "cli/why_text.h"
#include "lens/why/verdict.h"
#include "trace/recordings_hosted.h"

namespace orrery::cli {
namespace {

struct WhyOptions {
  std::string recording;
  bool json = false;
};

/// Replays of one recording, ended when the last question has been asked.
class Replays {
 public:
  explicit Replays(const lens::RunSummary& run) : run_(run) {}

  Result<std::unique_ptr<lens::ReplaySession>> begin() {
    process_ = TRY(ReplayProcess::start(run_.directory, {.controlled = true}));
    return process_->attach(
        [this](const std::string& path, u64 inode) { return lens::kept_file(run_, path, inode); });
  }

 private:
  const lens::RunSummary& run_;
  std::unique_ptr<ReplayProcess> process_;
};

/// A run that ended well, or never began, is explained without a replay.
bool needs_replay(const lens::RunSummary& run) {
  const bool well = run.ended && run.status == 0 && run.signal == 0;
  return run.started && !well;
}

int run_why(const WhyOptions& options, const Session& session) {
  std::string trouble;
  const std::string directory = trace::resolve_recording(options.recording, trouble);
  if (directory.empty()) return complain(printable(trouble));
  (void)trace::settle_recording(directory);
  auto summary = lens::summarize(directory);
  if (!summary) return complain(summary.error());
  lens::RunSummary run = summary.take();
  run.named = options.recording;
  lens::why::Facts facts;
  facts.run = run;
  if (needs_replay(run)) {
    Replays replays(run);
    auto gathered = lens::why::gather(run, [&replays] { return replays.begin(); });
    if (!gathered) return complain(gathered.error());
    facts = gathered.take();
  }
  const lens::why::Verdict verdict = lens::why::explain(facts);
  const std::string text = options.json
                               ? why_json(verdict, facts)
                               : why_text(verdict, facts, Style::for_stream(session.color, STDOUT_FILENO));
  std::fputs(text.c_str(), stdout);
  return verdict.category == lens::why::Category::clean ? kNothingFound : kFound;
}

}  // namespace

void add_why(CLI::App& app, Session& session) {
  auto options = std::make_shared<WhyOptions>();
  CLI::App* command =
      app.add_subcommand("why", "Explain how a run ended: crash, abort, failure, missing file");
  command->add_option("REC", options->recording, "The recording; the latest if left out");
  command->add_flag("--json", options->json, "Print the verdict and all facts as JSON");
  set_examples(*command,
               "  orrery record -- ./program; orrery why\n"
               "  orrery why ~/recordings/crash\n"
               "  orrery why --json | jq .place\n");
  command->callback([options, &session] { session.exit_code = run_why(*options, session); });
}

}  // namespace orrery::cli
