#include "cli/command.h"

#include <cstdio>
#include <cstring>

namespace orrery::cli {

// One line a command; each is defined in the file of its name.
void add_record(CLI::App& app, Session& session);
void add_replay(CLI::App& app, Session& session);
void add_run(CLI::App& app, Session& session);
void add_why(CLI::App& app, Session& session);
void add_show(CLI::App& app, Session& session);
void add_compare(CLI::App& app, Session& session);
void add_query(CLI::App& app, Session& session);
void add_export(CLI::App& app, Session& session);
void add_ls(CLI::App& app, Session& session);
void add_info(CLI::App& app, Session& session);
void add_ps(CLI::App& app, Session& session);
void add_dump(CLI::App& app, Session& session);
void add_pack(CLI::App& app, Session& session);
void add_rm(CLI::App& app, Session& session);
void add_gc(CLI::App& app, Session& session);
void add_doctor(CLI::App& app, Session& session);
void add_completion(CLI::App& app, Session& session);
void add_man(CLI::App& app, Session& session);

namespace {

constexpr Command kCommands[] = {
    {"record", add_record},
    {"replay", add_replay},
    {"run", add_run},
    {"why", add_why},
    {"show", add_show},
    {"compare", add_compare},
    {"query", add_query},
    {"export", add_export},
    {"ls", add_ls},
    {"info", add_info},
    {"ps", add_ps},
    {"dump", add_dump},
    {"pack", add_pack},
    {"rm", add_rm},
    {"gc", add_gc},
    {"doctor", add_doctor},
    {"completion", add_completion},
    {"man", add_man},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

void set_examples(CLI::App& command, const char* examples) {
  command.footer(std::string("Examples:\n") + examples);
}

void add_recording_option(CLI::App& command, std::string& name) {
  command.add_option("REC", name, "The recording: a name or a directory; the latest if left out");
}

int complain(const Error& error, int exit_code) {
  if (error.errno_value == 0) return complain(std::string(error.doing), exit_code);
  return complain(std::string(error.doing) + ": " + std::strerror(error.errno_value), exit_code);
}

int complain(const std::string& sentence, int exit_code) {
  std::fprintf(stderr, "orrery: %s\n", sentence.c_str());
  return exit_code;
}

}  // namespace orrery::cli
