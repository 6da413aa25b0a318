#include "cli/heap_block.h"

#include <algorithm>

#include "cli/collect.h"
#include "cli/heap_history.h"
#include "cli/heap_words.h"
#include "cli/recording_text.h"
#include "lens/heap/heap_lens.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

Json place_json(const lens::heap::LoggedPlace& place, u64 time_ns) {
  return {{"event", place.event}, {"task", place.task}, {"ticks", place.ticks}, {"time_ns", time_ns}};
}

std::string place_words(const Json& place) {
  return "at " + milliseconds(place["time_ns"].get<double>()) + ", event " +
         std::to_string(place["event"].get<u64>());
}

}  // namespace

Fallible<Json> find_heap_block(const std::string& directory, u32 process,
                               const std::optional<lens::ExactInstant>& instant, u64 address) {
  db::Database database = TRY(collect(directory, {{&lens::kHeapLens}}));
  const auto reports = TRY(
      read_heaps(database, directory, "process = " + std::to_string(process), std::nullopt, WithBlocks::no));
  const lens::Recording recording = TRY(lens::open_recording(directory));
  const lens::heap::LoggedPlace at =
      instant ? place_in(recording, process, *instant) : lens::heap::LoggedPlace{.event = ~u64{0}};
  const auto report = std::find_if(reports.rbegin(), reports.rend(),
                                   [&](const HeapReport& each) { return each.sums.begin_event <= at.event; });
  if (report == reports.rend()) return Json(nullptr);
  HeapHistories histories(database, recording);
  const std::unique_ptr<HeapHistory> history = TRY(histories.begin(report->sums));
  history->look_for(address);
  TRY(history->go_to(at));
  if (!history->found()) return Json(nullptr);
  const HeapHistory::Found& found = *history->found();
  const lens::heap::BlockRow& block = found.block;
  return Json{{"number", block.number},
              {"address", block.address},
              {"size_bytes", block.size_bytes},
              {"process", block.process},
              {"allocated", place_json({block.event, block.task, block.ticks}, block.time_ns)},
              {"by", site_words(*report, block.node)},
              {"stack", stack_json(*report, block.node)},
              {"released", found.is_live ? Json(nullptr) : place_json(found.released, found.released_ns)}};
}

std::string heap_block_words(const Json& block, u64 address) {
  const u64 start = block["address"];
  std::string words = std::to_string(block["size_bytes"].get<u64>()) + " bytes from " + hexadecimal(start) +
                      ", +" + std::to_string(address - start) + ", by " + block["by"].get<std::string>() +
                      ", given out " + place_words(block["allocated"]);
  const Json& released = block["released"];
  return words + (released.is_null() ? "; live" : "; given back " + place_words(released));
}

}  // namespace orrery::cli
