// The steps as a tree, parents first: how long each took, and below it what it read and made.
#include "cli/build_text.h"

#include <algorithm>
#include <map>

namespace orrery::cli {
namespace {

using lens::build::ArtefactRow;
using lens::build::InputRow;
using lens::build::StepRow;

constexpr u32 kIndentMost = 12;
constexpr std::size_t kCommandBytes = 100;

struct Placed {
  u32 step = 0;
  u32 depth = 0;
};

/// Parents before their children. Without recursion: a tree may be deep.
std::vector<Placed> in_tree_order(const std::vector<StepRow>& steps) {
  std::map<u32, std::vector<u32>> children;
  std::vector<Placed> left, order;
  for (const StepRow& step : steps)
    if (step.parent && *step.parent < step.step) children[*step.parent].push_back(step.step);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    if (!step->parent || *step->parent >= step->step) left.push_back({step->step, 0});
  while (!left.empty()) {
    const Placed at = left.back();
    left.pop_back();
    order.push_back(at);
    const auto& below = children[at.step];
    for (auto child = below.rbegin(); child != below.rend(); ++child) left.push_back({*child, at.depth + 1});
  }
  return order;
}

bool is_header(const InputRow& input) {
  return input.kind == "header" ||
         (input.kind == "text" && input.path.find("/include/") != std::string::npos);
}

class BuildText {
 public:
  BuildText(const BuildRows& rows, bool all, const Style& style, Output& out)
      : rows_(rows), all_(all), style_(style), out_(out) {
    for (const ArtefactRow& each : rows.artefacts) made_[each.step].push_back(&each);
    for (const InputRow& each : rows.inputs) read_[each.step].push_back(&each);
    for (const StepRow& each : rows.steps) end_ns_ = std::max(end_ns_, std::min(each.end_ns, rows.until_ns));
  }

  void print() {
    print_summary();
    out_.text(style_.bold("STEP  PHASE                     TIME  SHARE        CPU       PEAK  COMMAND"))
        .text("\n");
    for (const Placed& each : in_tree_order(rows_.steps))
      if (rows_.has_begun(rows_.steps[each.step])) print_step(rows_.steps[each.step], each.depth);
    print_endings();
  }

 private:
  void print_summary() {
    u64 cpu_ns = 0, begun = 0, running = 0;
    for (const StepRow& step : rows_.steps) {
      begun += rows_.has_begun(step) ? 1 : 0;
      running += rows_.is_running(step) ? 1 : 0;
      if (rows_.has_begun(step) && !rows_.is_running(step))
        cpu_ns += step.user_ns.value_or(0) + step.system_ns.value_or(0);
    }
    out_.print("{} steps in {}", begun, human_duration(end_ns_));
    if (running != 0) out_.print(", {} of them running", running);
    if (cpu_ns != 0) out_.print(", {} on processors", human_duration(cpu_ns));
    out_.print("; {} files written\n\n", rows_.artefacts.size());
  }

  void print_step(const StepRow& step, u32 depth) {
    const u32 indent = 2 * std::min(depth, kIndentMost);
    const u64 until_ns = std::min(step.end_ns, rows_.until_ns);
    const u64 time_ns = until_ns - std::min(step.start_ns, until_ns);
    const u64 percent = end_ns_ != 0 ? (100 * time_ns + end_ns_ / 2) / end_ns_ : 0;
    std::string phase = std::string(indent, ' ') + step.phase;
    phase.resize(std::max<std::size_t>(phase.size(), 18), ' ');
    const bool running = rows_.is_running(step), known = step.user_ns.has_value() && !running;
    out_.print("{:4}  {} {:>10} {:>4} % {:>10} {:>10}  ", step.step, phase, human_duration(time_ns), percent,
               known ? human_duration(*step.user_ns + step.system_ns.value_or(0)) : "-",
               known ? human_bytes(step.peak_bytes.value_or(0)) : "-");
    const bool cut = !all_ && step.command.size() > kCommandBytes;
    out_.name(cut ? step.command.substr(0, kCommandBytes) : step.command).text(cut ? " ...\n" : "\n");
    const std::string margin(indent + 8, ' ');
    if (step.merged) out_.print("{}{}\n", margin, *step.merged);
    if (running)
      out_.print("{}{}\n", margin, style_.bold("running"));
    else if (step.end != "exit 0" && step.end != "became another program")
      out_.print("{}{}\n", margin, style_.red(step.end));
    print_inputs(step.step, margin);
    for (const ArtefactRow* made : made_[step.step]) print_artefact(*made, margin);
  }

