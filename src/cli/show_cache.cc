// `orrery show cache`: what each function and line would miss in caches of some shape.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "cli/at_option.h"
#include "cli/cache_report.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/object_report.h"
#include "cli/program_span.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "lens/cache/recorded_shapes.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::cache::CacheRows;
using lens::cache::CacheShape;
using lens::cache::CacheShapes;
using lens::cache::ObjectRows;
using lens::cache::ProgramCache;
using lens::cache::ProgramObjects;

/// Those of the recording, but for those that the user gives.
Fallible<CacheShapes> shapes_of(const LayerOptions& layer) {
  const CacheOptions& options = layer.cache;
  CacheShapes shapes = lens::cache::recorded_shapes(layer.directory);
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

bool is_of_span(const LayerOptions& options) {
  return options.instant || !options.from.empty() || !options.to.empty() || options.cache.any();
}

/// Where a report's span begins and ends; none of a whole run.
using Ends = std::optional<std::pair<lens::ExactInstant, lens::ExactInstant>>;

void put_ends(const Ends& ends, Json& json) {
  if (ends) json.update({{"from", instant_json(ends->first)}, {"to", instant_json(ends->second)}});
}

void print_ends(const Ends& ends, bool json) {
  if (ends && !json)
    std::printf("from %s\nto %s\n\n", instant_words(ends->first).c_str(),
                instant_words(ends->second).c_str());
}

/// Of one process, if shapes are the user's or of a span of its run.
Fallible<std::vector<CacheRows>> caches_of(const LayerOptions& options, Ends& ends) {
  if (is_of_span(options)) {
    const CacheShapes shapes = TRY(shapes_of(options));
    auto span = TRY(rows_of_span<ProgramCache>(
        options, [&](const auto&) { return std::make_unique<ProgramCache>(shapes); }));
    ends = {span.from, span.to};
    return std::move(span.programs);
  }
  db::Database database = TRY(collect(options.directory, {{lens_of_table("cache")}}));
  return read_caches(database, options.condition());
}

void print(const std::vector<std::string>& texts) {
  for (std::size_t at = 0; at < texts.size(); ++at)
    std::printf("%s%s", at == 0 ? "" : "\n", texts[at].c_str());
}

Fallible<Nothing> show_code(const LayerOptions& options, const Style& style) {
  const bool by_line = options.by == "line";
  Ends ends;
  const std::vector<CacheRows> programs = TRY(caches_of(options, ends));
  Json json{{"programs", Json::array()}};
  put_ends(ends, json);
  std::vector<std::string> texts;
  for (const CacheRows& rows : programs) {
    if (options.json)
      json["programs"].push_back(cache_json(rows, by_line));
    else
      texts.push_back(cache_text(rows, by_line, options.all, style));
  }
  if (options.json) print_json(json);
  print_ends(ends, options.json);
  print(texts);
  return Nothing{};
}

/// Of a span of one process, whose heap's log is in the database.
Fallible<std::vector<ObjectRows>> objects_of_span(const LayerOptions& options, db::Database& database,
                                                  const CacheShapes& shapes, Ends& ends) {
  const lens::cache::HeapLogs logs(
      TRY(database.read(lens::heap::kHeapLog, "ORDER BY process, program, chunk")));
  std::optional<u32> heap_program;
  const auto make = [&](const lens::ExactInstant& from) {
    heap_program = heap_program ? *heap_program + 1 : logs.program_at(from.process, from.at.event);
    return std::make_unique<ProgramObjects>(shapes, logs.of(from.process, *heap_program), *heap_program);
  };
  auto span = TRY(rows_of_span<ProgramObjects>(options, make));
  ends = {span.from, span.to};
  return std::move(span.programs);
}

Fallible<Nothing> show_objects(const LayerOptions& options, const Style& style) {
  const CacheShapes shapes = TRY(shapes_of(options));
  const bool of_span = is_of_span(options);
  db::Database database =
      TRY(collect(options.directory, {{lens_of_table(of_span ? "heap_log" : "cache_site")}}));
  Ends ends;
  const std::vector<ObjectRows> programs = of_span ? TRY(objects_of_span(options, database, shapes, ends))
                                                   : TRY(read_objects(database, options.condition()));
  const ObjectView view{.by_field = options.by == "field", .all = options.all, .caches = row_of(shapes)};
  Json json{{"programs", Json::array()}};
  put_ends(ends, json);
  std::vector<std::string> texts;
  for (const ObjectRows& rows : programs) {
    const HeapStacks stacks = TRY(HeapStacks::read(database, rows.process, rows.heap_program));
    if (options.json)
      json["programs"].push_back(objects_json(rows, stacks, view));
    else
      texts.push_back(objects_text(rows, stacks, view, style));
  }
  if (options.json) print_json(json);
  print_ends(ends, options.json);
  print(texts);
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  const bool of_objects = options.by == "site" || options.by == "field";
  return of_objects ? show_objects(options, style) : show_code(options, style);
}

}  // namespace

void add_show_cache(Arguments show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "cache",
      "What each function and line misses in modelled caches and TLBs, like the recorded processor's", show,
      "  orrery show cache                       the functions with most misses of the last level\n"
      "  orrery show cache --by line\n"
      "  orrery show cache --by site              by what was accessed: heap blocks by who asked, variables, "
      "stacks\n"
      "  orrery show cache --by field             by structure and member\n"
      "  orrery show cache --d1 49152,12,64 --l2 2097152,16,64 --ll 33554432,16,64\n"
      "  orrery show cache --from 'load:1' --to 'load:2'\n");
  LayerOptions& options = *added.options;
  const Arguments command = added.command;
  command
      .option("--by", options.by,
              "What the rows are: functions, lines, memory objects (site), or members of structures (field)")
      .one_of({"function", "line", "site", "field"});
  command.option("--from", options.from, "Count from this instant on, of one process");
  command.option("--to", options.to, "Count up to this instant");
  command.option("--i1", options.cache.i1, "The first level for instructions: SIZE,WAYS,LINE in bytes");
  command.option("--d1", options.cache.d1, "The first level for data");
  command.option("--l2", options.cache.l2, "The second level for both, or none");
  command.option("--ll", options.cache.ll, "The last level for both, or none");
  command.option("--itlb", options.cache.itlb, "The translation buffer for instructions: ENTRIES,WAYS");
  command.option("--dtlb", options.cache.dtlb, "The same for data");
}

}  // namespace orrery::cli
