#include "cli/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/place_text.h"
#include "cli/recording_text.h"
#include "lens/code_place.h"
#include "lens/source_excerpt.h"

namespace orrery::cli {
namespace {

using lens::profile::CallRow;
using lens::profile::FunctionRow;
using lens::profile::LineRow;
using lens::profile::ProfileRows;
using Json = nlohmann::ordered_json;

constexpr std::size_t kRowsShown = 20;

std::string function_words(const FunctionRow& row) {
  const std::string place = row.name ? line_text(row.file, row.line) : "";
  return function_text(row.name) + (place.empty() ? "" : " (" + place + ")") + " " + object_text(row.object);
}

class Report {
 public:
  Report(const ProfileRows& rows, const ProfileView& view, const Style& style)
      : rows_(rows), view_(view), style_(style) {
    for (const FunctionRow& row : rows.functions) {
      functions_[row.function] = &row;
      instructions_ += row.instructions;
      elements_ += row.elements;
      branches_ += row.branches;
      taken_ += row.taken;
    }
    if (!view.inlined) return;
    for (const LineRow& row : rows.lines)
      if (row.inlined) inlined_[row.function][*row.inlined] += row.instructions;
  }

  std::string text() {
    if (!rows_.functions.empty()) {
      const FunctionRow& any = rows_.functions.front();
      add(style_.bold(fmt::format("process #{}, program {}", any.process, any.program)));
    }
    std::string sums = fmt::format("  {} instructions, {} conditional jumps, of which {:.1f} % jumped",
                                   instructions_, branches_, percent(taken_, branches_));
    if (elements_ != 0) sums += fmt::format("; {} more as Valgrind counts repeated ones", elements_);
    add(sums + "\n");
    switch (view_.order) {
      case ProfileOrder::function:
      case ProfileOrder::inclusive:
        add_functions();
        break;
      case ProfileOrder::line:
        add_lines();
        break;
      case ProfileOrder::call:
        add_calls();
        break;
    }
    return text_;
  }

 private:
  static double percent(u64 part, u64 whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  }
  void add(const std::string& line) { text_ += line + "\n"; }

  template <class Row, class Weight>
  std::vector<const Row*> ordered(const std::vector<Row>& rows, Weight weight) const {
    std::vector<const Row*> chosen;
    for (const Row& row : rows)
      if (weight(row) != 0) chosen.push_back(&row);
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](const Row* left, const Row* right) { return weight(*left) > weight(*right); });
    return chosen;
  }
  std::size_t shown(std::size_t count) const { return view_.all ? count : std::min(count, kRowsShown); }
  void add_rest(std::size_t count, const char* what) {
    if (shown(count) < count)
      add(style_.dim(fmt::format("and {} more {}: --all", count - shown(count), what)));
  }

  void add_functions() {
    const bool inclusive = view_.order == ProfileOrder::inclusive;
    const auto rows = ordered(rows_.functions, [&](const FunctionRow& row) {
      return inclusive ? row.inclusive : row.instructions;
    });
    add(style_.bold("          SELF      %        WITH CALLED      %        CALLS  FUNCTION"));
    for (std::size_t at = 0; at < shown(rows.size()); ++at) {
      const FunctionRow& row = *rows[at];
      add(fmt::format("{:14} {:6.2f} {:18} {:6.2f} {:12}  {}", row.instructions,
                      percent(row.instructions, instructions_), row.inclusive,
                      percent(row.inclusive, instructions_), row.calls, printable(function_words(row))));
      if (view_.inlined) add_inlined(row);
    }
    add_rest(rows.size(), "functions");
  }

