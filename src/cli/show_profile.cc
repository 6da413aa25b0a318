// `orrery show profile`: what was executed how often, by function, line and call; exact, not sampled.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/profile_report.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/stopped_process.h"
#include "lens/profile/program_span.h"

namespace orrery::cli {
namespace {

using lens::profile::ProfileRows;

ProfileOrder order_of(const std::string& by) {
  if (by == "inclusive") return ProfileOrder::inclusive;
  if (by == "line") return ProfileOrder::line;
  return by == "call" ? ProfileOrder::call : ProfileOrder::function;
}

struct SpanProfile {
  lens::ExactInstant from{}, to{};
  std::vector<ProfileRows> programs{};
};

/// `--at` means from the beginning up to there.
Fallible<SpanProfile> profile_of_span(const LayerOptions& options) {
  SpanProfile span;
  span.from =
      TRY(find_instant(options.directory, options.from.empty() ? "start" : options.from, options.processes));
  const std::set<u32> same{span.from.process};
  if (options.instant)
    span.to = *options.instant;
  else
    span.to = TRY(find_instant(options.directory, options.to.empty() ? "end" : options.to, same));
  if (span.to.process != span.from.process)
    return Failure("both instants must be of one process: choose it with -p");
  const auto stopped = TRY(stop_process(options.directory, same, span.from));
  using lens::profile::ProgramProfile;
  lens::profile::ProgramSpan<ProgramProfile> program_span(*stopped->session,
                                                          [] { return std::make_unique<ProgramProfile>(); });
  span.programs = TRY(program_span.go(span.to));
  for (u32 program = 0; program < span.programs.size(); ++program)
    for (auto& row : span.programs[program].functions) row.process = span.to.process, row.program = program;
  return span;
}

void print_text(const std::vector<ProfileRows>& programs, const LayerOptions& options,
                const Session& session) {
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  const ProfileView view{order_of(options.by), options.all, options.directory};
  for (std::size_t at = 0; at < programs.size(); ++at)
    std::printf("%s%s", at == 0 ? "" : "\n", profile_text(programs[at], view, style).c_str());
}

nlohmann::ordered_json programs_json(const std::vector<ProfileRows>& programs, const LayerOptions& options) {
  auto json = nlohmann::ordered_json::array();
  for (const ProfileRows& rows : programs) json.push_back(profile_json(rows, order_of(options.by)));
  return json;
}

Fallible<Nothing> show_span(const LayerOptions& options, const Session& session) {
  const SpanProfile span = TRY(profile_of_span(options));
  if (options.json) {
    print_json({{"from", instant_json(span.from)},
                {"to", instant_json(span.to)},
                {"programs", programs_json(span.programs, options)}});
    return Nothing{};
  }
  std::printf("from %s\nto %s\n\n", instant_words(span.from).c_str(), instant_words(span.to).c_str());
  print_text(span.programs, options, session);
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (options.instant || !options.from.empty() || !options.to.empty()) return show_span(options, session);
  db::Database database = TRY(collect(options.directory, {{lens_of_table("profile_function")}}));
  const auto programs = TRY(read_profiles(database, options.condition()));
  if (options.json)
    print_json({{"programs", programs_json(programs, options)}});
  else
    print_text(programs, options, session);
  return Nothing{};
}

}  // namespace

void add_show_profile(CLI::App& show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "profile", "How often each function, line and call was executed, exactly", show,
      "  orrery show profile                           the functions that executed most themselves\n"
      "  orrery show profile --by inclusive            with all that they called\n"
      "  orrery show profile --by line                 source lines, and how often their jumps were taken\n"
      "  orrery show profile --from main --to 'stop:1' only what lies between two instants\n"
      "  orrery export --callgrind -o callgrind.out    for KCachegrind and callgrind_annotate\n");
  LayerOptions& options = *added.options;
  added.command
      ->add_option("--by", options.by,
                   "What the rows are: functions by their own instructions or with "
                   "those they called (inclusive), lines, or calls")
      ->check(CLI::IsMember({"function", "inclusive", "line", "call"}));
  added.command->add_option("--from", options.from, "Count from this instant on, of one process");
  added.command->add_option("--to", options.to, "Count up to this instant");
}

}  // namespace orrery::cli
