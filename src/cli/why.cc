// `orrery why [REC]`: explains how the recorded run ended.
#include "cli/command.h"

namespace orrery::cli {

void add_why(CLI::App& app, Session& session) {
  auto recording = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("why", "Explain how a run ended");
  command->add_option("REC", *recording, "The recording; the latest if left out");
  command->callback([recording, &session] { session.exit_code = kNothingFound; });
}

}  // namespace orrery::cli
