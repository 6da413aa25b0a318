// `orrery show cache`: what each function and line would miss in caches of some shape.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/cache_report.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/stopped_process.h"
#include "lens/profile/program_span.h"

namespace orrery::cli {
namespace {

using lens::cache::CacheRows;
using lens::cache::CacheShape;
using lens::cache::CacheShapes;

/// Those that the user names in place of the usual.
Fallible<CacheShapes> shapes_of(const CacheOptions& options) {
  CacheShapes shapes;
  struct Named {
    const std::string& text;
    CacheShape& shape;
    Fallible<CacheShape> (*parse)(const std::string&);
  };
  using lens::cache::parse_buffer_shape;
  using lens::cache::parse_cache_shape;
  const Named named[] = {
      {options.i1, shapes.i1, parse_cache_shape},      {options.d1, shapes.d1, parse_cache_shape},
      {options.l2, shapes.l2, parse_cache_shape},      {options.ll, shapes.ll, parse_cache_shape},
      {options.itlb, shapes.itlb, parse_buffer_shape}, {options.dtlb, shapes.dtlb, parse_buffer_shape},
  };
  for (const Named& each : named)
    if (!each.text.empty()) each.shape = TRY(each.parse(each.text));
  if (shapes.i1.size_bytes == 0 || shapes.d1.size_bytes == 0)
    return Failure("there must be a first level: --i1 and --d1 cannot be none");
  return shapes;
}

/// Of one process, with shapes of the user's or in a span of its run. `--at` means up to there.
Fallible<std::vector<CacheRows>> caches_of_span(const LayerOptions& options) {
  const CacheShapes shapes = TRY(shapes_of(options.cache));
  const lens::ExactInstant from =
      TRY(find_instant(options.directory, options.from.empty() ? "start" : options.from, options.processes));
  const std::set<u32> same{from.process};
  const lens::ExactInstant to =
      options.instant ? *options.instant
                      : TRY(find_instant(options.directory, options.to.empty() ? "end" : options.to, same));
  if (to.process != from.process) return Failure("both instants must be of one process: choose it with -p");
  const auto stopped = TRY(stop_process(options.directory, same, from));
  using lens::cache::ProgramCache;
  lens::profile::ProgramSpan<ProgramCache> span(*stopped->session,
                                                [&] { return std::make_unique<ProgramCache>(shapes); });
  std::vector<CacheRows> programs = TRY(span.go(to));
  for (u32 program = 0; program < programs.size(); ++program)
    programs[program].caches.process = to.process, programs[program].caches.program = program;
  return programs;
}

Fallible<std::vector<CacheRows>> caches_of(const LayerOptions& options) {
  if (options.instant || !options.from.empty() || !options.to.empty() || options.cache.any())
    return caches_of_span(options);
  db::Database database = TRY(collect(options.directory, {{lens_of_table("cache")}}));
  return read_caches(database, options.condition());
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  const std::vector<CacheRows> programs = TRY(caches_of(options));
  const bool by_line = options.by == "line";
  if (options.json) {
    nlohmann::ordered_json json{{"programs", nlohmann::ordered_json::array()}};
    for (const CacheRows& rows : programs) json["programs"].push_back(cache_json(rows, by_line));
    print_json(json);
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  for (std::size_t at = 0; at < programs.size(); ++at)
    std::printf("%s%s", at == 0 ? "" : "\n", cache_text(programs[at], by_line, options.all, style).c_str());
  return Nothing{};
}

}  // namespace

void add_show_cache(CLI::App& show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "cache", "What each function and line misses in modelled caches and TLBs", show,
      "  orrery show cache                       the functions with most misses of the last level\n"
      "  orrery show cache --by line\n"
      "  orrery show cache --d1 49152,12,64 --l2 2097152,16,64 --ll 33554432,16,64\n"
      "  orrery show cache --from 'load:1' --to 'load:2'\n");
  LayerOptions& options = *added.options;
  CLI::App& command = *added.command;
  command.add_option("--by", options.by, "What the rows are: functions or lines")
      ->check(CLI::IsMember({"function", "line"}));
  command.add_option("--from", options.from, "Count from this instant on, of one process");
  command.add_option("--to", options.to, "Count up to this instant");
  command.add_option("--i1", options.cache.i1, "The first level for instructions: SIZE,WAYS,LINE in bytes");
  command.add_option("--d1", options.cache.d1, "The first level for data");
  command.add_option("--l2", options.cache.l2, "A second level for both; none if left out");
  command.add_option("--ll", options.cache.ll, "The last level for both, or none");
  command.add_option("--itlb", options.cache.itlb, "The translation buffer for instructions: ENTRIES,WAYS");
  command.add_option("--dtlb", options.cache.dtlb, "The same for data");
}

}  // namespace orrery::cli
