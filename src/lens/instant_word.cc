#include "lens/instant_word.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace orrery::lens {
namespace {

using Kind = InstantWord::Kind;

struct Keyword {
  const char* word;
  Kind kind;
};
constexpr Keyword kKeywords[] = {
    {"start", Kind::start}, {"main", Kind::main}, {"end", Kind::end}, {"crash", Kind::crash}};

struct Unit {
  const char* name;
  double ns;
};
constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

/// The largest time that fits; far behind the end of any recording.
constexpr double kLatestNs = 1e18;

/// Of C, C++ and Rust, mangled or not.
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '~' || c == '<' || c == '$';
}

std::optional<u64> whole_number(std::string_view text) {
  u64 number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "17+4", "17+4+2": an event, ticks and instructions.
std::optional<InstantWord> parse_place(const std::string& word) {
  const std::string_view text = word;
  const auto first = text.find('+');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = text.find('+', first + 1);
  const auto event = whole_number(text.substr(0, first));
  const auto ticks = whole_number(text.substr(first + 1, second == text.npos ? second : second - first - 1));
  const auto instructions =
      second == text.npos ? std::optional<u64>(0) : whole_number(text.substr(second + 1));
  if (!event || !ticks || !instructions) return std::nullopt;
  return InstantWord{.kind = Kind::place, .number = *event, .ticks = *ticks, .instructions = *instructions};
}

Fallible<InstantWord> parse_number(const std::string& word) {
  double number = 0;
  const char* const last = word.data() + word.size();
  const auto [end, error] = std::from_chars(word.data(), last, number, std::chars_format::fixed);
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  const bool is_number = error == std::errc{} && std::isfinite(number) && number >= 0;
  if (is_number && unit == "%") {
    if (number > 100) return Failure(word + ": the run ends at 100 %");
    return InstantWord{.kind = Kind::percent, .percent = number};
  }
  for (const Unit& each : kUnits)
    if (is_number && unit == each.name && number * each.ns <= kLatestNs)
      return InstantWord{.kind = Kind::time, .number = static_cast<u64>(std::llround(number * each.ns))};
  if (const auto event = whole_number(word)) return InstantWord{.kind = Kind::event, .number = *event};
  if (is_number && unit.empty())
    return Failure(word + ": an event has a whole number, and a time a unit: " + word + "s");
  return Failure(word + " is no instant. It is " + kInstantWords);
}

/// The last colon and what is behind it; those of C++'s names stand in pairs.
std::size_t find_count(const std::string& word) {
  const auto colon = word.rfind(':');
  const bool is_single = colon != std::string::npos && colon > 0 && word[colon - 1] != ':';
  return is_single ? colon : std::string::npos;
}

}  // namespace

Fallible<InstantWord> parse_instant(const std::string& word) {
  if (word.empty()) return Failure(std::string("which instant? ") + kInstantWords);
  for (const Keyword& each : kKeywords)
    if (word == each.word) return InstantWord{.kind = each.kind};
  if (const auto place = parse_place(word)) return *place;
  if (!begins_name(word[0])) return parse_number(word);
  InstantWord call{.kind = Kind::call, .number = 1, .function = word};
  const auto colon = find_count(word);
  if (colon == std::string::npos) return call;
  const auto number = whole_number(std::string_view(word).substr(colon + 1));
  if (!number || *number == 0) return Failure(word + ": behind the colon stands which call, from 1");
  call.number = *number;
  call.function.resize(colon);
  return call;
}

}  // namespace orrery::lens
