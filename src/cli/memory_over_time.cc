#include "cli/memory_over_time.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/types.h"
#include "cli/recording_text.h"
#include "cli/timeline.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
/// What came and went, by time.
using Steps = std::map<i64, i64>;

/// SQL: meaning, when it came, when it went if that was by the instant, how many bytes.
std::string life_query(const LayerOptions& options, const std::string& table, const char* bytes,
                       const std::string& came, const std::string& came_ns, const std::string& went) {
  const auto by_then = [&](const std::string& prefix, const std::string& ns) {
    if (!options.instant) return std::string("1");
    return options.instant->condition((prefix + "event").c_str(), (prefix + "ticks").c_str(), ns.c_str());
  };
  return "SELECT meaning, " + came_ns + ", CASE WHEN " + by_then(went, went + "ns") + " THEN " + went +
         "ns END, " + bytes + " FROM " + table + " WHERE " + by_then(came, came_ns) + " AND ";
}

Fallible<Nothing> read_steps(db::Database& database, const std::string& query,
                             std::map<std::string, Steps>& by_meaning) {
  db::Statement rows = TRY(database.prepare(query));
  while (TRY(rows.step())) {
    Steps& steps = by_meaning[std::string(rows.text(0))];
    const i64 bytes = rows.integer(3);
    steps[rows.integer(1)] += bytes;
    if (!rows.is_null(2)) steps[rows.integer(2)] -= bytes;
  }
  return Nothing{};
}

MeaningOverTime sum_up(const std::string& meaning, const Steps& steps, const MemoryOverTime& of) {
  MeaningOverTime found{.meaning = meaning};
  std::vector<std::pair<i64, i64>> sizes;
  i64 bytes = 0;
  if (steps.empty() || steps.begin()->first > of.begin_ns) sizes.emplace_back(of.begin_ns, 0);
  for (const auto& [time_ns, change] : steps) {
    bytes += change;
    sizes.emplace_back(time_ns, bytes);
    found.most_bytes = std::max(found.most_bytes, bytes);
  }
  if (sizes.back().first < of.end_ns) sizes.emplace_back(of.end_ns, bytes);
  found.begin_bytes = sizes.front().second;
  found.end_bytes = bytes;
  found.most_by_column = most_by_column(sizes);
  return found;
}

void add_all(MemoryOverTime& memory, const std::map<std::string, Steps>& by_meaning, bool is_touched) {
  for (const auto& [meaning, steps] : by_meaning)
    memory.meanings.push_back(sum_up(meaning, steps, memory)), memory.meanings.back().is_touched = is_touched;
}

std::string spark(const std::vector<i64>& sizes) {
  static constexpr const char* kLevels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const i64 most = std::max<i64>(1, *std::max_element(sizes.begin(), sizes.end()));
  std::string line;
  for (const i64 size : sizes) line += size == 0 ? " " : kLevels[static_cast<std::size_t>(size * 7 / most)];
  return line;
}

}  // namespace

Fallible<MemoryOverTime> read_over_time(db::Database& database, const LayerOptions& options, i64 process) {
  const std::string of = "process = " + std::to_string(process);
  db::Statement life = TRY(database.prepare("SELECT start_ns, end_ns FROM process WHERE " + of));
  MemoryOverTime memory;
  if (TRY(life.step())) memory = {.begin_ns = life.integer(0), .end_ns = life.integer(1)};
  if (options.instant) memory.end_ns = static_cast<i64>(options.instant->at.time_ns);
  std::map<std::string, Steps> by_meaning;
  TRY(read_steps(database,
                 life_query(options, "memory_map", "end - start", "begin_", "begin_ns", "end_") + of,
                 by_meaning));
  add_all(memory, by_meaning, false);
  if (options.pages) {
    by_meaning.clear();
    TRY(read_steps(
        database,
        life_query(options, "page", std::to_string(kPageBytes).c_str(), "", "time_ns", "gone_") + of,
        by_meaning));
    add_all(memory, by_meaning, true);
  }
  std::stable_sort(memory.meanings.begin(), memory.meanings.end(),
                   [](const MeaningOverTime& left, const MeaningOverTime& right) {
                     return std::pair(left.is_touched, -left.most_bytes) <
                            std::pair(right.is_touched, -right.most_bytes);
                   });
  return memory;
}

void print_over_time(const MemoryOverTime& memory, const Style& style) {
  std::printf("  from %s to %s, in KiB\n", milliseconds(static_cast<double>(memory.begin_ns)).c_str(),
              milliseconds(static_cast<double>(memory.end_ns)).c_str());
  bool is_touched = true;
  for (const MeaningOverTime& each : memory.meanings) {
    if (each.is_touched != is_touched || &each == &memory.meanings.front())
      std::printf("%s\n", style
                              .bold("  " + std::string(each.is_touched ? "TOUCHED     " : "MAPPED      ") +
                                    "     BEGIN       MOST        END")
                              .c_str());
    is_touched = each.is_touched;
    std::printf("  %-12s%10ld %10ld %10ld  %s\n", each.meaning.c_str(),
                static_cast<long>(each.begin_bytes / 1024), static_cast<long>(each.most_bytes / 1024),
                static_cast<long>(each.end_bytes / 1024), spark(each.most_by_column).c_str());
  }
  std::printf("\n");
}

Json over_time_json(const MemoryOverTime& memory) {
  Json json = {{"begin_ns", memory.begin_ns}, {"end_ns", memory.end_ns}, {"meanings", Json::array()}};
  for (const MeaningOverTime& each : memory.meanings)
    json["meanings"].push_back({{"meaning", each.meaning},
                                {"what", each.is_touched ? "touched" : "mapped"},
                                {"begin_bytes", each.begin_bytes},
                                {"most_bytes", each.most_bytes},
                                {"end_bytes", each.end_bytes},
                                {"most_bytes_by_part", each.most_by_column}});
  return json;
}

}  // namespace orrery::cli
