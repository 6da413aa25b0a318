// What is kept beside a recording of what lenses found in it: REC/layers.sqlite.
#pragma once

#include <string>

#include "db/table.h"

namespace orrery::lens {

inline constexpr const char* kLayersFile = "layers.sqlite";
/// Of one lens that was asked in words of the user's.
inline std::string own_layers_file(const std::string& lens) { return "layers-" + lens + ".sqlite"; }

struct CollectedRow {
  std::string lens{};
  u32 version = 0;
  u64 trace_bytes = 0;
  u64 event_count = 0;
};

inline constexpr db::Column<CollectedRow> kCollectedColumns[] = {
    db::column<&CollectedRow::lens>("lens", "The lens that has filled its tables."),
    db::column<&CollectedRow::version>("version", "Its version; a newer one fills them anew."),
    db::column<&CollectedRow::trace_bytes>("trace_bytes", "Size of the trace it read, in bytes."),
    db::column<&CollectedRow::event_count>("event_count", "Events in that trace."),
};
inline constexpr db::Table<CollectedRow> kCollected = {
    "collected", "Which lenses have looked at the recording.", kCollectedColumns};

}  // namespace orrery::lens
