#include "cli/arguments.h"

#include <optional>
#include <utility>

#include "base/types.h"
#include "cli/command_tree.h"

namespace orrery::cli {

Argument Argument::required() const {
  option_->required();
  return *this;
}

Argument Argument::one_of(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

Argument Argument::within(double least, double most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Argument Argument::checked_by(std::function<std::string(const std::string&)> complaint) const {
  option_->check(std::move(complaint));
  return *this;
}

Argument Argument::words(int least, int most) const {
  option_->expected(least, most);
  return *this;
}

Argument Argument::repeatable() const {
  option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Argument Argument::bare_value(const char* value) const {
  option_->default_str(value);
  return *this;
}

Argument Argument::type_name(const char* name) const {
  option_->type_name(name);
  return *this;
}

Argument Argument::excludes(Argument other) const {
  option_->excludes(other.option_);
  return *this;
}

Argument Argument::hidden() const {
  option_->group("");
  return *this;
}

Arguments Arguments::command(const char* name, const char* sentence) const {
  return Arguments(*app_->add_subcommand(name, sentence));
}

void Arguments::require_command() const { app_->require_subcommand(1); }

template <typename Value>
Argument Arguments::option(const char* names, Value& value, const std::string& sentence) const {
  return Argument(*app_->add_option(names, value, sentence));
}

template <typename Value>
Argument Arguments::size_option(const char* names, Value& value, const std::string& sentence) const {
  return Argument(*app_->add_option(names, value, sentence)->transform(CLI::AsSizeValue(true)));
}

template Argument Arguments::option(const char*, std::string&, const std::string&) const;
template Argument Arguments::option(const char*, std::vector<std::string>&, const std::string&) const;
template Argument Arguments::option(const char*, i32&, const std::string&) const;
template Argument Arguments::option(const char*, i64&, const std::string&) const;
template Argument Arguments::option(const char*, u64&, const std::string&) const;
template Argument Arguments::option(const char*, double&, const std::string&) const;
template Argument Arguments::option(const char*, std::optional<u64>&, const std::string&) const;
template Argument Arguments::size_option(const char*, u64&, const std::string&) const;
template Argument Arguments::size_option(const char*, std::optional<u64>&, const std::string&) const;

Argument Arguments::flag(const char* names, bool& value, const char* sentence) const {
  return Argument(*app_->add_flag(names, value, sentence));
}

Arguments Arguments::choice(const char* title, const char* sentence) const {
  CLI::App* group = app_->add_option_group(title, sentence);
  group->require_option(1);
  return Arguments(*group);
}

void Arguments::keep_rest() const { app_->prefix_command(); }

std::vector<std::string> Arguments::rest() const { return app_->remaining(); }

void Arguments::set_examples(const char* examples) const {
  app_->footer(std::string("Examples:\n") + examples);
}

void Arguments::hide() const { app_->group(""); }

void Arguments::run(std::function<void()> action) const { app_->callback(std::move(action)); }

}  // namespace orrery::cli
