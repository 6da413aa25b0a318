#include "cli/command.h"

#include <cstdio>
#include <cstring>

namespace orrery::cli {

// One line a command; each is defined in the file of its name.
void add_record(Arguments app, Session& session);
void add_replay(Arguments app, Session& session);
void add_run(Arguments app, Session& session);
void add_why(Arguments app, Session& session);
void add_show(Arguments app, Session& session);
void add_compare(Arguments app, Session& session);
void add_collect(Arguments app, Session& session);
void add_origin(Arguments app, Session& session);
void add_query(Arguments app, Session& session);
void add_export(Arguments app, Session& session);
void add_ls(Arguments app, Session& session);
void add_info(Arguments app, Session& session);
void add_ps(Arguments app, Session& session);
void add_dump(Arguments app, Session& session);
void add_pack(Arguments app, Session& session);
void add_rm(Arguments app, Session& session);
void add_gc(Arguments app, Session& session);
void add_doctor(Arguments app, Session& session);
void add_completion(Arguments app, Session& session);
void add_man(Arguments app, Session& session);

namespace {

constexpr Command kCommands[] = {
    {"record", add_record},
    {"replay", add_replay},
    {"run", add_run},
    {"why", add_why},
    {"show", add_show},
    {"compare", add_compare},
    {"origin", add_origin},
    {"collect", add_collect},
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

void add_recording_option(Arguments command, std::string& name) {
  command.option("REC", name, "The recording: a name or a directory; the latest if left out");
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