  /// What the function executed of each that was inlined into it, the most first.
  void add_inlined(const FunctionRow& function) {
    std::vector<std::pair<u64, std::string>> ordered;
    for (const auto& [name, instructions] : inlined_[function.function])
      ordered.emplace_back(instructions, name);
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto& left, const auto& right) { return left.first > right.first; });
    for (const auto& [instructions, name] : ordered)
      add(style_.dim(fmt::format("{:14} {:6.2f} {:40}    inlined {}", instructions,
                                 percent(instructions, instructions_), "",
                                 printable(lens::short_function(name)))));
  }

  std::string source_text(const LineRow& row) const {
    if (!row.file || !row.line) return "";
    const elf::SourceLine source{.file = *row.file, .line = static_cast<int>(*row.line)};
    const lens::SourceExcerpt excerpt = lens::read_excerpt(view_.recording, {.source = source});
    if (excerpt.lines.empty()) return "";
    const std::string& text = excerpt.lines.front();
    const auto begin = text.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin);
  }

  void add_lines() {
    const auto rows = ordered(rows_.lines, [](const LineRow& row) { return row.instructions; });
    add(style_.bold("  INSTRUCTIONS      %        JUMPS  TAKEN %  LINE"));
    for (std::size_t at = 0; at < shown(rows.size()); ++at) {
      const LineRow& row = *rows[at];
      const std::string place = line_text(row.file, row.line);
      const std::string jumps =
          row.branches == 0 ? std::string(21, ' ')
                            : fmt::format("{:12}  {:7.1f}", row.branches, percent(row.taken, row.branches));
      add(fmt::format("{:14} {:6.2f} ", row.instructions, percent(row.instructions, instructions_)) + jumps +
          "  " +
          printable(place.empty() ? "no line: " + function_words(*functions_.at(row.function)) : place) +
          (row.inlined ? style_.dim("  inlined " + printable(lens::short_function(*row.inlined))) : ""));
      if (const std::string text = source_text(row); !text.empty())
        add(style_.dim(std::string(45, ' ') + "    " + printable(text)));
    }
    add_rest(rows.size(), "lines");
  }

  void add_calls() {
    const auto rows = ordered(rows_.calls, [](const CallRow& row) { return row.inclusive; });
    add(style_.bold("         COST      %        CALLS  CALL"));
    for (std::size_t at = 0; at < shown(rows.size()); ++at) {
      const CallRow& row = *rows[at];
      const auto caller = functions_.find(row.caller);
      std::string from = caller == functions_.end() ? "the beginning, or a signal"
                         : caller->second->name     ? function_text(caller->second->name)
                                                    : function_words(*caller->second);
      if (const std::string place = line_text(row.file, row.line); !place.empty()) from += " (" + place + ")";
      add(fmt::format("{:13} {:6.2f} {:12}  {} -> {}", row.inclusive, percent(row.inclusive, instructions_),
                      row.calls, printable(from), printable(function_words(*functions_.at(row.callee)))));
    }
    add_rest(rows.size(), "calls");
  }

  const ProfileRows& rows_;
  const ProfileView& view_;
  const Style& style_;
  std::map<u32, const FunctionRow*> functions_;
  std::map<u32, std::map<std::string, u64>> inlined_;  ///< by function, instructions of each
  u64 instructions_ = 0, elements_ = 0, branches_ = 0, taken_ = 0;
  std::string text_;
};

template <class Value>
void put(Json& json, const char* key, const std::optional<Value>& value) {
  if (value) json[key] = *value;
}

Json function_json(const FunctionRow& row) {
  Json json{{"function", row.function}};
  put(json, "name", row.name);
  put(json, "object", row.object);
  put(json, "address", row.address);
  put(json, "file", row.file);
  put(json, "line", row.line);
  json.update({{"instructions", row.instructions},
               {"elements", row.elements},
               {"branches", row.branches},
               {"taken", row.taken},
               {"calls", row.calls},
               {"inclusive", row.inclusive}});
  return json;
}

Json line_json(const LineRow& row) {
  Json json{{"function", row.function}};
  put(json, "inlined", row.inlined);
  put(json, "file", row.file);
  put(json, "line", row.line);
  json.update({{"instructions", row.instructions},
               {"elements", row.elements},
               {"branches", row.branches},
               {"taken", row.taken}});
  return json;
}

Json call_json(const CallRow& row) {
  Json json{{"caller", row.caller}};
  put(json, "file", row.file);
  put(json, "line", row.line);
  json.update({{"callee", row.callee}, {"calls", row.calls}, {"inclusive", row.inclusive}});
  return json;
}

}  // namespace

Fallible<std::vector<ProfileRows>> read_profiles(db::Database& database, const std::string& condition) {
  const std::string rest = "WHERE " + condition + " ORDER BY process, program";
  std::map<std::pair<u32, u32>, ProfileRows> programs;
  for (FunctionRow& row : TRY(database.read(lens::profile::kProfileFunction, rest + ", function")))
    programs[{row.process, row.program}].functions.push_back(std::move(row));
  for (LineRow& row : TRY(database.read(lens::profile::kProfileLine, rest)))
    programs[{row.process, row.program}].lines.push_back(std::move(row));
  for (CallRow& row : TRY(database.read(lens::profile::kProfileCall, rest)))
    programs[{row.process, row.program}].calls.push_back(std::move(row));
  std::vector<ProfileRows> all;
  for (auto& [key, rows] : programs) all.push_back(std::move(rows));
  return all;
}

std::string profile_text(const ProfileRows& rows, const ProfileView& view, const Style& style) {
  return Report(rows, view, style).text();
}

Json profile_json(const ProfileRows& rows, ProfileOrder order) {
  Json json;
  if (!rows.functions.empty())
    json = {{"process", rows.functions.front().process}, {"program", rows.functions.front().program}};
  json["functions"] = Json::array();
  for (const FunctionRow& row : rows.functions) json["functions"].push_back(function_json(row));
  if (order == ProfileOrder::line) {
    json["lines"] = Json::array();
    for (const LineRow& row : rows.lines) json["lines"].push_back(line_json(row));
  }
  if (order == ProfileOrder::call) {
    json["calls"] = Json::array();
    for (const CallRow& row : rows.calls) json["calls"].push_back(call_json(row));
  }
  return json;
}

}  // namespace orrery::cli
