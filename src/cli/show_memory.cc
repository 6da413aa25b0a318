// `orrery show memory`: the address space of processes, by meaning; its history; and what an address means.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/memory_address.h"
#include "cli/memory_copies.h"
#include "cli/memory_map.h"
#include "cli/memory_over_time.h"
#include "cli/memory_text.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownMost = 40;

// --- history ---

std::string changes_of(const LayerOptions& options) {
  return " FROM map_change WHERE " + options.condition("event", "ticks", "time_ns");
}

/// One change, or several alike that follow each other.
struct ChangeLine {
  i64 time_ns = 0, task = 0;
  u64 start = 0;
  i64 bytes = 0, count = 1;
  std::string call{}, change{}, before{}, after{}, what{}, by{};

  bool is_like(const ChangeLine& next) const {
    return task == next.task && call == next.call && change == next.change && before == next.before &&
           after == next.after && what == next.what && by == next.by;
  }
};

void print_change(const ChangeLine& line, const Style& style) {
  const std::string times = line.count > 1 ? std::to_string(line.count) + " x" : "";
  std::printf("%14s  %7ld  %6s  %-8s  %-9s  %012lx %9ld  %-6s  %-5s  %s%s\n",
              milliseconds(static_cast<double>(line.time_ns)).c_str(), line.task, times.c_str(),
              line.call.c_str(), line.change.c_str(), line.start, static_cast<long>(line.bytes / 1024),
              line.before.c_str(), line.after.c_str(), printable(line.what).c_str(),
              line.by.empty() ? "" : style.dim("  by " + printable(line.by)).c_str());
}

ChangeLine read_change(db::Statement& rows) {
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  ChangeLine line{.time_ns = rows.integer(0),
                  .task = rows.integer(1),
                  .start = static_cast<u64>(rows.integer(4)),
                  .bytes = rows.integer(5) - rows.integer(4),
                  .call = text(2),
                  .change = text(3),
                  .before = text(6),
                  .after = text(7),
                  .what = text(8),
                  .by = text(10)};
  if (!rows.is_null(9)) line.what += " of " + std::string(base_name(text(9)));
  if (!rows.is_null(11)) line.by += ", " + std::string(base_name(text(11)));
  return line;
}

Fallible<Nothing> print_changes(db::Database& database, const LayerOptions& options, i64 process,
                                const Style& style) {
  // What the start did is the layer load's to tell.
  const std::string of = changes_of(options) + " AND process = " + std::to_string(process);
  db::Statement rows = TRY(database.prepare(
      "SELECT time_ns, task, call, change, start, end, coalesce(before, ''), coalesce(permissions, ''),"
      " coalesce(meaning, ''), object, coalesce(caller_function, stack, ''), caller_line" +
      of + (options.all ? "" : " AND stack IS NOT NULL") + " ORDER BY number"));
  std::printf(
      "%s\n",
      style
          .bold("            AT     TASK   TIMES  CALL      CHANGE            START       KIB  BEFORE  "
                "AFTER  WHAT, AND BY WHOM")
          .c_str());
  std::vector<ChangeLine> lines;
  i64 changes = 0;
  while (TRY(rows.step())) {
    ChangeLine line = read_change(rows);
    const bool joins = !options.all && !lines.empty() && lines.back().is_like(line);
    if (!joins && !options.all && lines.size() == kShownMost) break;
    ++changes;
    if (!joins) {
      lines.push_back(std::move(line));
      continue;
    }
    lines.back().bytes += line.bytes;
    ++lines.back().count;
  }
  for (const ChangeLine& line : lines) print_change(line, style);
  db::Statement count = TRY(database.prepare("SELECT count(*)" + of));
  TRY(count.step());
  if (changes < count.integer(0))
    std::printf("%s\n",
                style.dim("and " + std::to_string(count.integer(0) - changes) + " more: --all").c_str());
  return Nothing{};
}

