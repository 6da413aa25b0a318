#include "cli/first_difference.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "base/base_name.h"
#include "cli/stopped_process.h"
#include "lens/call.h"
#include "lens/stack/task_stack.h"
#include "x86/decode.h"
#include "x86/disassemble_hosted.h"

namespace orrery::cli {
namespace {

constexpr const char* kRegisterNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr u64 kFramesShown = 6;
constexpr u64 kStretchBytesMost = 1 << 16;
constexpr u64 kWordBytesMost = 60;

Fallible<Nothing> done(const Result<lens::Stop>& stop) {
  if (!stop) return Failure(stop.error());
  return Nothing{};
}

/// The kept copy of the program's file has to be the same.
bool same_file(const std::string& left, const std::string& right) {
  if (left.empty() || right.empty()) return left == right;
  std::ifstream one(left, std::ios::binary), other(right, std::ios::binary);
  using Bytes = std::istreambuf_iterator<char>;
  return one && other && std::equal(Bytes(one), Bytes(), Bytes(other), Bytes());
}

Fallible<Nothing> check_same_program(const std::array<const lens::Recording*, 2>& runs,
                                     const std::array<u32, 2>& process) {
  std::string file[2], program[2];
  for (std::size_t i = 0; i < 2; ++i) {
    auto run = lens::summarize(runs[i]->directory, runs[i]->trace, runs[i]->tree.at(process[i]));
    if (!run) return Failure(run.error());
    program[i] = run.value().program;
    for (const lens::KeptFile& each : run.value().files)
      if (each.path == run.value().image) file[i] = each.kept;
  }
  if (same_file(file[0], file[1])) return Nothing{};
  return Failure("the runs are of different programs (" + program[0] + " and " + program[1] +
                 "), or of different builds: only runs of the same one have a first difference");
}

/// One of the two runs. What is asked of it is asked in the order of its events, as far as that can be: a
/// replay only goes forward.
class RunLooker {
 public:
  RunLooker(const lens::Recording& recording, std::size_t side) : recording_(recording), side_(side) {}

  /// The event of the pair. System calls as strace shows them.
  Fallible<std::string> text_of(const std::optional<lens::EventPair>& pair) {
    if (!pair || !pair->event[side_]) return std::string();
    const trace::EventHeader& event = *pair->event[side_];
    if (event.kind == trace::EventKind::exec) return exec_text(pair->process[side_], event);
    if (event.kind != trace::EventKind::syscall) return lens::event_name(event);
    lens::ReplaySession& session = *TRY(session_of(pair->process[side_], event.number));
    while (!session.stop().ended() && session.stop().event <= event.number) {
      TRY(done(session.run_before(event.number)));
      const lens::Stop& stop = session.stop();
      const bool is_here = stop.event == event.number && stop.task == event.task &&
                           stop.ticks == event.ticks && stop.reason == machine::StopReason::system_call;
      if (is_here) return text_here(session, event);
    }
    return lens::event_name(event);
  }

  /// The session stands before the last instruction of the stretch then.
  Fallible<BranchSide> look_at(u32 process, const lens::PathDifference::Side& at) {
    lens::ReplaySession& session = *TRY(session_of(process, at.event));
    lens::ExactInstant instant{
        .process = process, .at = {.event = at.event, .task = at.task, .ticks = at.ticks}, .pc = at.stretch};
    TRY(lens::seek(session, instant));
    const std::optional<u64> pc = last_instruction(session, at.stretch, at.end);
    if (!pc) return Failure("the code at the branch cannot be read");
    if (*pc != at.stretch) {
      instant.pc = pc;
      TRY(lens::seek(session, instant));
    }
    BranchSide out{.process = process, .task = at.task, .event = at.event, .ticks = at.ticks, .pc = *pc};
    std::vector<u8> code(at.end - *pc);
    session.read(*pc, code);
    out.instruction = x86::disassemble(
                          code, *pc, [&](u64 address) { return place(session, address); }, nullptr)
                          .text;
    out.stack = lens::stack_of(session, replayed_->run.image, kFramesShown);
    if (at.to != 0) out.to = place(session, at.to);
    registers_ = session.registers();
    read_variables(session, at.task);
    return out;
  }

  // Of where look_at() looked.
  const elf::MachineRegisters& registers() const { return registers_; }
  const std::string& function() const { return function_; }
  const std::map<std::string, std::string>& variables() const { return variables_; }

