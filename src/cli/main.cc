// `orrery`: reads the command line, runs one command, exits with its code. Conventions are those of
// docs/conventions: stdout is data, stderr is words; 2 is a usage error.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/command_tree.h"
#include "cli/show.h"
#include "cli/stack.h"

namespace orrery::cli {
namespace {

constexpr const char* kVersion = "orrery 0.1.0";
constexpr const char* kPurpose =
    "Records a program on a machine of its own, replays it exactly, and answers what happened.";
constexpr const char* kExamples =
    "  orrery record -- ./program args   record a run\n"
    "  orrery why                        explain how the latest run ended\n"
    "  orrery replay -a                  run it again, to the same bytes\n"
    "  orrery DIR                        the same as orrery replay DIR\n";

/// $XDG_CONFIG_HOME/orrery/config.toml, or the same below ~/.config.
std::string config_path() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base && *base)
    return std::string(base) + "/orrery/config.toml";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.config/orrery/config.toml";
  return "";
}

bool is_directory(const char* path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/// Whether only `command` has to be known to understand a command line that begins with `word`. Building the
/// whole tree takes longer than the rest of the start; `man` and `completion` are about the tree.
bool is_enough(const Command& command, const char* word) {
  return std::strcmp(command.name, word) == 0 && std::strcmp(word, "man") != 0 &&
         std::strcmp(word, "completion") != 0;
}

void add_commands(CLI::App& app, Session& session, const char* first_word) {
  for (const Command& command : commands()) {
    if (is_enough(command, first_word)) return command.add(Arguments(app), session);
  }
  for (const Command& command : commands()) command.add(Arguments(app), session);
}

/// A recording in the place of a command means: replay it.
bool means_replay(const char* word) {
  if (word[0] == '-') return false;
  for (const Command& command : commands()) {
    if (std::strcmp(command.name, word) == 0) return false;
  }
  return is_directory(word);
}

/// ORRERY_<OPTION> for the options of `app` itself, ORRERY_<COMMAND>_<OPTION> for a command's.
void name_environment(CLI::App& app, const std::string& prefix) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option == app.get_help_ptr() || option == app.get_config_ptr())
      continue;
    std::string name = prefix + option->get_lnames().front();
    for (char& letter : name)
      letter = letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    if (name != "ORRERY_VERSION") option->envname(name);
  }
  for (CLI::App* child : app.get_subcommands([](CLI::App*) { return true; })) {
    name_environment(*child, prefix + child->get_name() + "_");
  }
}

/// As CLI11's, without the environment's names, which the manual page has.
class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat() { column_width(28); }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_items_expected_max() == 0 || option->get_positional()) return "";
    return " " + (option->get_type_name() == "TEXT" || option->get_type_name().empty()
                      ? "VALUE"
                      : option->get_type_name());
  }
};

/// What is the same for every command.
void finish_commands(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    finish_commands(*command);
    // `orrery why -v` reads as `orrery -v why`; but the words after `record PROG` are the program's.
    if (!command->get_prefix_command()) command->fallthrough();
  }
}

/// Takes the `--` out of `record -o DIR -- PROG ARGS`. CLI11 would hand what follows it to the parent
/// command; without it everything from PROG on is the subcommand's remainder. A `--` behind PROG is the
/// program's.
void drop_separator(const CLI::App& app, std::vector<std::string>& words) {
  const CLI::App* command = nullptr;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.empty() || word[0] != '-') {
      if (command != nullptr) return;  // the program
      const auto found = app.get_subcommands([&](const CLI::App* each) { return each->check_name(word); });
      command = found.empty() ? nullptr : found.front();
      if (command == nullptr || !command->get_prefix_command()) return;
    } else if (word == "--") {
      if (command != nullptr) words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    } else {
      const CLI::Option* option = (command != nullptr ? command : &app)->get_option_no_throw(word);
      if (option != nullptr && option->get_items_expected_max() > 0) ++i;
    }
  }
}

/// Whether an option may come from elsewhere than the command line.
bool has_other_options() {
  for (char** each = environ; *each != nullptr; ++each)
    if (std::strncmp(*each, "ORRERY_", 7) == 0) return true;
  return access(config_path().c_str(), F_OK) == 0;
}

/// `orrery show file PATH`, which should answer as fast as readelf: to build the options and to read none
/// would be a fifth of it.
bool is_plain_show_file(int argument_count, char** arguments) {
  return argument_count == 4 && std::strcmp(arguments[1], "show") == 0 &&
         std::strcmp(arguments[2], "file") == 0 && arguments[3][0] != '-' && arguments[3][0] != '\0' &&
         !has_other_options();
}

int run(int argument_count, char** arguments) {
  if (is_plain_show_file(argument_count, arguments)) return show_file_summary(arguments[3]);
  Session session;
  CLI::App app(kPurpose, "orrery");
  app.formatter(std::make_shared<HelpFormat>());
  app.set_version_flag("--version", kVersion, "Print the version and exit");
  app.add_option("--color", session.color, "When to use colour: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_flag("-v,--verbose", session.verbosity, "Say more on stderr; twice for still more");
  if (const std::string path = config_path(); !path.empty()) {
    app.set_config("--config", path, "Read options from this file");
  }
  app.require_subcommand(1);
  if (argument_count > 2) session.second_word = arguments[2];
  add_commands(app, session, argument_count > 1 ? arguments[1] : "");
  Arguments(app).set_examples(kExamples);  // after the commands, which would inherit it
  finish_commands(app);
  name_environment(app, "ORRERY_");

  std::vector<std::string> words(arguments + 1, arguments + argument_count);
  if (!words.empty() && means_replay(arguments[1])) words.insert(words.begin(), "replay");
  drop_separator(app, words);
  std::reverse(words.begin(), words.end());  // CLI11 takes the words last first
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "orrery: %s\nTry `orrery --help`.\n", error.what());
    return kUsage;
  }
  return session.exit_code;
}

}  // namespace
}  // namespace orrery::cli

int main(int argument_count, char** arguments) {
  return orrery::cli::call_with_stack([=] { return orrery::cli::run(argument_count, arguments); });
}
