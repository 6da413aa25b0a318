#include "cli/memory_map.h"

#include <algorithm>
#include <numeric>

namespace orrery::cli {
namespace {

/// SQL: the row was there at the instant, or is there at the end.
std::string is_there(const LayerOptions& options, const char* begin, const char* end) {
  const auto at = [&](const char* which) {
    const std::string name = which;
    return options.instant->condition((name + "_event").c_str(), (name + "_ticks").c_str(),
                                      (name + "_ns").c_str());
  };
  const std::string gone = std::string(end) + "_event IS NULL";
  if (!options.instant) return gone;
  const bool is_page = std::string(begin) == "first";
  const std::string came = is_page ? options.instant->condition("event", "ticks", "time_ns") : at(begin);
  return came + " AND (" + gone + " OR NOT " + at(end) + ")";
}

MapPiece* piece_of(ProcessMap& map, u64 address) {
  const MapPiece* const piece = find_piece(map, address);
  return piece == nullptr ? nullptr : &map.pieces[static_cast<std::size_t>(piece - map.pieces.data())];
}

Fallible<Nothing> add_pages(db::Database& database, const LayerOptions& options, ProcessMap& map) {
  const std::string written =
      options.instant
          ? "coalesce(" + options.instant->condition("written_event", "written_ticks", "written_ns") + ", 0)"
          : "is_written";
  db::Statement pages = TRY(database.prepare(
      "SELECT page, " + written + " FROM page WHERE process = " + std::to_string(map.process) +
      " AND program = " + std::to_string(map.program) + " AND " + is_there(options, "first", "gone")));
  map.has_pages = true;
  while (TRY(pages.step())) {
    if (MapPiece* const piece = piece_of(map, static_cast<u64>(pages.integer(0)))) {
      ++piece->pages.touched;
      piece->pages.written += pages.integer(1) != 0 ? 1 : 0;
    }
  }
  return Nothing{};
}

Fallible<Nothing> add_resident(db::Database& database, const LayerOptions& options,
                               std::vector<ProcessMap>& maps) {
  const auto resident = TRY(read_resident(database, options));
  for (ProcessMap& map : maps) {
    const auto pages = resident.find(map.process);
    if (pages == resident.end()) continue;
    for (const auto& [address, page] : pages->second)
      if (MapPiece* const piece = piece_of(map, address)) piece->resident += page;
  }
  return Nothing{};
}

/// SQL: of other processes than the instant's, those that have not ended by then.
std::string still_lives(const LayerOptions& options) {
  if (!options.instant) return "1";
  return "(process = " + std::to_string(options.instant->process) +
         " OR (SELECT p.end_ns FROM process p WHERE p.process = m.process) > " +
         std::to_string(options.instant->at.time_ns) + ")";
}

}  // namespace

u64 ProcessMap::bytes() const {
  return std::accumulate(pieces.begin(), pieces.end(), u64{0},
                         [](u64 sum, const MapPiece& each) { return sum + each.bytes(); });
}

Fallible<std::vector<ProcessMap>> read_maps(db::Database& database, const LayerOptions& options) {
  db::Statement rows = TRY(database.prepare(
      "SELECT process, program, start, end, permissions, meaning, object, made_by, file_offset, thread, "
      "begin_event,"
      " begin_ns, (SELECT p.program FROM process p WHERE p.process = m.process) FROM memory_map m WHERE " +
      options.condition() + " AND " + is_there(options, "begin", "end") + " AND " + still_lives(options) +
      " ORDER BY process, start"));
  std::vector<ProcessMap> maps;
  while (TRY(rows.step())) {
    if (maps.empty() || maps.back().process != rows.integer(0))
      maps.push_back(
          {.process = rows.integer(0), .program = rows.integer(1), .path = std::string(rows.text(12))});
    MapPiece& piece = maps.back().pieces.emplace_back();
    piece.start = static_cast<u64>(rows.integer(2));
    piece.end = static_cast<u64>(rows.integer(3));
    piece.permissions = rows.text(4);
    piece.meaning = rows.text(5);
    piece.object = rows.text(6);
    piece.made_by = rows.text(7);
    if (!rows.is_null(8)) piece.file_offset = static_cast<u64>(rows.integer(8));
    piece.thread = rows.integer(9);
    piece.begin_event = rows.integer(10);
    piece.begin_ns = rows.integer(11);
  }
  if (!options.pages) return maps;
  for (ProcessMap& map : maps) TRY(add_pages(database, options, map));
  TRY(add_resident(database, options, maps));
  return maps;
}

ProcessMap without_seams(ProcessMap map) {
  std::vector<MapPiece> whole;
  for (MapPiece& piece : map.pieces) {
    const bool goes_on =
        !whole.empty() && whole.back().end == piece.start && whole.back().meaning == piece.meaning &&
        whole.back().permissions == piece.permissions && whole.back().object == piece.object &&
        whole.back().thread == piece.thread && whole.back().made_by == piece.made_by;
    if (!goes_on) {
      whole.push_back(std::move(piece));
      continue;
    }
    whole.back().end = piece.end;
    whole.back().pages.touched += piece.pages.touched;
    whole.back().pages.written += piece.pages.written;
    whole.back().resident += piece.resident;
  }
  map.pieces = std::move(whole);
  return map;
}

std::string meaning_words(const MapPiece& piece) {
  if (piece.thread != 0) return piece.meaning + " of thread " + std::to_string(piece.thread);
  return piece.object.empty() ? piece.meaning : piece.meaning + " of " + piece.object;
}

const MapPiece* find_piece(const ProcessMap& map, u64 address) {
  const auto above = std::upper_bound(map.pieces.begin(), map.pieces.end(), address,
                                      [](u64 each, const MapPiece& piece) { return each < piece.start; });
  if (above == map.pieces.begin()) return nullptr;
  const MapPiece& piece = *std::prev(above);
  return address < piece.end ? &piece : nullptr;
}

}  // namespace orrery::cli
