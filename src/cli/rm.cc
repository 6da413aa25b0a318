// `orrery rm REC...`: removes recordings.
#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

struct RmOptions {
  std::vector<std::string> recordings;
  bool all = false;
};

int run_rm(RmOptions options) {
  if (options.all) {
    for (const trace::RecordingSummary& recording : trace::list_recordings())
      if (!recording.being_written) options.recordings.push_back(recording.path);
  } else if (options.recordings.empty()) {
    return complain("rm needs the names of recordings, or --all", kUsage);
  }
  int code = 0;
  for (const std::string& name : options.recordings) {
    const auto path = find_recording(name);
    if (!path) {
      code = kCannotRun;
    } else if (const Status status = trace::remove_recording(*path); !status) {
      std::fprintf(stderr, "orrery: %s: ", printable(name).c_str());
      code = complain(status.error());
    }
  }
  return code;
}

}  // namespace

void add_rm(CLI::App& app, Session& session) {
  auto options = std::make_shared<RmOptions>();
  CLI::App* command = app.add_subcommand("rm", "Remove recordings");
  command->add_option("REC", options->recordings, "Names or directories");
  command->add_flag("--all", options->all, "All recordings in the recordings directory");
  set_examples(*command, "  orrery rm grep-0 grep-1\n  orrery rm latest\n");
  command->callback([options, &session] { session.exit_code = run_rm(*options); });
}

}  // namespace orrery::cli
