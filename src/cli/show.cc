// `orrery show LAYER ...`: one layer of a recording or, for `file`, of a file.
#include "cli/show.h"

namespace orrery::cli {

void add_show(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("show", "Show one layer: a recorded build, an ELF file");
  command->require_subcommand(1);
  add_show_build(*command, session);
  add_show_file(*command, session);
  set_examples(*command, "  orrery show build make-0\n  orrery show file /bin/ls\n");
}

}  // namespace orrery::cli