 private:
  /// Path and arguments, each with a NUL behind it (trace/event.h).
  std::string exec_text(u32 process, const trace::EventHeader& event) const {
    trace::TraceReader reader(recording_.trace, process);
    trace::EventView view;
    std::string text = lens::event_name(event);
    if (!reader.seek(event.number) || reader.next(view) != trace::ReadStatus::event) return text;
    std::string word;
    for (const u8 letter : view.payload) {
      if (letter != 0)
        word += static_cast<char>(letter);
      else
        text += " " + lens::quote(std::exchange(word, {}), kWordBytesMost);
    }
    return text;
  }

  Fallible<std::string> text_here(lens::ReplaySession& session, const trace::EventHeader& event) {
    lens::Call call = lens::read_call(session);
    TRY(done(session.run_before(event.number + 1)));
    if (!session.stop().ended() && session.stop().task == event.task) lens::finish_call(session, call);
    return call.text;
  }

  /// A session with the process that stands before the event.
  Fallible<lens::ReplaySession*> session_of(u32 process, u64 event) {
    const bool serves = replayed_ && process_ == process && !replayed_->session->stop().ended() &&
                        replayed_->session->stop().event <= event && event > last_event_;
    if (!serves) {
      replayed_.reset();
      replayed_ = TRY(start_process(recording_, process));
      process_ = process;
    }
    last_event_ = event;
    return replayed_->session.get();
  }

  /// Where the last instruction of [start, end) begins; nothing if the code cannot be read.
  static std::optional<u64> last_instruction(lens::ReplaySession& session, u64 start, u64 end) {
    if (end <= start || end - start > kStretchBytesMost) return std::nullopt;
    std::vector<u8> code(end - start);
    if (session.read(start, code) != code.size()) return std::nullopt;
    for (u64 at = 0; at < code.size();) {
      const u8 length = x86::decode(std::span(code).subspan(at)).length;
      if (length == 0) return std::nullopt;
      if (at + length >= code.size()) return start + at;
      at += length;
    }
    return std::nullopt;
  }

  static std::string place(lens::ReplaySession& session, u64 address) {
    const elf::Location location = elf::locate(session.images(), address);
    char text[32];
    std::snprintf(text, sizeof text, "0x%" PRIx64, address);
    if (!location.frames.empty() && location.frames.front().source.line != 0) {
      const elf::SourceFrame& frame = location.frames.front();
      return lens::short_function(frame.function) + " (" + std::string(base_name(frame.source.file)) + ":" +
             std::to_string(frame.source.line) + ")";
    }
    if (location.symbol.empty()) return text;
    return lens::short_function(location.symbol) + "+" + std::to_string(location.symbol_offset);
  }

  /// Of the innermost function of the user's that DWARF tells the variables of.
  void read_variables(lens::ReplaySession& session, i32 task) {
    const std::vector<machine::ControlTask> tasks = session.tasks();
    const auto found =
        std::find_if(tasks.begin(), tasks.end(), [&](const auto& each) { return each.task == task; });
    if (found == tasks.end()) return;
    const lens::TaskStack stack = lens::read_stack(session, *found, {.program = replayed_->run.image});
    for (const lens::StackFrame& frame : stack.frames) {
      for (const lens::StackFunction& function : frame.functions) {
        if (!frame.users || !function.has_variables) continue;
        function_ = lens::short_function(function.function);
        for (const auto* list : {&function.variables.arguments, &function.variables.locals})
          for (const elf::Variable& each : *list) variables_.try_emplace(each.name, each.value);
        return;
      }
    }
  }

