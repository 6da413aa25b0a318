// What the words of a command may be: its options, flags and places, declared where the command is.
// This stands before CLI11, which costs every unit that sees it seconds: only arguments.cc and what walks the
// whole tree (main.cc, man.cc, completion.cc, through command_tree.h) do.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace orrery::cli {

/// One option, flag or place of a command.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument required() const;
  Argument one_of(const std::vector<std::string>& words) const;
  /// A number from `least` to `most`.
  Argument within(double least, double most) const;
  /// `complaint` is asked of each value: "" if it will do.
  Argument checked_by(std::function<std::string(const std::string&)> complaint) const;
  /// So many words, from `least` to `most`.
  Argument words(int least, int most) const;
  /// May be given often, with one word each time.
  Argument repeatable() const;
  /// Its value if it stands without one.
  Argument bare_value(const char* value) const;
  /// What stands for the value in --help.
  Argument type_name(const char* name) const;
  /// Not together with `other`.
  Argument excludes(Argument other) const;
  /// Not listed in --help.
  Argument hidden() const;

 private:
  CLI::Option* option_;
};

/// All arguments of one command, and the commands below it. The tree owns it; copies mean the same command.
class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(&app) {}

  /// A new command below this one.
  Arguments command(const char* name, const char* sentence) const;
  /// One of the commands below must be given.
  void require_command() const;

  /// `names` as "-o,--output", or "FILE" for a place. `value` lives as long as the command; it is a string, a
  /// whole or a broken number, an optional of one, or a vector of strings.
  template <typename Value>
  Argument option(const char* names, Value& value, const std::string& sentence) const;
  /// Bytes, as 500MB or 10GB.
  template <typename Value>
  Argument size_option(const char* names, Value& value, const std::string& sentence) const;
  Argument flag(const char* names, bool& value, const char* sentence) const;
  /// Options of which exactly one must be given.
  Arguments choice(const char* title, const char* sentence) const;

  /// All words from the first one on that is no option are `rest()`.
  void keep_rest() const;
  std::vector<std::string> rest() const;

  /// Stands at the end of --help.
  void set_examples(const char* examples) const;
  /// Not listed in --help.
  void hide() const;
  /// What the command does, once its words are read.
  void run(std::function<void()> action) const;

  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

}  // namespace orrery::cli
