// `orrery replay`: runs a recording again to its end and compares every step. -a shows what the program
// wrote, as it wrote it; --check shows nothing and says in a line how it went.
#include <sys/wait.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/replay_process.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {
namespace {

struct Options {
  std::string recording;
  bool autopilot = false;
  bool check = false;
  bool trust = false;
};

/// engine/doors.h, ReplayStatus: what the engine exits with.
enum EngineStatus : int { kToTheEnd = 0, kDiffered = 3, kTraceEnded = 4, kEngineCannotRun = 69 };

/// The words for a replay that went well; --check's one line.
void say_equal(const std::string& directory, bool cut) {
  std::string trouble;
  const auto reader = trace::TraceReader::open(directory, trouble);
  const u64 events = reader ? reader->event_count() : 0;
  std::fprintf(stderr, "orrery: replay of %s is equal: %llu events%s\n", directory.c_str(),
               static_cast<unsigned long long>(events),
               cut ? "; the recording ends before the program did" : "");
}

int judge(int wait_status, const std::string& directory, const Options& options) {
  const bool check = options.check;
  if (WIFSIGNALED(wait_status))
    return complain("the replaying engine was killed by signal " + std::to_string(WTERMSIG(wait_status)),
                    kReplayDiffers);
  const int status = WEXITSTATUS(wait_status);
  switch (status) {
    case kToTheEnd:
    case kTraceEnded:
      if (check) say_equal(directory, status == kTraceEnded);
      if (!check && status == kTraceEnded) complain("the recording ends here, before the program did", 0);
      return kNothingFound;
    case kDiffered:  // the engine has said where
      if (!options.trust && !made_by_installed_engine(directory))
        complain("another engine made this recording; --trust runs the one it holds", 0);
      return kReplayDiffers;
    default:
      return complain("the replaying engine could not run here", kCannotRun);
  }
}

int replay(const Options& options) {
  const std::optional<std::string> directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  auto process = ReplayProcess::start(*directory, {.show_output = !options.check, .trust = options.trust});
  if (!process) return complain(process.error());
  return judge(process.value()->wait(), *directory, options);
}

}  // namespace

void add_replay(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("replay", "Run a recording again, exactly");
  command->add_option("REC", options->recording, "The recording; the latest if left out");
  CLI::Option* autopilot = command->add_flag("-a,--autopilot", options->autopilot,
                                             "Run to the end and show the program's output (the default)");
  command->add_flag("--check", options->check, "Show no output; exit status 0 if all was equal, 3 if not")
      ->excludes(autopilot);
  command->add_flag("--trust", options->trust,
                    "Run the engine that the recording holds, not the installed one");
  set_examples(*command,
               "  orrery replay -a                  the latest, with its output\n"
               "  orrery replay --check crash       is it still the same?\n");
  command->callback([options, &session] { session.exit_code = replay(*options); });
}

}  // namespace orrery::cli
