// `orrery show profile`: what was executed how often, by function, line and call; exact, not sampled.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/profile_report.h"
#include "cli/program_span.h"
#include "cli/recording_text.h"
#include "cli/show.h"

namespace orrery::cli {
namespace {

using lens::profile::ProfileRows;
using lens::profile::ProgramProfile;

ProfileOrder order_of(const std::string& by) {
  if (by == "inclusive") return ProfileOrder::inclusive;
  if (by == "line") return ProfileOrder::line;
  return by == "call" ? ProfileOrder::call : ProfileOrder::function;
}

void print_text(const std::vector<ProfileRows>& programs, const LayerOptions& options,
                const Session& session) {
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  const ProfileView view{order_of(options.by), options.all, options.inlined, options.directory};
  for (std::size_t at = 0; at < programs.size(); ++at)
    std::printf("%s%s", at == 0 ? "" : "\n", profile_text(programs[at], view, style).c_str());
}

nlohmann::ordered_json programs_json(const std::vector<ProfileRows>& programs, const LayerOptions& options) {
  auto json = nlohmann::ordered_json::array();
  for (const ProfileRows& rows : programs) json.push_back(profile_json(rows, order_of(options.by)));
  return json;
}

Fallible<Nothing> show_span(const LayerOptions& options, const Session& session) {
  const SpanRows<ProgramProfile> span = TRY(
      rows_of_span<ProgramProfile>(options, [](const auto&) { return std::make_unique<ProgramProfile>(); }));
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

void add_show_profile(Arguments show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "profile", "How often each function, line and call was executed, exactly", show,
      "  orrery show profile                           the functions that executed most themselves\n"
      "  orrery show profile --by inclusive            with all that they called\n"
      "  orrery show profile --inlined                 with what was inlined into each\n"
      "  orrery show profile --by line                 source lines, and how often their jumps were taken\n"
      "  orrery show profile --from main --to 'stop:1' only what lies between two instants\n"
      "  orrery export --callgrind -o callgrind.out    for KCachegrind and callgrind_annotate\n");
  LayerOptions& options = *added.options;
  added.command
      .option("--by", options.by,
              "What the rows are: functions by their own instructions or with "
              "those they called (inclusive), lines, or calls")
      .one_of({"function", "inclusive", "line", "call"});
  added.command.flag("--inlined", options.inlined,
                     "Below each function, what it executed of those that were inlined into it");
  added.command.option("--from", options.from, "Count from this instant on, of one process");
  added.command.option("--to", options.to, "Count up to this instant");
}

}  // namespace orrery::cli
