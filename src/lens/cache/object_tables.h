// The tables of misses by memory object and by structure member.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::cache {

struct SiteRow {
  u32 process = 0, program = 0;
  std::string kind{};
  std::optional<u32> node{};
  std::optional<std::string> name{}, object{};
  std::optional<i32> task{};
  u64 reads = 0, d1_read_misses = 0, d2_read_misses = 0, dll_read_misses = 0, dtlb_read_misses = 0;
  u64 writes = 0, d1_write_misses = 0, d2_write_misses = 0, dll_write_misses = 0, dtlb_write_misses = 0;
};

struct FieldRow {
  u32 process = 0, program = 0;
  std::string kind{};
  std::optional<std::string> type{}, member{};
  std::optional<u64> offset{}, size_bytes{};
  u64 reads = 0, d1_read_misses = 0, d2_read_misses = 0, dll_read_misses = 0, dtlb_read_misses = 0;
  u64 writes = 0, d1_write_misses = 0, d2_write_misses = 0, dll_write_misses = 0, dtlb_write_misses = 0;
};

/// What both count, as the table cache_line does.
template <class Row>
constexpr std::array<db::Column<Row>, 10> data_count_columns() {
  return {
      db::column<&Row::reads>("reads", "Data reads; what reads and writes one place is a read."),
      db::column<&Row::d1_read_misses>("d1_read_misses", "Reads that were not in the first level."),
      db::column<&Row::d2_read_misses>("d2_read_misses",
                                       "Reads that were in neither first level nor the second."),
      db::column<&Row::dll_read_misses>("dll_read_misses", "Reads that had to come from memory."),
      db::column<&Row::dtlb_read_misses>("dtlb_read_misses", "Reads that had no translation in the buffer."),
      db::column<&Row::writes>("writes", "Data writes."),
      db::column<&Row::d1_write_misses>("d1_write_misses", "Writes that were not in the first level."),
      db::column<&Row::d2_write_misses>("d2_write_misses",
                                        "Writes that were in neither first level nor the second."),
      db::column<&Row::dll_write_misses>("dll_write_misses", "Writes that had to come from memory."),
      db::column<&Row::dtlb_write_misses>("dtlb_write_misses",
                                          "Writes that had no translation in the buffer."),
  };
}

/// `first`, and what both count behind them.
template <class Row, std::size_t kFirst>
constexpr std::array<db::Column<Row>, kFirst + 10> with_data_counts(const db::Column<Row> (&first)[kFirst]) {
  std::array<db::Column<Row>, kFirst + 10> all{};
  const auto counts = data_count_columns<Row>();
  for (std::size_t at = 0; at < all.size(); ++at) all[at] = at < kFirst ? first[at] : counts[at - kFirst];
  return all;
}

inline constexpr auto kSiteColumns = with_data_counts<SiteRow>({
    db::column<&SiteRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&SiteRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&SiteRow::kind>(
        "kind",
        "heap: blocks of an allocator; global: a variable; stack; or mapping: whatever else lies in one."),
    db::column<&SiteRow::node>("node", "Of heap: the call that asked for the blocks, in heap_node."),
    db::column<&SiteRow::name>("name",
                               "Of global: the symbol; of stack: the function that accessed it; of mapping: "
                               "as the map shows it; NULL if it has none."),
    db::column<&SiteRow::object>("object", "Of global and stack: the program or library."),
    db::column<&SiteRow::task>("task", "Of stack: whose it is."),
});
inline constexpr db::Table<SiteRow> kCacheSite = {
    "cache_site", "References and misses of data by the memory object that was accessed.", kSiteColumns};

inline constexpr auto kFieldColumns = with_data_counts<FieldRow>({
    db::column<&FieldRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&FieldRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&FieldRow::kind>("kind",
                                "type: as the columns say; frame: what functions keep in their frames "
                                "besides variables; unknown: no type could be told."),
    db::column<&FieldRow::type>("type",
                                "Of type: the structure, or a type that is none; of arrays, of an element."),
    db::column<&FieldRow::member>(
        "member", "The innermost member; NULL for a type that has none, or where no member is."),
    db::column<&FieldRow::offset>(
        "offset", "Bytes from the structure's beginning to the member, of arrays to the first element."),
    db::column<&FieldRow::size_bytes>("size_bytes", "Of the member, or of the type; 0 if it is not known."),
});
inline constexpr db::Table<FieldRow> kCacheField = {
    "cache_field", "References and misses of data by type and member of what was accessed.", kFieldColumns};

}  // namespace orrery::lens::cache
