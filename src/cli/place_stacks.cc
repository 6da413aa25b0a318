#include "cli/place_stacks.h"

#include <memory>

#include "base/base_name.h"
#include "cli/recording_text.h"
#include "cli/stopped_process.h"

namespace orrery::cli {

using Json = nlohmann::ordered_json;

namespace {

constexpr u64 kFramesShown = 12;

Json stack_json(const lens::StackFact& stack) {
  Json frames = Json::array();
  for (const std::vector<lens::FrameFact>* part : {&stack.inner, &stack.outer})
    for (const lens::FrameFact& frame : *part) {
      Json json{{"pc", frame.pc}, {"function", frame.function}};
      if (frame.source.line != 0) {
        json["file"] = frame.source.file;
        json["line"] = frame.source.line;
      }
      json["object"] = frame.image;
      json["inlined"] = frame.inlined;
      frames.push_back(std::move(json));
    }
  return frames;
}

}  // namespace

/// Brings a replay of each process to the places, in their order. Of several tasks between two events only
/// the replay knows which came first: where it has gone past a place it is begun anew.
Fallible<Nothing> read_stacks(const std::string& directory, const std::set<RunPlace>& places,
                              PlaceStacks& stacks) {
  std::unique_ptr<StoppedProcess> stopped;
  std::string program;
  for (const RunPlace& place : places) {
    const lens::ExactInstant instant{.process = place.process,
                                     .at = {.event = place.event, .task = place.task, .ticks = place.ticks},
                                     .pc = place.pc};
    const bool same = stopped && stopped->instant.process == place.process;
    if (!same || !lens::seek(*stopped->session, instant)) {
      auto anew = stop_process(directory, {place.process}, instant);
      if (!anew) continue;  // the rest is told without this stack
      stopped = anew.take();
      program = program_of(*stopped);
    }
    stacks[place] = lens::stack_of(*stopped->session, program, kFramesShown);
  }
  return Nothing{};
}

std::string words_of(const lens::FrameFact& frame) {
  std::string words = frame.function.empty() ? "?" : frame.function;
  if (frame.source.line != 0)
    return words + " (" + std::string(base_name(frame.source.file)) + ":" +
           std::to_string(frame.source.line) + ")";
  if (!frame.image.empty()) words += " [" + std::string(base_name(frame.image)) + "]";
  return words;
}

Json place_json(const RunPlace& place, const PlaceStacks& stacks) {
  const auto known = stacks.find(place);
  return {{"event", place.event},
          {"task", place.task},
          {"ticks", place.ticks},
          {"pc", place.pc},
          {"stack", known == stacks.end() ? Json::array() : stack_json(known->second)}};
}

std::string stack_lines(const RunPlace& place, const PlaceStacks& stacks, const char* first,
                        const Style& style) {
  const auto known = stacks.find(place);
  if (known == stacks.end()) return "";
  const lens::StackFact& stack = known->second;
  std::string lines;
  for (std::size_t at = 0; at < stack.inner.size(); ++at) {
    const lens::FrameFact& frame = stack.inner[at];
    lines += std::string("      ") + (at == 0 ? first : "by") + " " + printable(words_of(frame)) + "\n";
    if (frame.users && frame.function == "main") return lines;  // who called that is the same for all
  }
  if (!stack.outer.empty()) lines += "      " + style.dim("...") + "\n";
  for (const lens::FrameFact& frame : stack.outer) lines += "      by " + printable(words_of(frame)) + "\n";
  return lines;
}

}  // namespace orrery::cli
