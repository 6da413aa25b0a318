// `orrery show heap`: what the allocators gave out, who asked, and what is still there.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/heap_report.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/style.h"
#include "cli/timeline.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::heap::PlaceRow;
using lens::heap::SampleRow;

constexpr std::size_t kSitesShown = 10;
constexpr std::size_t kFramesShown = 6;

HeapMeasure measure_of(const LayerOptions& options) {
  for (const HeapMeasure measure :
       {HeapMeasure::peak, HeapMeasure::live, HeapMeasure::bytes, HeapMeasure::calls, HeapMeasure::temporary})
    if (options.by == name_of(measure)) return measure;
  return options.instant ? HeapMeasure::live : HeapMeasure::peak;
}

std::string counted(u64 count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string blocks(u64 count) { return counted(count, "block", "blocks"); }

void print_sums(const HeapReport& report) {
  const lens::heap::HeapRow& sums = report.sums;
  std::printf("  %s given out, of %s together; %lu given back\n", blocks(sums.allocations).c_str(),
              human_bytes(sums.bytes).c_str(), sums.releases);
  std::printf("  %s: %s in %s\n", report.has_instant ? "live then" : "live at its end",
              human_bytes(sums.live_bytes).c_str(), blocks(sums.live_blocks).c_str());
  if (report.has_instant) return;
  std::printf("  most at a time: %s in %s, at %s\n", human_bytes(sums.peak_bytes).c_str(),
              blocks(sums.peak_blocks).c_str(), milliseconds(static_cast<double>(sums.peak_ns)).c_str());
  if (sums.temporary != 0)
    std::printf("  %.1f %% were given back at once\n",
                100.0 * static_cast<double>(sums.temporary) / static_cast<double>(sums.allocations));
  if (sums.failed != 0)
    std::printf("  %s got no block\n", counted(sums.failed, "request", "requests").c_str());
  if (sums.unknown_releases != 0)
    std::printf("  %s of what was no block of this program's, or its parent's from before the fork\n",
                counted(sums.unknown_releases, "release", "releases").c_str());
}

/// The largest size in each part of the time.
void print_timeline(const HeapReport& report) {
  std::vector<std::pair<i64, i64>> steps;
  for (const SampleRow& sample : report.samples)
    steps.emplace_back(static_cast<i64>(sample.time_ns), static_cast<i64>(sample.live_bytes));
  if (steps.size() < 2 || steps.back().first == steps.front().first) return;
  const std::vector<i64> most = most_by_column(steps);
  const i64 high = std::max<i64>(1, *std::max_element(most.begin(), most.end()));
  static constexpr const char* kLevels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::printf("\n  ");
  for (const i64 each : most) std::printf("%s", kLevels[(each * 8 + high - 1) / high]);
  std::printf("  up to %s\n", human_bytes(static_cast<u64>(high)).c_str());
  const std::string begin = milliseconds(static_cast<double>(steps.front().first)),
                    end = milliseconds(static_cast<double>(steps.back().first));
  std::printf("  %s%*s\n", begin.c_str(), static_cast<int>(kTimelineColumns - begin.size()), end.c_str());
}

std::string words_of(const PlaceRow& row) {
  std::string words = row.function.value_or("?");
  if (row.file)
    return words + " (" + std::string(base_name(*row.file)) + ":" + std::to_string(*row.line) + ")";
  if (row.object) words += " [" + std::string(base_name(*row.object)) + "]";
  return words;
}

/// Innermost first, with inlined functions.
std::vector<const PlaceRow*> frames_of(const HeapReport& report, u32 node) {
  std::vector<const PlaceRow*> frames;
  for (const u32 each : report.stack_of(node)) {
    const auto place = report.places.find(report.nodes.at(each).pc);
    if (place == report.places.end()) continue;
    for (const PlaceRow& row : place->second) frames.push_back(&row);
  }
  return frames;
}

void print_site(const HeapReport& report, const HeapSite& site, bool whole, const Style& style) {
  const HeapNode& sums = site.sums;
  std::printf("%10s %8lu  %10s %8lu  %10s %9lu  %8lu  ", human_bytes(sums.peak_bytes).c_str(),
              sums.peak_blocks, human_bytes(sums.live_bytes).c_str(), sums.live_blocks,
              human_bytes(sums.bytes).c_str(), sums.calls, sums.temporary);
  const std::vector<const PlaceRow*> frames = frames_of(report, site.node);
  std::printf("%s\n", frames.empty() ? "an unknown place" : printable(words_of(*frames[0])).c_str());
  const std::size_t most = whole ? frames.size() : std::min(frames.size(), kFramesShown);
  for (std::size_t at = 1; at < most; ++at)
    std::printf("%76s%s\n", "", style.dim("by " + printable(words_of(*frames[at]))).c_str());
  if (frames.size() > most)
    std::printf("%76s%s\n", "", style.dim("and " + std::to_string(frames.size() - most) + " more").c_str());
  if (site.stacks > 1)
    std::printf("%76s%s\n", "",
                style.dim("the most of " + std::to_string(site.stacks) + " ways there").c_str());
}

void print_sites(const HeapReport& report, HeapMeasure measure, bool all, const Style& style) {
  const std::vector<HeapSite> sites = report.sites(measure);
  if (sites.empty()) return;
  std::printf("\n%s\n", style
                            .bold(std::string("   AT PEAK   BLOCKS  ") +
                                  (report.has_instant ? "      THEN" : "AT THE END") +
                                  "   BLOCKS         ALL     CALLS  TEMPORARY SITE, by " + name_of(measure))
                            .c_str());
  const std::size_t shown = all ? sites.size() : std::min(sites.size(), kSitesShown);
  for (std::size_t at = 0; at < shown; ++at) print_site(report, sites[at], all, style);
  if (shown < sites.size())
    std::printf("%s\n",
                style.dim("and " + std::to_string(sites.size() - shown) + " more sites: --all").c_str());
}

void print_blocks(const HeapReport& report, const Style& style) {
  std::printf("\n%s\n", style.bold("           ADDRESS        BYTES     GIVEN OUT AT     TASK  BY").c_str());
  for (const lens::heap::BlockRow& block : report.blocks) {
    const std::vector<const PlaceRow*> frames = frames_of(report, block.node);
    std::printf("%#18lx %12lu %16s %8d  %s\n", block.address, block.size_bytes,
                milliseconds(static_cast<double>(block.time_ns)).c_str(), block.task,
                frames.empty() ? "?" : printable(words_of(*frames[0])).c_str());
  }
}

// --- JSON ---

Json place_json(const PlaceRow& row) {
  Json json{{"pc", row.pc}};
  if (row.function) json["function"] = *row.function;
  if (row.file) json["file"] = *row.file;
  if (row.line) json["line"] = *row.line;
  if (row.object) json["object"] = *row.object;
  return json;
}

Json stack_json(const HeapReport& report, u32 node) {
  Json stack = Json::array();
  for (const PlaceRow* frame : frames_of(report, node)) stack.push_back(place_json(*frame));
  return stack;
}

Json site_json(const HeapReport& report, const HeapSite& site) {
  const HeapNode& sums = site.sums;
  return {{"calls", sums.calls},
          {"bytes", sums.bytes},
          {"temporary", sums.temporary},
          {"peak_blocks", sums.peak_blocks},
          {"peak_bytes", sums.peak_bytes},
          {"live_blocks", sums.live_blocks},
          {"live_bytes", sums.live_bytes},
          {"stacks", site.stacks},
          {"stack", stack_json(report, site.node)}};
}

Json report_json(const HeapReport& report, HeapMeasure measure, bool with_blocks) {
  const lens::heap::HeapRow& sums = report.sums;
  Json json{{"process", sums.process},      {"program", sums.program},   {"allocations", sums.allocations},
            {"bytes", sums.bytes},          {"releases", sums.releases}, {"live_blocks", sums.live_blocks},
            {"live_bytes", sums.live_bytes}};
  if (!report.has_instant) {
    json["temporary"] = sums.temporary;
    json["failed"] = sums.failed;
    json["unknown_releases"] = sums.unknown_releases;
    json["peak"] = {{"bytes", sums.peak_bytes}, {"blocks", sums.peak_blocks}, {"event", sums.peak_event},
                    {"task", sums.peak_task},   {"ticks", sums.peak_ticks},   {"time_ns", sums.peak_ns}};
  }
  json["sites"] = Json::array();
  for (const HeapSite& site : report.sites(measure)) json["sites"].push_back(site_json(report, site));
  json["samples"] = Json::array();
  for (const SampleRow& sample : report.samples)
    json["samples"].push_back({{"event", sample.event},
                               {"time_ns", sample.time_ns},
                               {"live_blocks", sample.live_blocks},
                               {"live_bytes", sample.live_bytes}});
  if (!with_blocks) return json;
  json["blocks"] = Json::array();
  for (const lens::heap::BlockRow& block : report.blocks)
    json["blocks"].push_back({{"number", block.number},
                              {"address", block.address},
                              {"size_bytes", block.size_bytes},
                              {"event", block.event},
                              {"task", block.task},
                              {"ticks", block.ticks},
                              {"time_ns", block.time_ns},
                              {"stack", stack_json(report, block.node)}});
  return json;
}

// --- the command ---

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database = TRY(collect(options.directory, {{lens_of_table("heap")}}));
  const auto reports = TRY(read_heaps(database, options.directory, options.condition(), options.instant));
  const HeapMeasure measure = measure_of(options);
  if (options.json) {
    Json json{{"by", name_of(measure)}};
    if (options.instant) json["at"] = instant_json(*options.instant);
    json["programs"] = Json::array();
    for (const HeapReport& report : reports)
      json["programs"].push_back(report_json(report, measure, options.blocks));
    print_json(json);
    return Nothing{};
  }
  if (options.folded) {
    for (const HeapReport& report : reports) print_folded(report, measure);
    return Nothing{};
  }
  if (options.flame) {
    print_flame_graphs(reports, measure);
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  if (options.instant) std::printf("%s\n\n", instant_words(*options.instant).c_str());
  bool is_first = true;
  for (const HeapReport& report : reports) {
    std::printf("%s%s\n", is_first ? "" : "\n",
                style
                    .bold("process #" + std::to_string(report.sums.process) + ", program " +
                          std::to_string(report.sums.program))
                    .c_str());
    is_first = false;
    print_sums(report);
    print_timeline(report);
    if (options.blocks)
      print_blocks(report, style);
    else
      print_sites(report, measure, options.all, style);
  }
  if (is_first) return Failure("no allocator was called there; `orrery ps` lists the processes");
  return Nothing{};
}

}  // namespace

void add_show_heap(CLI::App& show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "heap", "Blocks that allocators gave out: who asked, how many are live", show,
      "  orrery show heap                       the sites of most bytes when the heap was largest\n"
      "  orrery show heap --by temporary        who asks for what is given back at once\n"
      "  orrery show heap --at 50% --blocks     every block that was live then\n"
      "  orrery show heap --by live --flame > live.svg\n"
      "  orrery query \"SELECT size_bytes, count(*) FROM heap_block GROUP BY 1 ORDER BY 2 DESC\"\n");
  LayerOptions& options = *added.options;
  added.command
      ->add_option(
          "--by", options.by,
          "What sites are ordered by: bytes live at the peak, live at the end or at the instant, bytes "
          "of all, calls, or blocks given back at once")
      ->check(CLI::IsMember({"peak", "live", "bytes", "calls", "temporary"}));
  added.command->add_flag("--blocks", options.blocks,
                          "Each block that was live at the end or at the instant");
  added.command->add_flag("--folded", options.folded, "Stacks in one line each, for flame graphs");
  added.command->add_flag("--flame", options.flame, "A flame graph of it: SVG on standard output");
}

}  // namespace orrery::cli