Fallible<Nothing> print_history(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement processes = TRY(database.prepare(
      "SELECT DISTINCT process, (SELECT p.program FROM process p WHERE p.process = m.process)"
      " FROM map_change m WHERE " +
      options.condition("event", "ticks", "time_ns") + " ORDER BY process"));
  bool is_first = true;
  while (TRY(processes.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    std::printf(
        "%s\n",
        style.bold("process #" + std::to_string(processes.integer(0)) + ", " + printable(processes.text(1)))
            .c_str());
    print_over_time(TRY(read_over_time(database, options, processes.integer(0))), style);
    TRY(print_changes(database, options, processes.integer(0), style));
  }
  if (is_first) return Failure("no map was changed there; `orrery ps` lists the processes");
  return Nothing{};
}

// --- the map ---

Json piece_json(const MapPiece& piece, bool has_pages) {
  Json json = {{"start", piece.start},
               {"end", piece.end},
               {"permissions", piece.permissions},
               {"meaning", piece.meaning},
               {"object", piece.object.empty() ? Json(nullptr) : Json(piece.object)},
               {"file_offset", piece.file_offset ? Json(*piece.file_offset) : Json(nullptr)},
               {"thread", piece.thread != 0 ? Json(piece.thread) : Json(nullptr)},
               {"made_by", piece.made_by},
               {"begin_event", piece.begin_event},
               {"begin_ns", piece.begin_ns}};
  if (has_pages) {
    json["touched_pages"] = piece.pages.touched;
    json["written_pages"] = piece.pages.written;
    json["resident"] = resident_json(piece.resident);
  }
  return json;
}

Fallible<Json> maps_json(db::Database& database, const LayerOptions& options,
                         const std::vector<ProcessMap>& maps) {
  Json json = {{"at", nullptr}, {"processes", Json::array()}};
  if (options.instant) json["at"] = instant_json(*options.instant);
  for (const ProcessMap& map : maps) {
    Json& process = json["processes"].emplace_back();
    process = {
        {"process", map.process}, {"program", map.program}, {"path", map.path}, {"bytes", map.bytes()}};
    Json sums = Json::object(), pieces = Json::array();
    Resident resident;
    for (const MapPiece& piece : map.pieces) {
      sums[piece.meaning] = sums.value(piece.meaning, u64{0}) + piece.bytes();
      resident += piece.resident;
      pieces.push_back(piece_json(piece, map.has_pages));
    }
    process["bytes_by_meaning"] = std::move(sums);
    if (map.has_pages) process["resident"] = resident_json(resident);
    process["over_time"] = over_time_json(TRY(read_over_time(database, options, map.process)));
    process["pieces"] = std::move(pieces);
  }
  return json;
}

Fallible<Nothing> show_address(db::Database& database, const LayerOptions& options) {
  const u64 address = TRY(parse_address(options.address));
  LayerOptions of = options;
  // The instant is one process's; without one, the first is meant.
  if (of.processes.empty()) of.processes = {of.instant ? of.instant->process : 0};
  const auto maps = TRY(read_maps(database, of));
  if (maps.empty()) return Failure("that process has no memory then");
  const Json found = TRY(name_address(of, maps.front(), address));
  if (options.json)
    print_json(found);
  else
    print_address(found);
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  std::vector<const lens::Lens*> lenses = {lens_of_table("memory_map"), lens_of_table("process")};
  if (options.pages || options.copies) lenses.push_back(lens_of_table("page"));
  db::Database database = TRY(collect(options.directory, lenses));
  if (!options.address.empty()) return show_address(database, options);
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  if (options.copies) return show_copies(database, options, style);
  if (options.history && options.json) {
    db::Statement rows =
        TRY(database.prepare("SELECT *" + changes_of(options) + " ORDER BY process, number"));
    TRY(print_rows(rows, RowFormat::json, stdout));
    return Nothing{};
  }
  if (options.instant && !options.json) std::printf("%s\n\n", instant_words(*options.instant).c_str());
  if (options.history) return print_history(database, options, style);
  const std::vector<ProcessMap> maps = TRY(read_maps(database, options));
  if (options.json) {
    print_json(TRY(maps_json(database, options, maps)));
    return Nothing{};
  }
  for (const ProcessMap& map : maps) {
    if (&map != &maps.front()) std::printf("\n\n");
    print_map(map, options.all, style);
  }
  if (maps.empty()) return Failure("no process has memory there; `orrery ps` lists the processes");
  return Nothing{};
}

}  // namespace

void add_show_memory(Arguments show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "memory", "The address space: what lies where, who made it, and when it changed",
      show,
      "  orrery show memory                     each process, as it was at its end\n"
      "  orrery show memory --at main --pages   what was resident then: shared or private, clean or dirty\n"
      "  orrery show memory --copies            which writes broke copy-on-write, and whose they were\n"
      "  orrery show memory --history           by meaning over time; every change, and who made it\n"
      "  orrery show memory --history --pages   the same with what was touched, which is resident\n"
      "  orrery show memory --address 0x146fa0001040 --at crash\n"
      "  orrery query \"SELECT made_by, sum(end - start) FROM memory_map GROUP BY made_by ORDER BY 2\"\n");
  LayerOptions& options = *added.options;
  added.command.flag("--history", options.history, "The changes of the map, with who made them");
  added.command.flag("--pages", options.pages,
                     "Tell what is resident, shared and private, which takes a slower replay");
  added.command.flag("--copies", options.copies,
                     "The writes that broke copy-on-write, of files' pages and after forks");
  added.command.option("--address", options.address, "What this address means at the instant");
}

}  // namespace orrery::cli