  void print_inputs(u32 step, const std::string& margin) {
    u64 headers = 0, header_bytes = 0;
    for (const InputRow* input : read_[step]) {
      if (!all_ && is_header(*input)) {
        ++headers;
        header_bytes += input->size.value_or(0);
        continue;
      }
      out_.print("{}reads  ", margin).name(input->path);
      print_facts(input->size, input->kind, input->xxh64);
      out_.text("\n");
    }
    if (headers != 0)
      out_.print("{}reads  {} header{} ({})\n", margin, headers, headers == 1 ? "" : "s",
                 human_bytes(header_bytes));
  }

  void print_artefact(const ArtefactRow& made, const std::string& margin) {
    out_.print("{}{}  ", margin, style_.green("makes")).name(made.path);
    print_facts(made.size, made.kind, made.xxh64);
    if (made.fate != "there") out_.print("  {}", made.fate);
    if (made.made_as) out_.text("  first as ").name(*made.made_as);
    out_.text("\n");
  }

  void print_facts(const std::optional<u64>& size, const std::string& kind,
                   const std::optional<std::string>& hash) {
    if (kind != "unknown") out_.print("  {}", kind);
    if (size) out_.print("  {} bytes", *size);
    if (hash) out_.text("  ").text(style_.dim(*hash));
  }

  void print_endings() {
    u64 lost = 0;
    for (const ArtefactRow& each : rows_.artefacts)
      if (each.size.value_or(0) != 0 && !each.content) ++lost;
    if (lost != 0)
      out_.print(
          "\nThe contents of {} of the files written are not kept: too large, not all seen, or no room.\n",
          lost);
  }

  const BuildRows& rows_;
  bool all_;
  const Style& style_;
  Output& out_;
  std::map<u32, std::vector<const ArtefactRow*>> made_;
  std::map<u32, std::vector<const InputRow*>> read_;
  u64 end_ns_ = 0;
};

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json step_json(const StepRow& step) {
  return {{"step", step.step},
          {"parent", or_null(step.parent)},
          {"process", step.process},
          {"phase", step.phase},
          {"merged", or_null(step.merged)},
          {"program", step.program},
          {"command", step.command},
          {"directory", step.directory},
          {"start_ns", step.start_ns},
          {"end_ns", step.end_ns},
          {"user_ns", or_null(step.user_ns)},
          {"system_ns", or_null(step.system_ns)},
          {"peak_bytes", or_null(step.peak_bytes)},
          {"end", step.end},
          {"reads", nlohmann::ordered_json::array()},
          {"makes", nlohmann::ordered_json::array()}};
}

nlohmann::ordered_json artefact_json(const ArtefactRow& made) {
  return {{"artefact", made.artefact},
          {"path", made.path},
          {"made_as", or_null(made.made_as)},
          {"kind", made.kind},
          {"size", or_null(made.size)},
          {"xxh64", or_null(made.xxh64)},
          {"content", or_null(made.content)},
          {"written_ns", made.written_ns},
          {"removed_ns", or_null(made.removed_ns)},
          {"fate", made.fate}};
}

nlohmann::ordered_json input_json(const InputRow& input) {
  return {{"path", input.path},
          {"kind", input.kind},
          {"size", or_null(input.size)},
          {"artefact", or_null(input.artefact)},
          {"xxh64", or_null(input.xxh64)},
          {"content", or_null(input.content)},
          {"known_bytes", input.known_bytes}};
}

}  // namespace

void print_build(const BuildRows& rows, bool all, const Style& style, Output& out) {
  BuildText(rows, all, style, out).print();
}

void print_build_json(const BuildRows& rows) {
  auto steps = nlohmann::ordered_json::array();
  for (const StepRow& step : rows.steps) steps.push_back(step_json(step));
  for (const ArtefactRow& made : rows.artefacts)
    if (made.step < steps.size()) steps[made.step]["makes"].push_back(artefact_json(made));
  for (const InputRow& input : rows.inputs)
    if (input.step < steps.size()) steps[input.step]["reads"].push_back(input_json(input));
  auto shown = nlohmann::ordered_json::array();
  for (const StepRow& step : rows.steps) {
    if (!rows.has_begun(step)) continue;
    shown.push_back(std::move(steps[step.step]));
    if (!rows.is_running(step)) continue;
    for (const char* unknown : {"user_ns", "system_ns", "peak_bytes"}) shown.back()[unknown] = nullptr;
    shown.back()["end_ns"] = nullptr;
    shown.back()["end"] = "running";
  }
  print_json({{"steps", shown}});
}

}  // namespace orrery::cli
