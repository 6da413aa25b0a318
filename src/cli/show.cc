// `orrery show LAYER ...`: one layer of a recording or, for `file`, of a file.
#include "cli/show.h"

#include <cstring>

namespace orrery::cli {

void add_show(Arguments app, Session& session) {
  const Arguments command = app.command("show", "Show one layer: an ELF file, or what a run did in it");
  command.require_command();
  // The summary of a file takes less time than to build what the other layers' options need.
  if (std::strcmp(session.second_word, "file") == 0) return add_show_file(command, session);
  add_show_build(command, session);
  add_show_file(command, session);
  add_show_link(command, session);
  add_show_load(command, session);
  add_show_process(command, session);
  add_show_memory(command, session);
  add_show_pages(command, session);
  add_show_heap(command, session);
  add_show_errors(command, session);
  add_show_races(command, session);
  add_show_io(command, session);
  add_show_sched(command, session);
  add_show_cpu(command, session);
  add_show_profile(command, session);
  add_show_cache(command, session);
  add_show_stack(command, session);
  command.set_examples(
      "  orrery show build make-0\n"
      "  orrery show cache --by line\n"
      "  orrery show errors\n"
      "  orrery show file /bin/ls\n"
      "  orrery show heap\n"
      "  orrery show link\n"
      "  orrery show load\n"
      "  orrery show memory\n"
      "  orrery show pages\n"
      "  orrery show profile\n"
      "  orrery show races\n"
      "  orrery show sched\n"
      "  orrery show stack --at crash\n");
}

}  // namespace orrery::cli
