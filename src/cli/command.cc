#include "cli/command.h"

#include <cstdio>
#include <cstring>

namespace orrery::cli {

// One line a command; each is defined in the file of its name.
void add_why(CLI::App& app, Session& session);
void add_completion(CLI::App& app, Session& session);
void add_man(CLI::App& app, Session& session);

namespace {

constexpr Command kCommands[] = {
    {"why", add_why},
    {"completion", add_completion},
    {"man", add_man},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

void set_examples(CLI::App& command, const char* examples) {
  command.footer(std::string("Examples:\n") + examples);
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
