// `orrery show LAYER`: one subcommand a layer, one row a layer in show.cc, one file a layer.
#pragma once

#include "cli/command.h"

namespace orrery::cli {

/// Adds its subcommand to `show`, as a command adds itself to the application.
void add_show_build(Arguments show, Session& session);
void add_show_errors(Arguments show, Session& session);
void add_show_races(Arguments show, Session& session);
void add_show_file(Arguments show, Session& session);
void add_show_heap(Arguments show, Session& session);
void add_show_io(Arguments show, Session& session);
void add_show_link(Arguments show, Session& session);
void add_show_load(Arguments show, Session& session);
void add_show_memory(Arguments show, Session& session);
void add_show_process(Arguments show, Session& session);
void add_show_pages(Arguments show, Session& session);
void add_show_sched(Arguments show, Session& session);
void add_show_cpu(Arguments show, Session& session);
void add_show_profile(Arguments show, Session& session);
void add_show_cache(Arguments show, Session& session);
void add_show_stack(Arguments show, Session& session);

/// `orrery show file PATH` without options. Returns the exit code.
int show_file_summary(const std::string& path);

}  // namespace orrery::cli
