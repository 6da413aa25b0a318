#include "cli/object_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/base_name.h"
#include "cli/cache_report.h"
#include "cli/place_text.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using lens::cache::CacheLineRow;
using lens::cache::FieldRow;
using lens::cache::ObjectRows;
using lens::cache::SiteRow;
using Json = nlohmann::ordered_json;

constexpr std::size_t kRowsShown = 20, kFramesShown = 6;

/// The counts of a row, by their names in the table and in JSON.
template <class Row>
struct Count {
  const char* name;
  u64 Row::*value;
};
template <class Row>
constexpr Count<Row> kCounts[] = {
    {"reads", &Row::reads},
    {"d1_read_misses", &Row::d1_read_misses},
    {"d2_read_misses", &Row::d2_read_misses},
    {"dll_read_misses", &Row::dll_read_misses},
    {"dtlb_read_misses", &Row::dtlb_read_misses},
    {"writes", &Row::writes},
    {"d1_write_misses", &Row::d1_write_misses},
    {"d2_write_misses", &Row::d2_write_misses},
    {"dll_write_misses", &Row::dll_write_misses},
    {"dtlb_write_misses", &Row::dtlb_write_misses},
};

template <class Row>
void add(Row& sum, const Row& row) {
  for (const Count<Row>& each : kCounts<Row>) sum.*each.value += row.*each.value;
}

template <class Row>
std::vector<Row> ordered(std::vector<Row> rows) {
  const auto weight = [](const Row& row) {
    return std::tuple(row.dll_read_misses + row.dll_write_misses, row.d1_read_misses + row.d1_write_misses,
                      row.reads + row.writes);
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& left, const Row& right) { return weight(left) > weight(right); });
  return rows;
}

/// Of all rows, as the report of lines has it.
template <class Row>
CacheLineRow data_of(const std::vector<Row>& rows) {
  Row sum;
  for (const Row& row : rows) add(sum, row);
  CacheLineRow data;
  data.reads = sum.reads, data.writes = sum.writes;
  data.d1_read_misses = sum.d1_read_misses, data.d1_write_misses = sum.d1_write_misses;
  data.d2_read_misses = sum.d2_read_misses, data.d2_write_misses = sum.d2_write_misses;
  data.dll_read_misses = sum.dll_read_misses, data.dll_write_misses = sum.dll_write_misses;
  data.dtlb_read_misses = sum.dtlb_read_misses, data.dtlb_write_misses = sum.dtlb_write_misses;
  return data;
}

template <class Row>
std::string counts_text(const Row& row) {
  return fmt::format("{:11} {:11} {:11} {:11} {:12}  ", row.dll_read_misses + row.dll_write_misses,
                     row.d1_read_misses, row.d1_write_misses, row.dtlb_read_misses + row.dtlb_write_misses,
                     row.reads + row.writes);
}
constexpr const char* kHead = "  LL MISSES    D1 READS   D1 WRITES        dTLB         DATA  ";
const std::string kUnderRow(63, ' ');

/// Blocks that one call asked for, whatever led there; its rows with the costliest first.
struct MergedSite {
  SiteRow sum{};
  u64 ways = 1;
};

std::vector<MergedSite> merged(const std::vector<SiteRow>& rows, const HeapStacks& stacks) {
  std::vector<MergedSite> all;
  std::map<u64, std::size_t> by_pc;
  for (const SiteRow& row : ordered(rows)) {
    const u64 pc = row.node ? stacks.pc_of(*row.node) : 0;
    const auto [known, is_new] = by_pc.try_emplace(pc, all.size());
    if (pc == 0 || is_new) {
      if (pc != 0) known->second = all.size();
      all.push_back({.sum = row});
    } else {
      add(all[known->second].sum, row);
      ++all[known->second].ways;
    }
  }
  return all;
}

std::string site_words(const SiteRow& row) {
  if (row.kind == "global") return row.name.value_or("") + " " + object_text(row.object);
  if (row.kind == "stack")
    return "the stack of task " + std::to_string(row.task.value_or(0)) + ", by " + function_text(row.name) +
           " " + object_text(row.object);
  if (!row.name) return "memory without a name";
  return row.name->starts_with("/") ? object_text(row.name) + ", what is no variable" : *row.name;
}

