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

void add_rm(Arguments app, Session& session) {
  auto options = std::make_shared<RmOptions>();
  const Arguments command = app.command("rm", "Remove recordings");
  command.option("REC", options->recordings, "Names or directories");
  command.flag("--all", options->all, "All recordings in the recordings directory");
  command.set_examples("  orrery rm grep-0 grep-1\n  orrery rm latest\n");
  command.run([options, &session] { session.exit_code = run_rm(*options); });
}

}  // namespace orrery::cli