  const lens::Recording& recording_;
  std::size_t side_;
  std::unique_ptr<StoppedProcess> replayed_;
  u32 process_ = 0;
  u64 last_event_ = 0;
  elf::MachineRegisters registers_{};
  std::string function_;
  std::map<std::string, std::string> variables_;
};

std::vector<DifferentValue> different_values(const RunLooker& left, const RunLooker& right) {
  std::vector<DifferentValue> values;
  for (std::size_t i = 0; i < std::size(kRegisterNames); ++i) {
    const u64 a = left.registers().gpr[i], b = right.registers().gpr[i];
    if (a == b) continue;
    char texts[2][32];
    std::snprintf(texts[0], sizeof texts[0], "0x%" PRIx64, a);
    std::snprintf(texts[1], sizeof texts[1], "0x%" PRIx64, b);
    values.push_back({.name = kRegisterNames[i], .value = {texts[0], texts[1]}});
  }
  if (left.function() != right.function()) return values;
  for (const auto& [name, value] : left.variables()) {
    const auto other = right.variables().find(name);
    if (other == right.variables().end() || other->second == value) continue;
    values.push_back({.name = name, .function = left.function(), .value = {value, other->second}});
  }
  return values;
}

/// Of the process to be compared: that which parts, or where something else begins to differ.
const lens::EventPair* different_process(const lens::EventDifference& events) {
  for (const auto* pair : {&events.way, &events.request, &events.answer})
    if (*pair) return &**pair;
  return nullptr;
}

/// Both runs are fed the same up to the first answer that differs, so they execute the same up to there.
Fallible<std::optional<lens::PathDifference>> find_path(const std::array<const lens::Recording*, 2>& runs,
                                                        const lens::EventDifference& events) {
  const lens::EventPair* const pair = different_process(events);
  const auto tasks = pair == nullptr ? events.tasks.end() : events.tasks.find(pair->process);
  if (tasks == events.tasks.end()) return std::optional<lens::PathDifference>();
  const bool is_told = events.answer && events.answer->process == pair->process &&
                       events.answer->event[0]->kind != trace::EventKind::exec;
  std::array<std::unique_ptr<StoppedProcess>, 2> replayed;
  const auto routes = [&]() -> Fallible<std::array<lens::Route, 2>> {
    std::array<lens::Route, 2> made;
    for (std::size_t i = 0; i < 2; ++i) {
      replayed[i].reset();
      replayed[i] = TRY(start_process(*runs[i], pair->process[i]));
      made[i].session = replayed[i]->session.get();
      if (is_told) made[i].from_event = events.answer->event[i]->number;
      const bool parts = events.way && events.way->event[i];
      made[i].to_event = parts ? events.way->event[i]->number : ~u64{0};
      made[i].to_task = parts ? events.way->event[i]->task : 0;
    }
    return made;
  };
  std::optional<lens::PathDifference> first;
  for (const lens::DifferentPiece& piece : TRY(lens::find_different_pieces(TRY(routes()), tasks->second))) {
    if (first && piece.begin >= first->at) break;
    const auto found = TRY(lens::find_path_difference(TRY(routes()), piece));
    if (found && (!first || found->at < first->at)) first = found;
  }
  return first;
}

}  // namespace

Fallible<FirstDifference> find_first_difference(const std::array<std::string, 2>& directories,
                                                const std::optional<std::array<u32, 2>>& processes) {
  const lens::Recording left = TRY(lens::open_recording(directories[0]));
  const lens::Recording right = TRY(lens::open_recording(directories[1]));
  const std::array<const lens::Recording*, 2> runs{&left, &right};
  for (const lens::Recording* run : runs)
    if (run->tree.empty()) return Failure(run->directory + " has no events");
  TRY(check_same_program(
      runs, processes.value_or(std::array{left.tree.begin()->first, right.tree.begin()->first})));
  FirstDifference found{.events = TRY(lens::find_event_difference(runs, processes))};
  found.path = TRY(find_path(runs, found.events));
  RunLooker lookers[] = {RunLooker(left, 0), RunLooker(right, 1)};
  std::array<BranchSide, 2> branch;
  const auto look = [&](std::size_t i) -> Fallible<Nothing> {
    found.answer[i] = TRY(lookers[i].text_of(found.events.answer));
    found.request[i] = TRY(lookers[i].text_of(found.events.request));
    if (found.path)
      branch[i] = TRY(lookers[i].look_at(different_process(found.events)->process[i], found.path->side[i]));
    found.way[i] = TRY(lookers[i].text_of(found.events.way));
    return Nothing{};
  };
  std::optional<Fallible<Nothing>> other;
  std::thread beside([&] { other.emplace(look(1)); });
  Fallible<Nothing> looked = look(0);
  beside.join();
  TRY(std::move(looked));
  TRY(std::move(*other));
  if (found.path) {
    found.branch = branch;
    found.values = different_values(lookers[0], lookers[1]);
  }
  return found;
}

}  // namespace orrery::cli
