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

std::string count_words(const ReplayProcess& process) {
  const ReplayFamily::Outcome& others = process.others();
  const std::string events = std::to_string(process.reader().event_count() + others.events) + " events";
  return others.processes == 0 ? events
                               : events + " of " + std::to_string(others.processes + 1) + " processes";
}

/// The words for a replay that went well, --check's one line; also for one that met the end of a recording
/// that ends before its program, and why it does.
int say_equal(const std::string& directory, const ReplayProcess& process, bool cut, bool check) {
  const trace::TraceReader& reader = process.reader();
  const std::string why =
      cut ? "the recording ends before the program did: " + printable(end_reason(directory, reader)) : "";
  if (check)
    complain("replay of " + printable(directory) + " is equal: " + count_words(process) +
             (cut ? "; " + why : ""));
  else if (cut)
    complain(why);
  if (process.others().damaged) return complain(printable(process.others().damage), kFound);
  return cut && reader.ending() == trace::Ending::damaged ? kFound : kNothingFound;
}

/// The engine has said where.
int judge_difference(const std::string& directory, const Options& options) {
  if (!options.trust && !made_by_installed_engine(directory))
    complain("another engine made this recording; --trust runs the one it holds", 0);
  return kReplayDiffers;
}

int judge(int wait_status, const ReplayProcess& process, const std::string& directory,
          const Options& options) {
  if (WIFSIGNALED(wait_status))
    return complain("the replaying engine was killed by signal " + std::to_string(WTERMSIG(wait_status)),
                    kReplayDiffers);
  const int status = WEXITSTATUS(wait_status);
  const ReplayFamily::Outcome& others = process.others();
  if (others.differed) return judge_difference(directory, options);
  if (others.lost) return complain("an engine that replayed a forked process was killed", kReplayDiffers);
  switch (status) {
    case kToTheEnd:
    case kTraceEnded:
      return say_equal(directory, process, status == kTraceEnded, options.check);
    case kDiffered:
      return judge_difference(directory, options);
    default:
      return complain("the replaying engine could not run here", kCannotRun);
  }
}

int replay(const Options& options) {
  const std::optional<std::string> directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  auto process = ReplayProcess::start(*directory, {.show_output = !options.check, .trust = options.trust});
  if (!process) return complain(process.error());
  const int status = process.value()->wait();
  return judge(status, *process.value(), *directory, options);
}

}  // namespace

void add_replay(Arguments app, Session& session) {
  auto options = std::make_shared<Options>();
  const Arguments command = app.command("replay", "Run a recording again, exactly");
  add_recording_option(command, options->recording);
  const Argument autopilot = command.flag("-a,--autopilot", options->autopilot,
                                          "Run to the end and show the program's output (the default)");
  command
      .flag("--check", options->check,
            "Show no output; exit status 0 if all was equal, 3 if not, 1 if it is damaged")
      .excludes(autopilot);
  command.flag("--trust", options->trust, "Run the engine that the recording holds, not the installed one");
  command.set_examples(
      "  orrery replay -a                  the latest, with its output\n"
      "  orrery replay --check crash       is it still the same?\n");
  command.run([options, &session] { session.exit_code = replay(*options); });
}

}  // namespace orrery::cli
