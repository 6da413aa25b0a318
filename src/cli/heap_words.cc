#include "cli/heap_words.h"

#include "cli/recording_text.h"

namespace orrery::cli {

using Json = nlohmann::ordered_json;
using lens::heap::PlaceRow;

std::string counted(u64 count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string blocks(u64 count) { return counted(count, "block", "blocks"); }

std::vector<const PlaceRow*> frames_of(const HeapReport& report, u32 node) {
  std::vector<const PlaceRow*> frames;
  for (const u32 each : report.stack_of(node)) {
    const auto place = report.places.find(report.nodes.at(each).pc);
    if (place == report.places.end()) continue;
    for (const PlaceRow& row : place->second) frames.push_back(&row);
  }
  return frames;
}

std::string site_words(const HeapReport& report, u32 node) {
  const std::vector<const PlaceRow*> frames = frames_of(report, node);
  return frames.empty() ? "?" : printable(words_of(*frames.front()));
}

Json stack_json(const HeapReport& report, u32 node) {
  Json stack = Json::array();
  for (const PlaceRow* frame : frames_of(report, node)) stack.push_back(place_json(*frame));
  return stack;
}

Json samples_json(const HeapReport& report) {
  Json samples = Json::array();
  for (const lens::heap::SampleRow& sample : report.samples)
    samples.push_back({{"event", sample.event},
                       {"time_ns", sample.time_ns},
                       {"live_blocks", sample.live_blocks},
                       {"live_bytes", sample.live_bytes}});
  return samples;
}

}  // namespace orrery::cli
