// An address space at an instant, as the tables of the memory layer have it, for the reports that show it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "cli/memory_resident.h"
#include "db/database.h"

namespace orrery::cli {

/// Pages of a piece: touched since they are there, and of these written.
struct TouchedPages {
  u64 touched = 0, written = 0;
};

struct MapPiece {
  u64 start = 0, end = 0;
  std::string permissions{}, meaning{}, object{}, made_by{};
  std::optional<u64> file_offset{};
  i64 thread = 0;  ///< 0: it is no thread's
  i64 begin_event = 0, begin_ns = 0;
  TouchedPages pages{};
  Resident resident{};

  u64 bytes() const { return end - start; }
};

struct ProcessMap {
  i64 process = 0, program = 0;
  std::string path{};
  std::vector<MapPiece> pieces{};  ///< in order of addresses
  bool has_pages = false;          ///< they were asked for

  u64 bytes() const;
};

/// Those of the processes that `options` names, at its instant, or else at the end of each. With
/// LayerOptions::pages their touched pages, and what of them is resident.
Fallible<std::vector<ProcessMap>> read_maps(db::Database& database, const LayerOptions& options);

/// The same without the seams between pieces that are alike and touch each other: those that grew one by one.
ProcessMap without_seams(ProcessMap map);

/// The word for what a piece is, with the thread or the file: "stack of thread 17".
std::string meaning_words(const MapPiece& piece);

/// The piece that holds the address; null if none does.
const MapPiece* find_piece(const ProcessMap& map, u64 address);

}  // namespace orrery::cli
