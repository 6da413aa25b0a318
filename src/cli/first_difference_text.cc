// What `orrery compare` prints of the first difference.
#include "base/base_name.h"
#include "cli/columns.h"
#include "cli/first_difference.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using lens::EventPair;
using Texts = std::array<std::string, 2>;

constexpr std::size_t kValuesShown = 16;
constexpr u64 kTextColumnsMost = 110;

std::string line_of(const Texts& texts, const char* none) {
  std::string out;
  for (std::size_t i = 0; i < 2; ++i)
    out += std::string("    ") + (i == 0 ? "A  " : "B  ") +
           (texts[i].empty() ? none : printable(cut(texts[i], kTextColumnsMost))) + "\n";
  return out;
}

std::string numbers(const EventPair& pair) {
  const auto number = [&](std::size_t i) {
    return pair.event[i] ? "event " + std::to_string(pair.event[i]->number) : std::string("no event");
  };
  return number(0) == number(1) ? number(0) : number(0) + " and " + number(1);
}

std::string task_words(const EventPair& pair) {
  if (pair.process[0] == 0 && pair.process[1] == 0) return "";
  return " of process #" + std::to_string(pair.process[0]) +
         (pair.process[0] == pair.process[1] ? "" : " and #" + std::to_string(pair.process[1]));
}

std::string stack_words(const lens::StackFact& stack) {
  std::string out;
  for (const lens::FrameFact& frame : stack.inner) {
    std::string name =
        frame.function.empty() ? std::string(base_name(frame.image)) : lens::short_function(frame.function);
    if (frame.source.line != 0)
      name +=
          " (" + std::string(base_name(frame.source.file)) + ":" + std::to_string(frame.source.line) + ")";
    out += (out.empty() ? "" : " < ") + name;
  }
  return printable(out);
}

std::string answers_words(const lens::EventDifference& events) {
  std::string out;
  for (const auto& [name, count] : events.answers)
    out += (out.empty() ? "" : ", ") + name + " " + std::to_string(count);
  return out;
}

std::string branch_text(const FirstDifference& found) {
  const std::array<BranchSide, 2>& sides = *found.branch;
  const Texts stacks{stack_words(sides[0].stack), stack_words(sides[1].stack)};
  std::string out = "  the branch   " + printable(sides[0].instruction) + "\n    in " + stacks[0] + "\n";
  if (stacks[1] != stacks[0]) out += "    B: in " + stacks[1] + "\n";
  Texts ways;
  for (std::size_t i = 0; i < 2; ++i)
    ways[i] = sides[i].to.empty() ? "the run ends there" : "goes on at " + sides[i].to;
  out += line_of(ways, "");
  if (found.values.empty()) return out;
  out += "  what differs there\n";
  for (std::size_t i = 0; i < std::min(found.values.size(), kValuesShown); ++i) {
    const DifferentValue& value = found.values[i];
    const std::string name = value.name + (value.function.empty() ? "" : " of " + value.function);
    out += "    " + printable(name) + std::string(name.size() < 24 ? 24 - name.size() : 1, ' ') + "A " +
           printable(cut(value.value[0], 40)) + "   B " + printable(cut(value.value[1], 40)) + "\n";
  }
  if (found.values.size() > kValuesShown)
    out += "    and " + std::to_string(found.values.size() - kValuesShown) + " more, see --json\n";
  return out;
}

std::string commands(const FirstDifference& found, const Texts& names) {
  std::string out = "  look closer\n";
  for (std::size_t i = 0; i < 2; ++i) {
    const BranchSide& side = (*found.branch)[i];
    const u32 process = side.process;
    out += "    orrery show stack " + printable(names[i]) + " --at " + std::to_string(side.event) + "+" +
           std::to_string(side.ticks) + (process == 0 ? "" : " -p '#" + std::to_string(process) + "'") + "\n";
  }
  return out;
}

nlohmann::ordered_json text_json(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

nlohmann::ordered_json pair_json(const std::optional<EventPair>& pair, const Texts& texts) {
  if (!pair) return nullptr;
  nlohmann::ordered_json sides = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < 2; ++i) {
    nlohmann::ordered_json side{{"process", pair->process[i]}, {"task", pair->task[i]}};
    side["event"] = pair->event[i] ? nlohmann::ordered_json(pair->event[i]->number) : nullptr;
    side["ticks"] = pair->event[i] ? nlohmann::ordered_json(pair->event[i]->ticks) : nullptr;
    side["text"] = texts[i];
    sides.push_back(side);
  }
  return sides;
}

nlohmann::ordered_json branch_json(const FirstDifference& found) {
  if (!found.branch) return nullptr;
  nlohmann::ordered_json sides = nlohmann::ordered_json::array();
  for (const BranchSide& side : *found.branch) {
    nlohmann::ordered_json frames = nlohmann::ordered_json::array();
    for (const lens::FrameFact& frame : side.stack.inner)
      frames.push_back({{"pc", frame.pc},
                        {"function", frame.function},
                        {"file", frame.source.file},
                        {"line", frame.source.line},
                        {"object", frame.image}});
    sides.push_back({{"process", side.process},
                     {"task", side.task},
                     {"event", side.event},
                     {"ticks", side.ticks},
                     {"pc", side.pc},
                     {"instruction", side.instruction},
                     {"goes_on_at", text_json(side.to)},
                     {"stack", frames}});
  }
  return sides;
}

}  // namespace

std::string first_difference_text(const FirstDifference& found, const Texts& names, const Style& style) {
  const lens::EventDifference& events = found.events;
  std::string out = style.bold("first difference") + "\n";
  if (!events.way)
    out += "  none in their ways: all " + std::to_string(events.common_events) +
           " events of both are the same, with equally many ticks before each\n";
  if (events.answer) {
    out +=
        "  the first answer that differs, at " + numbers(*events.answer) + task_words(*events.answer) + "\n";
    out += line_of(found.answer, "");
  }
  if (!events.answers.empty())
    out += "  all answers that differ before they part: " + answers_words(events) + "\n";
  if (events.request) {
    out += "  the first thing asked that differs, at " + numbers(*events.request) +
           task_words(*events.request) + "\n";
    out += line_of(found.request, "");
  }
  if (!events.way) return found.branch ? out + branch_text(found) + commands(found, names) : out;
  out += "  they part behind " + std::to_string(events.common_events) + " events, before " +
         numbers(*events.way) + task_words(*events.way) + "\n";
  out += line_of(found.way, "nothing more");
  if (found.branch) return out + branch_text(found) + commands(found, names);
  return out + "  up to there both executed the same code\n";
}

nlohmann::ordered_json first_difference_json(const FirstDifference& found) {
  nlohmann::ordered_json values = nlohmann::ordered_json::array();
  for (const DifferentValue& value : found.values)
    values.push_back({{"name", value.name},
                      {"function", text_json(value.function)},
                      {"a", value.value[0]},
                      {"b", value.value[1]}});
  return {{"common_events", found.events.common_events},
          {"parts_at", pair_json(found.events.way, found.way)},
          {"branch", branch_json(found)},
          {"common_lines", found.path ? nlohmann::ordered_json(found.path->common_lines) : nullptr},
          {"values", values},
          {"request", pair_json(found.events.request, found.request)},
          {"answer", pair_json(found.events.answer, found.answer)},
          {"answers", found.events.answers}};
}

}  // namespace orrery::cli
