// `orrery show heap`: what the allocators gave out, who asked, and what is still there.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/heap_chunks.h"
#include "cli/heap_fragmentation.h"
#include "cli/heap_growth.h"
#include "cli/heap_report.h"
#include "cli/heap_words.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/style.h"
#include "cli/timeline.h"
#include "lens/heap/heap_lens.h"

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

void print_sums(const HeapReport& report) {
  const lens::heap::HeapRow& sums = report.sums;
  if (sums.inherited_blocks != 0)
    std::printf("  %s of process #%u from before the fork: %s\n", blocks(sums.inherited_blocks).c_str(),
                *sums.inherited_from, human_bytes(sums.inherited_bytes).c_str());
  if (sums.allocations == 0 && sums.inherited_blocks == 0) {
    std::printf("  no block was given out%s\n", report.has_instant ? " before" : "");
    return;
  }
  std::printf("  %s given out, of %s together; %lu given back\n", blocks(sums.allocations).c_str(),
              human_bytes(sums.bytes).c_str(), sums.releases);
  std::printf("  %s: %s in %s\n", report.has_instant ? "live then" : "live at its end",
              human_bytes(sums.live_bytes).c_str(), blocks(sums.live_blocks).c_str());
  if (report.has_instant) return;
  std::printf("  most at a time: %s in %s, at %s\n", human_bytes(sums.peak_bytes).c_str(),
              blocks(sums.peak_blocks).c_str(), milliseconds(static_cast<double>(sums.peak_ns)).c_str());
  if (sums.temporary != 0 && sums.allocations != 0)
    std::printf("  %.1f %% were given back at once\n",
                100.0 * static_cast<double>(sums.temporary) / static_cast<double>(sums.allocations));
  if (sums.failed != 0)
    std::printf("  %s got no block\n", counted(sums.failed, "request", "requests").c_str());
  if (sums.unknown_releases != 0)
    std::printf("  %s of what was no block\n", counted(sums.unknown_releases, "release", "releases").c_str());
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
  json["inherited"] = nullptr;
  if (sums.inherited_from)
    json["inherited"] = {{"process", *sums.inherited_from},
                         {"program", *sums.inherited_program},
                         {"blocks", sums.inherited_blocks},
                         {"bytes", sums.inherited_bytes}};
  if (!report.has_instant) {
    json["temporary"] = sums.temporary;
    json["failed"] = sums.failed;
    json["unknown_releases"] = sums.unknown_releases;
    json["peak"] = {{"bytes", sums.peak_bytes}, {"blocks", sums.peak_blocks}, {"event", sums.peak_event},
                    {"task", sums.peak_task},   {"ticks", sums.peak_ticks},   {"time_ns", sums.peak_ns}};
  }
  json["sites"] = Json::array();
  for (const HeapSite& site : report.sites(measure)) json["sites"].push_back(site_json(report, site));
  json["samples"] = samples_json(report);
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

/// The tables of the allocators that are asked for. `own`: in what words, if they are the user's.
Fallible<db::Database> collect_heap(const LayerOptions& options, std::string& own) {
  if (options.allocator.empty()) return collect(options.directory, {{&lens::kHeapLens}});
  own = TRY(lens::heap::OwnAllocator::parse(options.allocator)).text();
  const auto inquire = [&own](const lens::Recording& recording, lens::Rows& rows) {
    return lens::heap::inquire_own(recording, rows, lens::heap::OwnAllocator::parse(own).take());
  };
  return collect_own(options.directory, {.lens = &lens::kHeapLens, .words = own, .inquire = inquire});
}

/// "process #0, program 0", with what is above it in a report.
void print_heading(const HeapReport& report, bool is_first, const Style& style) {
  std::printf("%s%s\n", is_first ? "" : "\n",
              style
                  .bold("process #" + std::to_string(report.sums.process) + ", program " +
                        std::to_string(report.sums.program))
                  .c_str());
}

void print_top(const LayerOptions& options, const std::string& own) {
  if (options.instant) std::printf("%s\n", instant_words(*options.instant).c_str());
  if (!own.empty()) std::printf("blocks of %s\n", printable(own).c_str());
  if (options.instant || !own.empty()) std::printf("\n");
}

Json top_json(const LayerOptions& options, const std::string& own) {
  Json json = Json::object();
  if (!own.empty()) json["allocator"] = own;
  if (options.instant) json["at"] = instant_json(*options.instant);
  json["programs"] = Json::array();
  return json;
}

Fallible<Nothing> show_chunks(db::Database& database, const LayerOptions& options, const Style& style) {
  const StoppedHeap heap = TRY(stop_heap(database, options));
  if (!heap.glibc) return Failure(heap.no_glibc);
  if (options.json)
    print_json(chunks_json(heap));
  else
    print_chunks(heap, options.all, style);
  return Nothing{};
}

Fallible<Nothing> show_fragmentation(db::Database& database, const LayerOptions& options) {
  const StoppedHeap heap = TRY(stop_heap(database, options));
  const HeapFragmentation found = TRY(read_fragmentation(database, options, heap));
  if (options.json)
    print_json(fragmentation_json(found, heap));
  else
    print_fragmentation(found, heap);
  return Nothing{};
}

Fallible<Nothing> show_growth(db::Database& database, const std::vector<HeapReport>& reports,
                              const LayerOptions& options, const std::string& own, const Style& style) {
  const std::vector<HeapGrowth> all = TRY(read_growth(database, options, reports));
  Json json = top_json(options, own);
  if (!options.json) print_top(options, own);
  for (const HeapGrowth& growth : all) {
    if (options.json) {
      json["programs"].push_back(growth_json(growth));
      continue;
    }
    print_heading(*growth.report, &growth == &all.front(), style);
    print_growth(growth, options.all, style);
  }
  if (options.json) print_json(json);
  return Nothing{};
}

Fallible<Nothing> show_blocks(const std::vector<HeapReport>& reports, const LayerOptions& options,
                              const std::string& own, const Style& style) {
  const HeapMeasure measure = measure_of(options);
  if (options.json) {
    Json json = top_json(options, own);
    json["by"] = name_of(measure);
    for (const HeapReport& report : reports)
      json["programs"].push_back(report_json(report, measure, options.blocks));
    print_json(json);
    return Nothing{};
  }
  print_top(options, own);
  for (const HeapReport& report : reports) {
    print_heading(report, &report == &reports.front(), style);
    print_sums(report);
    print_timeline(report);
    if (options.blocks)
      print_blocks(report, style);
    else
      print_sites(report, measure, options.all, style);
  }
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  std::string own;
  db::Database database = TRY(collect_heap(options, own));
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  if (options.chunks) return show_chunks(database, options, style);
  if (options.fragmentation) return show_fragmentation(database, options);
  const auto reports = TRY(read_heaps(database, options.directory, options.condition(), options.instant,
                                      options.blocks ? WithBlocks::yes : WithBlocks::no));
  if (reports.empty())
    return Failure("no process ran there that could be asked; `orrery ps` lists the processes");
  if (options.growth) return show_growth(database, reports, options, own, style);
  if (options.flame) {
    print_flame_graphs(reports, measure_of(options));
    return Nothing{};
  }
  if (!options.folded) return show_blocks(reports, options, own, style);
  for (const HeapReport& report : reports) print_folded(report, measure_of(options));
  return Nothing{};
}

}  // namespace

