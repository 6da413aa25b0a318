// `orrery origin EXPRESSION [REC] --at INSTANT`: where a value came from, step by step, back to what made it.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/base_name.h"
#include "base/hexadecimal_hosted.h"
#include "cli/at_option.h"
#include "cli/command.h"
#include "cli/process_option.h"
#include "cli/recording_text.h"
#include "cli/stopped_process.h"
#include "cli/style.h"
#include "lens/difference/event_difference.h"
#include "lens/origin/instruction_source.h"
#include "lens/origin/value_origin.h"
#include "lens/stack/task_stack.h"

namespace orrery::cli {
namespace {

using lens::OriginKind;
using lens::OriginStep;
using lens::ValuePlace;

struct OriginOptions {
  std::string expression{}, recording{}, at{}, process{};
  i32 task = 0;
  bool all = false, json = false;
};

struct KindWords {
  const char* name;   ///< in JSON
  const char* words;  ///< what the instruction did, going forward
};
constexpr KindWords kKinds[] = {
    {"copied", "copied from"},
    {"loaded", "loaded from"},
    {"stored", "stored from"},
    {"saved", "saved on the stack from"},
    {"restored", "restored from"},
    {"changed", "changed by a constant, from"},
    {"constant", "it is a constant there"},
    {"address", "it is an address that is made there"},
    {"computed", "it is computed there"},
    {"allocated", "it was given by the allocator"},
    {"system_call", "the kernel wrote or returned it"},
    {"untouched", "nobody wrote it: it is as its memory began"},
    {"unknown", "it cannot be followed further"},
};
const KindWords& words_of(OriginKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

/// "0x7ffd1000" or "0x7ffd1000:4", also with a * before.
std::optional<ValuePlace> address_of(std::string words) {
  if (words.starts_with("*")) words.erase(0, 1);
  if (!words.starts_with("0x")) return std::nullopt;
  ValuePlace place;
  const char* const past = words.data() + words.size();
  const auto address = std::from_chars(words.data() + 2, past, place.address, 16);
  if (address.ec != std::errc() || address.ptr == words.data() + 2) return std::nullopt;
  if (address.ptr == past) return place;
  if (*address.ptr != ':') return std::nullopt;
  const auto size = std::from_chars(address.ptr + 1, past, place.size_bytes);
  const bool is_size =
      size.ec == std::errc() && size.ptr == past && place.size_bytes >= 1 && place.size_bytes <= 8;
  return is_size ? std::optional(place) : std::nullopt;
}

/// A variable of the innermost frame that has one of that name.
Fallible<ValuePlace> find_variable(StoppedProcess& stopped, const machine::ControlTask& task,
                                   const std::string& name) {
  const lens::TaskStack stack = lens::read_stack(*stopped.session, task, {.program = program_of(stopped)});
  for (const lens::StackFrame& frame : stack.frames)
    for (const lens::StackFunction& function : frame.functions)
      for (const auto* list : {&function.variables.locals, &function.variables.arguments})
        for (const elf::Variable& each : *list) {
          if (each.name != name) continue;
          const u64 size_bytes = each.size_bytes >= 1 && each.size_bytes <= 8 ? each.size_bytes : 8;
          if (each.address) return ValuePlace{.address = *each.address, .size_bytes = size_bytes};
          const std::string reg = lens::whole_register(each.place);
          if (!reg.empty() && frame.index == 0) return ValuePlace{.reg = reg, .size_bytes = size_bytes};
          return Failure(name + " of " + function.function + " has no place there: " + each.value);
        }
  return Failure("there is no register, address or variable " + name +
                 " there; an address is written 0xADDRESS or 0xADDRESS:BYTES");
}

Fallible<ValuePlace> find_place(StoppedProcess& stopped, const OriginOptions& options) {
  const std::vector<machine::ControlTask> tasks = stopped.session->tasks();
  const auto task = std::find_if(tasks.begin(), tasks.end(), [&](const machine::ControlTask& each) {
    return options.task == 0 ? each.task == stopped.session->stop().task : each.task == options.task;
  });
  if (task == tasks.end()) return Failure("there is no such task at that instant; see orrery show stack");
  std::optional<ValuePlace> place = address_of(options.expression);
  if (!place) {
    const std::string reg = lens::whole_register(options.expression);
    place = reg.empty() ? TRY(find_variable(stopped, *task, options.expression)) : ValuePlace{.reg = reg};
  }
  place->task = task->task;
  return *place;
}

std::string place_words(const ValuePlace& place) {
  if (!place.is_memory())
    return place.reg + (place.address == 0 ? "" : "[" + std::to_string(place.address) + "]");
  return hexadecimal(place.address) + (place.size_bytes == 8 ? "" : ":" + std::to_string(place.size_bytes));
}

/// "answer of read, event 12": what the kernel wrote, no instruction did.
std::string kernel_words(const lens::Recording& recording, u32 process, const OriginStep& step) {
  trace::TraceReader reader(recording.trace, process);
  trace::EventView view;
  const bool has_event = reader.seek(step.event) && reader.next(view) == trace::ReadStatus::event;
  return "answer of " + (has_event ? lens::event_name(*view.header) : std::string("a call")) + ", event " +
         std::to_string(step.event);
}

std::string where(const OriginStep& step) {
  const std::string function =
      step.function.empty() ? hexadecimal(step.pc) : lens::short_function(step.function);
  if (step.line != 0)
    return function + " (" + std::string(base_name(step.file)) + ":" + std::to_string(step.line) + ")";
  return function + (step.image.empty() ? "" : " [" + std::string(base_name(step.image)) + "]");
}

/// What moves registers out of the way of a call tells nobody anything.
bool is_shown(const OriginStep& step, bool all) {
  return all || (step.kind != OriginKind::saved && step.kind != OriginKind::restored);
}

std::string instant_of(const OriginStep& step) {
  return std::to_string(step.event) + "+" + std::to_string(step.ticks);
}

std::string text_of(const std::vector<OriginStep>& steps, const OriginOptions& options, const Style& style) {
  std::string out = style.bold("where " + printable(options.expression) + " came from") + ", going back\n";
  i32 task = steps.empty() ? 0 : steps.front().task;
  u64 left_out = 0;
  for (const OriginStep& step : steps) {
    if (!is_shown(step, options.all)) {
      ++left_out;
      continue;
    }
    if (step.task != task) out += "  --- task " + std::to_string(step.task) + " ---\n";
    task = step.task;
    const bool is_end = lens::is_end(step.kind);
    const std::string words =
        std::string(words_of(step.kind).words) + (is_end ? "" : " " + place_words(step.from));
    out += "  " + (is_end ? style.bold(words) : words) + "\n      " +
           (step.pc == 0 ? "" : "in " + printable(where(step)) + "   ") + step.instruction + "   at " +
           instant_of(step) + "\n";
  }
  if (left_out != 0)
    out += "  (" + std::to_string(left_out) + " steps that only saved and restored it around calls: --all)\n";
  if (!steps.empty()) out += "look closer: orrery show stack --at " + instant_of(steps.back()) + "\n";
  return out;
}

nlohmann::ordered_json json_of(const std::vector<OriginStep>& steps) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const OriginStep& step : steps) {
    nlohmann::ordered_json from = nullptr;
    if (!lens::is_end(step.kind)) {
      from = {{"register", nullptr}, {"address", nullptr}, {"size_bytes", step.from.size_bytes}};
      (step.from.is_memory() ? from["address"] : from["register"]) =
          step.from.is_memory() ? nlohmann::ordered_json(step.from.address)
                                : nlohmann::ordered_json(step.from.reg);
    }
    list.push_back({{"kind", words_of(step.kind).name},
                    {"task", step.task},
                    {"event", step.event},
                    {"ticks", step.ticks},
                    {"pc", step.pc},
                    {"instruction", step.instruction},
                    {"function", step.function},
                    {"file", step.file},
                    {"line", step.line},
                    {"object", step.image},
                    {"from", from}});
  }
  return list;
}

Fallible<Nothing> run(const OriginOptions& options, const Session& session) {
  const auto directory = find_recording(options.recording);
  if (!directory) return Failure("no such recording: " + options.recording);
  std::set<u32> processes;
  if (!options.process.empty()) {
    const lens::Recording recording = TRY(lens::open_recording(*directory));
    processes = choose_processes(pids_of(recording.tree), options.process);
    if (processes.empty()) return Failure("no such process");
  }
  std::shared_ptr<StoppedProcess> stopped = TRY(stop_at(*directory, options.at, processes));
  const ValuePlace place = TRY(find_place(*stopped, options));
  lens::ExactInstant at = stopped->instant;
  // Where it stands now: a replay is brought there again.
  at.at.task = stopped->session->stop().task;
  at.at.ticks = stopped->session->stop().ticks;
  at.pc = stopped->session->stop().pc;
  const u32 process = at.process;
  const auto start = [&]() -> Fallible<lens::ReplaySession*> {
    stopped->session.reset();
    stopped->replay.reset();
    const lens::ExactInstant instant = stopped->instant;
    stopped = TRY(start_process(stopped->recording, process));
    stopped->instant = instant;
    return stopped->session.get();
  };
  std::vector<OriginStep> steps = TRY(lens::find_origin(start, at, place));
  for (OriginStep& step : steps)
    if (step.kind == OriginKind::system_call && step.pc == 0)
      step.instruction = kernel_words(stopped->recording, process, step);
  if (options.json)
    print_json({{"instant", instant_json(stopped->instant)}, {"steps", json_of(steps)}});
  else
    std::printf("%s", text_of(steps, options, Style::for_stream(session.color, STDOUT_FILENO)).c_str());
  return Nothing{};
}

}  // namespace

void add_origin(Arguments app, Session& session) {
  auto options = std::make_shared<OriginOptions>();
  const Arguments command = app.command(
      "origin", "Where a value came from: through copies, memory and threads, back to what made it");
  command
      .option("EXPRESSION", options->expression,
              "A register (rax), memory (0xADDRESS or 0xADDRESS:BYTES) or a variable of the stack")
      .required();
  add_recording_option(command, options->recording);
  add_at_option(command, options->at);
  command.option("-p,--process", options->process, kProcessWords);
  command.option("-t,--task", options->task, "Whose register or variable; else of the task that runs");
  command.flag("--all", options->all, "Also the steps that save and restore registers around calls");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples(
      "  orrery origin rdi --at crash         who made the bad pointer?\n"
      "  orrery origin count --at 'check:3'   the variable at the third call of check\n"
      "  orrery origin 0x4040a0:4 --at end\n");
  command.run([options, &session] {
    if (auto done = run(*options, session); !done)
      session.exit_code = complain(printable(done.error().sentence));
  });
}

}  // namespace orrery::cli
