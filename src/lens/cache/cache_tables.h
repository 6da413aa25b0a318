// The tables of the cache model.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::cache {

struct CacheRow {
  u32 process = 0, program = 0;
  std::string i1{}, d1{}, l2{}, ll{}, itlb{}, dtlb{}, shapes{};
};

inline constexpr db::Column<CacheRow> kCacheColumns[] = {
    db::column<&CacheRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&CacheRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&CacheRow::i1>("i1", "The first level for instructions."),
    db::column<&CacheRow::d1>("d1", "The first level for data."),
    db::column<&CacheRow::l2>("l2", "The second level, for both."),
    db::column<&CacheRow::ll>("ll", "The last level, for both."),
    db::column<&CacheRow::itlb>("itlb", "The buffer of translations for instructions."),
    db::column<&CacheRow::dtlb>("dtlb", "The same for data."),
    db::column<&CacheRow::shapes>("shapes", "Where their shapes are from."),
};
inline constexpr db::Table<CacheRow> kCache = {
    "cache", "The caches that were modelled for each program; they begin empty.", kCacheColumns};

struct CacheLineRow {
  u32 process = 0, program = 0;
  std::optional<std::string> function{}, object{}, file{};
  std::optional<u32> line{};
  u64 instructions = 0, i1_misses = 0, i2_misses = 0, ill_misses = 0, itlb_misses = 0;
  u64 reads = 0, d1_read_misses = 0, d2_read_misses = 0, dll_read_misses = 0, dtlb_read_misses = 0;
  u64 writes = 0, d1_write_misses = 0, d2_write_misses = 0, dll_write_misses = 0, dtlb_write_misses = 0;
};

inline constexpr db::Column<CacheLineRow> kCacheLineColumns[] = {
    db::column<&CacheLineRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&CacheLineRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&CacheLineRow::function>("function", "Whose code it is; null for code without a symbol."),
    db::column<&CacheLineRow::object>("object", "The file, or the region; null for code made at run time."),
    db::column<&CacheLineRow::file>("file", "The source file; null without DWARF."),
    db::column<&CacheLineRow::line>("line", "The line in it."),
    db::column<&CacheLineRow::instructions>("instructions", "Instructions executed."),
    db::column<&CacheLineRow::i1_misses>("i1_misses",
                                         "Instruction fetches that were not in the first level."),
    db::column<&CacheLineRow::i2_misses>(
        "i2_misses", "Instruction fetches that were in neither first level nor the second."),
    db::column<&CacheLineRow::ill_misses>("ill_misses", "Instruction fetches that had to come from memory."),
    db::column<&CacheLineRow::itlb_misses>("itlb_misses",
                                           "Instruction fetches that had no translation in the buffer."),
    db::column<&CacheLineRow::reads>("reads", "Data reads; what reads and writes one place is a read."),
    db::column<&CacheLineRow::d1_read_misses>("d1_read_misses", "Reads that were not in the first level."),
    db::column<&CacheLineRow::d2_read_misses>("d2_read_misses",
                                              "Reads that were in neither first level nor the second."),
    db::column<&CacheLineRow::dll_read_misses>("dll_read_misses", "Reads that had to come from memory."),
    db::column<&CacheLineRow::dtlb_read_misses>("dtlb_read_misses",
                                                "Reads that had no translation in the buffer."),
    db::column<&CacheLineRow::writes>("writes", "Data writes."),
    db::column<&CacheLineRow::d1_write_misses>("d1_write_misses", "Writes that were not in the first level."),
    db::column<&CacheLineRow::d2_write_misses>("d2_write_misses",
                                               "Writes that were in neither first level nor the second."),
    db::column<&CacheLineRow::dll_write_misses>("dll_write_misses", "Writes that had to come from memory."),
    db::column<&CacheLineRow::dtlb_write_misses>("dtlb_write_misses",
                                                 "Writes that had no translation in the buffer."),
};
inline constexpr db::Table<CacheLineRow> kCacheLine = {
    "cache_line", "References and misses of each source line, function by function.", kCacheLineColumns};

}  // namespace orrery::lens::cache
