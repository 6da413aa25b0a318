#include "cli/why_sarif.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::FrameFact;
using lens::why::Facts;
using lens::why::Verdict;

/// RFC 3986: what is not unreserved is escaped, but for the slash.
std::string file_uri(const std::string& path) {
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char letter : path) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') ||
                       std::string("-._~/").find(letter) != std::string::npos;
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned char>(letter));
    uri += plain ? std::string(1, letter) : escaped;
  }
  return uri;
}

/// 3.28 location: where in the source, and in which function.
Json location_of(const FrameFact& frame) {
  Json location = Json::object();
  if (!frame.source.file.empty() && frame.source.line > 0) {
    Json region = {{"startLine", frame.source.line}};
    if (frame.source.column > 0) region["startColumn"] = frame.source.column;
    location["physicalLocation"] = {{"artifactLocation", {{"uri", file_uri(frame.source.file)}}},
                                    {"region", std::move(region)}};
  } else if (!frame.image.empty()) {
    location["physicalLocation"] = {{"artifactLocation", {{"uri", file_uri(frame.image)}}}};
  }
  if (!frame.function.empty())
    location["logicalLocations"] =
        Json::array({Json{{"fullyQualifiedName", frame.function}, {"kind", "function"}}});
  return location;
}

/// 3.44 stack.
Json stack_of(const std::vector<FrameFact>& frames) {
  Json json = {{"frames", Json::array()}};
  for (const FrameFact& frame : frames) {
    Json one = {{"location", location_of(frame)}};
    if (!frame.image.empty()) one["module"] = frame.image;
    json["frames"].push_back(std::move(one));
  }
  return json;
}

Json result_of(const Verdict& verdict, const Facts& facts) {
  std::string text = verdict.headline;
  for (const std::string& sentence : verdict.sentences) text += "\n" + sentence;
  Json result = {{"ruleId", name_of(verdict.category)},
                 {"ruleIndex", 0},
                 {"level", lens::why::is_slowness(verdict.category) ? "note" : "error"},
                 {"message", {{"text", std::move(text)}}},
                 {"locations", Json::array()}};
  if (verdict.place) result["locations"].push_back(location_of(*verdict.place));
  if (!facts.stack.inner.empty()) result["stacks"] = Json::array({stack_of(facts.stack.inner)});
  return result;
}

}  // namespace

std::string why_sarif(const Verdict& verdict, const Facts& facts) {
  const bool found = verdict.category != lens::why::Category::clean;
  Json driver = {{"name", "orrery why"}, {"rules", Json::array()}};
  if (found) {
    const std::string id = name_of(verdict.category);
    std::string words = id;
    std::replace(words.begin(), words.end(), '_', ' ');
    driver["rules"].push_back({{"id", id}, {"shortDescription", {{"text", words}}}});
  }
  Json command = {{"executionSuccessful", !found || lens::why::is_slowness(verdict.category)},
                  {"arguments", facts.run.arguments}};
  if (facts.run.ended && facts.run.signal == 0) command["exitCode"] = facts.run.status;
  if (facts.run.signal != 0) {
    command["exitSignalNumber"] = facts.run.signal;
    command["exitSignalName"] = lens::why::signal_name(facts.run.signal);
  }
  Json run = {{"tool", {{"driver", std::move(driver)}}},
              {"invocations", Json::array({std::move(command)})},
              {"columnKind", "utf16CodeUnits"},
              {"results", Json::array()}};
  if (found) run["results"].push_back(result_of(verdict, facts));
  const Json log = {
      {"$schema",
       "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs", Json::array({std::move(run)})}};
  return log.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace orrery::cli
