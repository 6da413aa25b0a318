// `orrery man`: the manual page, orrery(1), written from the command tree itself.
#include <cstdio>

#include "cli/command.h"
#include "cli/command_tree.h"

namespace orrery::cli {
namespace {

/// Text as troff wants it: no line may begin with a control character, and - is a minus.
std::string troff(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (const char letter : text) {
    if (line_start && (letter == '.' || letter == '\'')) out += "\\&";
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else {
      out += letter;
    }
    line_start = letter == '\n';
  }
  return out;
}

/// "-o, --output", or a positional's name.
std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  return names;
}

void print_options(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    std::string environment;
    if (!option->get_envname().empty()) environment = " (" + option->get_envname() + ")";
    const bool takes_value = option->get_items_expected_max() > 0 && !option->get_positional();
    std::printf(".TP\n.B %s%s\n%s%s\n", troff(names_of(*option)).c_str(), takes_value ? " VALUE" : "",
                troff(option->get_description()).c_str(), troff(environment).c_str());
  }
}

/// `words` come before the command's own name.
void print_command(const CLI::App& command, const std::string& words) {
  if (command.get_group().empty()) return;
  const std::string name = words + " " + command.get_name();
  std::printf(".SS %s\n%s\n", troff(name).c_str(), troff(command.get_description()).c_str());
  print_options(command);
  if (!command.get_footer().empty()) std::printf(".PP\n.nf\n%s\n.fi\n", troff(command.get_footer()).c_str());
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; }))
    print_command(*child, name);
}

void print_page(const CLI::App& app) {
  std::printf(".TH ORRERY 1\n.SH NAME\norrery \\- record a program, replay it exactly, ask what happened\n");
  std::printf(".SH SYNOPSIS\n.B orrery\n[options] command [...]\n.SH DESCRIPTION\n%s\n",
              troff(app.get_description()).c_str());
  std::printf(".SH OPTIONS\n");
  print_options(app);
  std::printf(".SH COMMANDS\n");
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    print_command(*command, "orrery");
  std::printf(
      ".SH EXIT STATUS\n.B record\nexits with the program's own status, or dies of its signal. Other "
      "commands:\n"
      "0 nothing found, 1 found, 2 usage, 3 the replay differs, 69 cannot run here, 124 out of time, 125 "
      "skip.\n");
  std::printf(
      ".SH ENVIRONMENT\nEvery option can be given as a variable, named beside it. NO_COLOR turns colour "
      "off.\n"
      ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/orrery/config.toml\nOptions, one a line, a section a command.\n"
      ".TP\n.I $XDG_DATA_HOME/orrery\nThe recordings, and a link `latest`.\n");
}

}  // namespace

void add_man(Arguments app, Session& session) {
  const Arguments command = app.command("man", "Print the manual page (troff)");
  command.set_examples("  orrery man | man -l -\n");
  command.run([app, &session] {
    print_page(app.app());
    session.exit_code = 0;
  });
}

}  // namespace orrery::cli
