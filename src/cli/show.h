// `orrery show LAYER`: one subcommand a layer, one row a layer in show.cc, one file a layer.
#pragma once

#include "cli/command.h"

namespace orrery::cli {

/// Adds its subcommand to `show`, as a command adds itself to the application.
void add_show_build(CLI::App& show, Session& session);
void add_show_errors(CLI::App& show, Session& session);
void add_show_file(CLI::App& show, Session& session);
void add_show_heap(CLI::App& show, Session& session);
void add_show_io(CLI::App& show, Session& session);
void add_show_link(CLI::App& show, Session& session);
void add_show_load(CLI::App& show, Session& session);
void add_show_memory(CLI::App& show, Session& session);
void add_show_process(CLI::App& show, Session& session);
void add_show_pages(CLI::App& show, Session& session);
void add_show_sched(CLI::App& show, Session& session);
void add_show_cpu(CLI::App& show, Session& session);
void add_show_profile(CLI::App& show, Session& session);
void add_show_cache(CLI::App& show, Session& session);
void add_show_stack(CLI::App& show, Session& session);

/// `orrery show file PATH` without options. Returns the exit code.
int show_file_summary(const std::string& path);

}  // namespace orrery::cli
