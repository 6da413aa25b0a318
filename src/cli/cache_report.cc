#include "cli/cache_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/place_text.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using lens::cache::CacheLineRow;
using lens::cache::CacheRow;
using lens::cache::CacheRows;
using Json = nlohmann::ordered_json;

constexpr std::size_t kRowsShown = 20;

/// The counts of a row, by their names in the table and in JSON.
struct Count {
  const char* name;
  u64 CacheLineRow::*value;
};
constexpr Count kCounts[] = {
    {"instructions", &CacheLineRow::instructions},
    {"i1_misses", &CacheLineRow::i1_misses},
    {"i2_misses", &CacheLineRow::i2_misses},
    {"ill_misses", &CacheLineRow::ill_misses},
    {"itlb_misses", &CacheLineRow::itlb_misses},
    {"reads", &CacheLineRow::reads},
    {"d1_read_misses", &CacheLineRow::d1_read_misses},
    {"d2_read_misses", &CacheLineRow::d2_read_misses},
    {"dll_read_misses", &CacheLineRow::dll_read_misses},
    {"dtlb_read_misses", &CacheLineRow::dtlb_read_misses},
    {"writes", &CacheLineRow::writes},
    {"d1_write_misses", &CacheLineRow::d1_write_misses},
    {"d2_write_misses", &CacheLineRow::d2_write_misses},
    {"dll_write_misses", &CacheLineRow::dll_write_misses},
    {"dtlb_write_misses", &CacheLineRow::dtlb_write_misses},
};

void add(CacheLineRow& sum, const CacheLineRow& row) {
  for (const Count& each : kCounts) sum.*each.value += row.*each.value;
}

/// One row for each function, or each line with the functions it was inlined into together.
std::vector<CacheLineRow> sums_of(const CacheRows& rows, bool by_line) {
  std::map<std::tuple<std::string, std::string, u32>, CacheLineRow> sums;
  for (const CacheLineRow& row : rows.lines) {
    const bool has_line = by_line && row.file && row.line;
    const auto key = has_line ? std::tuple(*row.file, std::string(), *row.line)
                              : std::tuple(row.object.value_or(""), row.function.value_or(""), u32{0});
    CacheLineRow& sum = sums[key];
    if (sum.instructions == 0 && sum.reads == 0 && sum.writes == 0) {
      sum.object = row.object;
      sum.function = row.function;
      if (has_line) sum.file = row.file, sum.line = row.line;
    }
    add(sum, row);
  }
  std::vector<CacheLineRow> all;
  for (auto& [key, row] : sums) all.push_back(std::move(row));
  const auto weight = [](const CacheLineRow& row) {
    return std::tuple(row.dll_read_misses + row.dll_write_misses + row.ill_misses,
                      row.d1_read_misses + row.d1_write_misses + row.i1_misses, row.instructions);
  };
  std::stable_sort(all.begin(), all.end(), [&](const CacheLineRow& left, const CacheLineRow& right) {
    return weight(left) > weight(right);
  });
  return all;
}

std::string rate(u64 misses, u64 references) {
  if (references == 0) return "";
  return fmt::format(" ({:.2f} %)", 100.0 * static_cast<double>(misses) / static_cast<double>(references));
}

std::string place_text(const CacheLineRow& row) {
  const std::string line = line_text(row.file, row.line), function = function_text(row.function);
  return line.empty() ? function + " " + object_text(row.object) : line + " (" + function + ")";
}

}  // namespace

Fallible<std::vector<CacheRows>> read_caches(db::Database& database, const std::string& condition) {
  const std::string rest = "WHERE " + condition + " ORDER BY process, program";
  std::map<std::pair<u32, u32>, CacheRows> programs;
  for (CacheRow& row : TRY(database.read(lens::cache::kCache, rest)))
    programs[{row.process, row.program}].caches = row;
  for (CacheLineRow& row : TRY(database.read(lens::cache::kCacheLine, rest)))
    programs[{row.process, row.program}].lines.push_back(std::move(row));
  std::vector<CacheRows> all;
  for (auto& [key, rows] : programs) all.push_back(std::move(rows));
  return all;
}

