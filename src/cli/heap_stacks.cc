#include "cli/heap_stacks.h"

#include "base/base_name.h"

namespace orrery::cli {

using lens::heap::PlaceRow;
using Json = nlohmann::ordered_json;

std::string words_of(const PlaceRow& place) {
  std::string words = place.function.value_or("?");
  if (place.file)
    return words + " (" + std::string(base_name(*place.file)) + ":" + std::to_string(place.line.value_or(0)) +
           ")";
  if (place.object) words += " [" + std::string(base_name(*place.object)) + "]";
  return words;
}

Json place_json(const PlaceRow& place) {
  Json json{{"pc", place.pc}};
  if (place.function) json["function"] = *place.function;
  if (place.file) json["file"] = *place.file;
  if (place.line) json["line"] = *place.line;
  if (place.object) json["object"] = *place.object;
  return json;
}

Fallible<HeapStacks> HeapStacks::read(db::Database& database, u32 process, u32 program) {
  HeapStacks stacks;
  const std::string of =
      "WHERE process = " + std::to_string(process) + " AND program = " + std::to_string(program);
  for (const lens::heap::NodeRow& row : TRY(database.read(lens::heap::kHeapNode, of)))
    stacks.nodes_[row.node] = {.parent = row.parent, .pc = row.pc};
  for (PlaceRow& row : TRY(database.read(lens::heap::kHeapPlace, of + " ORDER BY pc, depth")))
    stacks.places_[row.pc].push_back(std::move(row));
  return stacks;
}

u64 HeapStacks::pc_of(u32 node) const {
  const auto known = nodes_.find(node);
  return known == nodes_.end() ? 0 : known->second.pc;
}

std::vector<const PlaceRow*> HeapStacks::frames_of(u32 node) const {
  std::vector<const PlaceRow*> frames;
  for (auto at = nodes_.find(node); at != nodes_.end() && at->first != 0;
       at = nodes_.find(at->second.parent)) {
    const auto place = places_.find(at->second.pc);
    if (place == places_.end()) continue;
    for (const PlaceRow& row : place->second) frames.push_back(&row);
  }
  return frames;
}

Json HeapStacks::json_of(u32 node) const {
  Json stack = Json::array();
  for (const PlaceRow* frame : frames_of(node)) stack.push_back(place_json(*frame));
  return stack;
}

}  // namespace orrery::cli
