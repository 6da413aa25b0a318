// `orrery completion bash|zsh|fish`: completions written from the command tree itself, so that they
// cannot fall behind it.
#include <cstdio>

#include "cli/command.h"
#include "cli/command_tree.h"

namespace orrery::cli {
namespace {

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
  std::vector<const CLI::App*> found;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!child->get_group().empty()) found.push_back(child);
  }
  return found;
}

/// The options, and what else may follow: for `show` its layers and their options.
std::string option_words(const CLI::App& app) {
  std::string words;
  for (const CLI::App* child : visible_commands(app)) {
    if (app.get_parent() != nullptr) words += " " + child->get_name() + option_words(*child);
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
    for (const std::string& name : option->get_snames()) words += " -" + name;
  }
  return words;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return out + "'";
}

/// After `record ... --` and for the program itself the shell's own completion goes on.
void print_bash(const CLI::App& app) {
  std::string names;
  std::printf(
      "_orrery() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" choices\n  case \"${COMP_WORDS[1]}\" in\n");
  for (const CLI::App* command : visible_commands(app)) {
    names += " " + command->get_name();
    std::printf("    %s) choices=\"%s\" ;;\n", command->get_name().c_str(), option_words(*command).c_str());
  }
  std::printf("    *) choices=\"%s%s\" ;;\n  esac\n", names.c_str(), option_words(app).c_str());
  std::printf(
      "  if [[ $COMP_CWORD -gt 1 && $word != -* ]]; then\n"
      "    case \"${COMP_WORDS[1]}\" in\n"
      "      replay|why|info|ps|dump|pack|rm) choices=$(orrery ls --names 2>/dev/null) ;;\n"
      "      *) return ;;\n"
      "    esac\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$choices\" -- \"$word\"))\n"
      "}\ncomplete -o default -F _orrery orrery\n");
}

void print_zsh(const CLI::App& app) {
  std::printf("#compdef orrery\n_orrery() {\n  local -a commands options\n  commands=(\n");
  for (const CLI::App* command : visible_commands(app)) {
    std::printf("    %s\n", quoted(command->get_name() + ":" + command->get_description()).c_str());
  }
  std::printf(
      "  )\n  if (( CURRENT == 2 )); then _describe command commands; _files -/; return; fi\n  case "
      "$words[2] in\n");
  for (const CLI::App* command : visible_commands(app)) {
    std::printf("    %s) options=(%s) ;;\n", command->get_name().c_str(), option_words(*command).c_str());
  }
  std::printf("  esac\n  compadd -- $options\n  _files\n}\ncompdef _orrery orrery\n");
}

void print_fish(const CLI::App& app) {
  for (const CLI::App* command : visible_commands(app)) {
    const std::string name = command->get_name();
    std::printf("complete -c orrery -n __fish_use_subcommand -a %s -d %s\n", name.c_str(),
                quoted(command->get_description()).c_str());
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& word : option->get_lnames()) {
        std::printf("complete -c orrery -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", name.c_str(),
                    word.c_str(), quoted(option->get_description()).c_str());
      }
    }
  }
}

}  // namespace

void add_completion(Arguments app, Session& session) {
  auto shell = std::make_shared<std::string>();
  const Arguments command = app.command("completion", "Print completions for a shell");
  command.option("SHELL", *shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
  command.set_examples(
      "  orrery completion bash > ~/.local/share/bash-completion/completions/orrery\n"
      "  orrery completion zsh  > ~/.zfunc/_orrery\n"
      "  orrery completion fish > ~/.config/fish/completions/orrery.fish\n");
  command.run([shell, app, &session] {
    if (*shell == "bash") print_bash(app.app());
    if (*shell == "zsh") print_zsh(app.app());
    if (*shell == "fish") print_fish(app.app());
    session.exit_code = 0;
  });
}

}  // namespace orrery::cli
