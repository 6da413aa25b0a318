// The frame every command of `orrery` hangs in: one file a command, one row a command in the registry
// of command.cc. A command adds its subcommand to the tree, and its callback leaves the exit code in
// the Session.
//
//     void add_ls(Arguments app, Session& session) {
//       auto options = std::make_shared<LsOptions>();
//       const Arguments command = app.command("ls", "List the recordings");
//       command.flag("--json", options->json, "Print JSON");
//       command.set_examples("  orrery ls\n");
//       command.run([=, &session] { session.exit_code = run_ls(*options, session); });
//     }
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/arguments.h"

namespace orrery::cli {

/// What checking commands exit with; `record` exits with the guest's own code.
enum ExitCode : int {
  kNothingFound = 0,
  kFound = 1,
  kUsage = 2,
  kReplayDiffers = 3,
  kCannotRun = 69,
  kOutOfTime = 124,
  kSkip = 125,
};

/// One run of `orrery`: the options every command shares, and what it will exit with.
struct Session {
  std::string color = "auto";  ///< auto, always, never
  int verbosity = 0;           ///< how often -v was given
  int exit_code = 0;
  const char* second_word = "";  ///< of the command line, behind the command
};

struct Command {
  const char* name;
  void (*add)(Arguments app, Session& session);
};

/// Every command, in the order `orrery --help` lists them.
std::span<const Command> commands();

/// The REC argument of a command that looks at one recording; see find_recording().
void add_recording_option(Arguments command, std::string& name);

/// Says on stderr what could not be done and why, as "orrery: ...". Returns the exit code for it.
int complain(const Error& error, int exit_code = kCannotRun);
int complain(const std::string& sentence, int exit_code = kCannotRun);

}  // namespace orrery::cli