std::string cache_sums_text(const CacheRow& caches, const CacheLineRow& sum, bool with_code) {
  std::string text;
  const auto line = [&](const std::string& words) { text += "  " + words + "\n"; };
  const auto fetches = [&](u64 misses) {
    return with_code ? std::to_string(misses) + " fetches, " : std::string();
  };
  line("shapes: " + caches.shapes);
  line((with_code ? std::to_string(sum.instructions) + " instructions, " : "") +
       fmt::format("{} reads, {} writes of data", sum.reads, sum.writes));
  if (with_code)
    line(fmt::format("I1   {:46} missed by {}{}", caches.i1, sum.i1_misses,
                     rate(sum.i1_misses, sum.instructions)));
  const u64 data = sum.reads + sum.writes, d1 = sum.d1_read_misses + sum.d1_write_misses;
  line(fmt::format("D1   {:46} missed by {} reads, {} writes{}", caches.d1, sum.d1_read_misses,
                   sum.d1_write_misses, rate(d1, data)));
  if (caches.l2 != "none")
    line(fmt::format("L2   {:46} missed by {}{} reads, {} writes", caches.l2, fetches(sum.i2_misses),
                     sum.d2_read_misses, sum.d2_write_misses));
  line(fmt::format("LL   {:46} missed by {}{} reads, {} writes", caches.ll, fetches(sum.ill_misses),
                   sum.dll_read_misses, sum.dll_write_misses));
  if (with_code) line(fmt::format("iTLB {:46} missed by {}", caches.itlb, sum.itlb_misses));
  line(fmt::format("dTLB {:46} missed by {} reads, {} writes", caches.dtlb, sum.dtlb_read_misses,
                   sum.dtlb_write_misses));
  return text;
}

Json caches_json(const CacheRow& caches) {
  return {{"process", caches.process}, {"program", caches.program}, {"i1", caches.i1},
          {"d1", caches.d1},           {"l2", caches.l2},           {"ll", caches.ll},
          {"itlb", caches.itlb},       {"dtlb", caches.dtlb},       {"shapes", caches.shapes}};
}

std::string cache_text(const CacheRows& rows, bool by_line, bool all, const Style& style) {
  CacheLineRow sum;
  for (const CacheLineRow& row : rows.lines) add(sum, row);
  std::string text =
      style.bold(fmt::format("process #{}, program {}", rows.caches.process, rows.caches.program)) + "\n" +
      cache_sums_text(rows.caches, sum, true) + "\n" +
      style.bold("  LL MISSES    D1 READS   D1 WRITES   I1 MISSES        dTLB         DATA INSTRUCTIONS  ") +
      style.bold(by_line ? "LINE\n" : "FUNCTION\n");
  const std::vector<CacheLineRow> sums = sums_of(rows, by_line);
  const std::size_t shown = all ? sums.size() : std::min(sums.size(), kRowsShown);
  for (std::size_t at = 0; at < shown; ++at) {
    const CacheLineRow& row = sums[at];
    text += fmt::format("{:11} {:11} {:11} {:11} {:11} {:12} {:12}  {}\n",
                        row.dll_read_misses + row.dll_write_misses + row.ill_misses, row.d1_read_misses,
                        row.d1_write_misses, row.i1_misses, row.dtlb_read_misses + row.dtlb_write_misses,
                        row.reads + row.writes, row.instructions, printable(place_text(row)));
  }
  if (shown < sums.size()) text += style.dim(fmt::format("and {} more: --all", sums.size() - shown)) + "\n";
  return text;
}

Json cache_json(const CacheRows& rows, bool by_line) {
  Json json = caches_json(rows.caches);
  json[by_line ? "lines" : "functions"] = Json::array();
  for (const CacheLineRow& row : sums_of(rows, by_line)) {
    Json one = Json::object();
    if (row.function) one["function"] = *row.function;
    if (row.object) one["object"] = *row.object;
    if (row.file) one["file"] = *row.file;
    if (row.line) one["line"] = *row.line;
    for (const Count& each : kCounts) one[each.name] = row.*each.value;
    json[by_line ? "lines" : "functions"].push_back(one);
  }
  return json;
}

}  // namespace orrery::cli