std::string site_text(const MergedSite& site, const HeapStacks& stacks, bool all, const Style& style) {
  if (!site.sum.node) return printable(site_words(site.sum)) + "\n";
  const auto frames = stacks.frames_of(*site.sum.node);
  std::string text =
      "heap: " + (frames.empty() ? "an unknown place" : printable(words_of(*frames[0]))) + "\n";
  const std::size_t most = all ? frames.size() : std::min(frames.size(), kFramesShown);
  for (std::size_t at = 1; at < most; ++at)
    text += kUnderRow + style.dim("by " + printable(words_of(*frames[at]))) + "\n";
  if (frames.size() > most)
    text += kUnderRow + style.dim(fmt::format("and {} more", frames.size() - most)) + "\n";
  if (site.ways > 1)
    text += kUnderRow + style.dim(fmt::format("the most of {} ways there", site.ways)) + "\n";
  return text;
}

std::string field_text(const FieldRow& row) {
  if (row.kind == "frame") return "what functions keep in their frames besides variables";
  if (row.kind == "unknown") return "unknown type";
  std::string text = row.type.value_or("");
  if (row.member) text += (row.member->starts_with("[") ? "" : ".") + *row.member;
  if (row.size_bytes.value_or(0) != 0) text += fmt::format(", {} bytes", *row.size_bytes);
  if (row.member || row.offset.value_or(0) != 0) text += fmt::format(" at +{}", row.offset.value_or(0));
  return text;
}

template <class Row, class Text>
std::string table_text(const std::vector<Row>& rows, bool all, const Style& style, Text text_of) {
  std::string text;
  const std::size_t shown = all ? rows.size() : std::min(rows.size(), kRowsShown);
  for (std::size_t at = 0; at < shown; ++at) text += text_of(rows[at]);
  if (shown < rows.size()) text += style.dim(fmt::format("and {} more: --all", rows.size() - shown)) + "\n";
  return text;
}

template <class Row>
void put_counts(Json& json, const Row& row) {
  for (const Count<Row>& each : kCounts<Row>) json[each.name] = row.*each.value;
}

template <class Value>
void put(Json& json, const char* key, const std::optional<Value>& value) {
  if (value) json[key] = *value;
}

}  // namespace

Fallible<std::vector<ObjectRows>> read_objects(db::Database& database, const std::string& condition) {
  const std::string rest = "WHERE " + condition + " ORDER BY process, program";
  std::map<std::pair<u32, u32>, ObjectRows> programs;
  const auto of = [&](const auto& row) -> ObjectRows& {
    ObjectRows& rows = programs[{row.process, row.program}];
    rows.process = row.process, rows.program = rows.heap_program = row.program;
    return rows;
  };
  for (SiteRow& row : TRY(database.read(lens::cache::kCacheSite, rest)))
    of(row).sites.push_back(std::move(row));
  for (FieldRow& row : TRY(database.read(lens::cache::kCacheField, rest)))
    of(row).fields.push_back(std::move(row));
  std::vector<ObjectRows> all;
  for (auto& [key, rows] : programs) all.push_back(std::move(rows));
  return all;
}

std::string objects_text(const ObjectRows& rows, const HeapStacks& stacks, const ObjectView& view,
                         const Style& style) {
  std::string text = style.bold(fmt::format("process #{}, program {}", rows.process, rows.program)) + "\n" +
                     cache_sums_text(view.caches, data_of(rows.sites), false) + "\n" +
                     style.bold(kHead + std::string(view.by_field ? "FIELD" : "SITE")) + "\n";
  if (view.by_field)
    return text + table_text(ordered(rows.fields), view.all, style, [&](const FieldRow& row) {
             return counts_text(row) + printable(field_text(row)) + "\n";
           });
  return text + table_text(merged(rows.sites, stacks), view.all, style, [&](const MergedSite& site) {
           return counts_text(site.sum) + site_text(site, stacks, view.all, style);
         });
}

Json objects_json(const ObjectRows& rows, const HeapStacks& stacks, const ObjectView& view) {
  lens::cache::CacheRow caches = view.caches;
  caches.process = rows.process, caches.program = rows.program;
  Json json = caches_json(caches);
  Json list = Json::array();
  if (view.by_field) {
    for (const FieldRow& row : ordered(rows.fields)) {
      Json one{{"kind", row.kind}};
      put(one, "type", row.type), put(one, "member", row.member);
      put(one, "offset", row.offset), put(one, "size_bytes", row.size_bytes);
      put_counts(one, row);
      list.push_back(std::move(one));
    }
  } else {
    for (const SiteRow& row : ordered(rows.sites)) {
      Json one{{"kind", row.kind}};
      if (row.node) one["stack"] = stacks.json_of(*row.node);
      put(one, "name", row.name), put(one, "object", row.object), put(one, "task", row.task);
      put_counts(one, row);
      list.push_back(std::move(one));
    }
  }
  json[view.by_field ? "fields" : "sites"] = std::move(list);
  return json;
}

}  // namespace orrery::cli