void add_show_heap(Arguments show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "heap", "Blocks that allocators gave out: who asked, how many are live", show,
      "  orrery show heap                       the sites of most bytes when the heap was largest\n"
      "  orrery show heap --by temporary        who asks for what is given back at once\n"
      "  orrery show heap --at 50% --blocks     every block that was live then\n"
      "  orrery show heap --by live --flame > live.svg\n"
      "  orrery show heap --growth              what malloc got of the kernel, and gave back\n"
      "  orrery show heap --at 90% --fragmentation\n"
      "  orrery show heap --at crash --chunks   glibc's headers and lists\n"
      "  orrery show heap --allocator 'pool_alloc(_, size), pool_free(_, block)'\n"
      "  orrery query \"SELECT size_bytes, count(*) FROM heap_block GROUP BY 1 ORDER BY 2 DESC\"\n");
  LayerOptions& options = *added.options;
  added.command
      .option("--by", options.by,
              "What sites are ordered by: bytes live at the peak, live at the end or at the instant, bytes "
              "of all, calls, or blocks given back at once")
      .one_of({"peak", "live", "bytes", "calls", "temporary"});
  const Argument own =
      added.command
          .option("--allocator", options.allocator,
                  "An allocator of one's own in place of the known ones, or beside them after a +: functions "
                  "with what their arguments are: size, count, block, to (where the block's address is "
                  "stored) or _ for others; size=BYTES where none tells")
          .type_name("FUNCTIONS");
  added.command.flag("--growth", options.growth,
                     "What the allocators got of the kernel (brk, mmap) over time, beside what was live");
  added.command
      .flag("--chunks", options.chunks,
            "glibc's heap at an instant, chunk by chunk, with its arenas and lists of free chunks")
      .excludes(own);
  added.command
      .flag("--fragmentation", options.fragmentation,
            "What of the memory that the heap holds is live at an instant, and where the rest is")
      .excludes(own);
  added.command.flag("--blocks", options.blocks, "Each block that was live at the end or at the instant");
  added.command.flag("--folded", options.folded, "Stacks in one line each, for flame graphs");
  added.command.flag("--flame", options.flame, "A flame graph of it: SVG on standard output");
}

}  // namespace orrery::cli
