#include "cli/why_json.h"

#include <nlohmann/json.hpp>

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::Call;
using lens::FrameFact;
using lens::why::Facts;
using lens::why::Verdict;

const char* found_by(elf::FoundBy found_by) {
  switch (found_by) {
    case elf::FoundBy::registers:
      return "registers";
    case elf::FoundBy::cfi:
      return "cfi";
    case elf::FoundBy::return_address:
      return "return_address";
    case elf::FoundBy::frame_pointer:
      return "frame_pointer";
    case elf::FoundBy::scan:
      return "scan";
  }
  return "?";
}

const char* access_name(lens::why::Access access) {
  switch (access) {
    case lens::why::Access::read:
      return "read";
    case lens::why::Access::write:
      return "write";
    case lens::why::Access::execute:
      return "execute";
    case lens::why::Access::unknown:
      break;
  }
  return "unknown";
}

Json frame_json(const FrameFact& frame) {
  Json json = {{"pc", frame.pc},
               {"function", frame.function},
               {"image", frame.image},
               {"image_offset", frame.image_offset}};
  if (frame.source.line != 0) {
    json["file"] = frame.source.file;
    json["line"] = frame.source.line;
    json["column"] = frame.source.column;
  }
  if (frame.has_arguments) {
    json["arguments"] = Json::array();
    for (const elf::Variable& argument : frame.arguments) {
      json["arguments"].push_back(
          {{"name", argument.name}, {"type", argument.type}, {"value", argument.value}});
    }
  }
  json["inlined"] = frame.inlined;
  json["users_code"] = frame.users;
  json["found_by"] = found_by(frame.found_by);
  return json;
}

Json call_json(const Call& call) {
  Json json = {{"event", call.event}, {"name", call.name}, {"text", call.text}};
  json["result"] = call.returned ? Json(call.result) : Json(nullptr);
  if (!call.path.empty()) json["path"] = call.path;
  const FrameFact* frame = call.stack ? call.stack->users() : nullptr;
  if (frame) json["from"] = frame_json(*frame);
  return json;
}

Json region_json(const elf::MappedRegion& region) {
  return {
      {"start", region.start}, {"end", region.end}, {"protection", region.protection}, {"path", region.path}};
}

Json fault_json(const lens::why::Fault& fault) {
  Json json = {{"signal", lens::why::signal_name(fault.signal)},
               {"code", fault.code},
               {"access", access_name(fault.access)}};
  if (fault.address_known) json["address"] = fault.address;
  if (fault.region) json["region"] = region_json(*fault.region);
  if (fault.below) json["region_below"] = region_json(*fault.below);
  if (fault.above) json["region_above"] = region_json(*fault.above);
  if (fault.unmapped_by) json["unmapped_by"] = call_json(*fault.unmapped_by);
  return json;
}

Json registers_json(const elf::MachineRegisters& registers) {
  Json json;
  for (int i = 0; i < 16; ++i) json[lens::register_name(i)] = registers.gpr[i];
  json["rip"] = registers.rip;
  json["rflags"] = registers.rflags;
  json["fs_base"] = registers.fs_base;
  json["gs_base"] = registers.gs_base;
  return json;
}

template <class Items, class ToJson>
Json list(const Items& items, const ToJson& to_json) {
  Json json = Json::array();
  for (const auto& item : items) json.push_back(to_json(item));
  return json;
}

Json process_json(const lens::why::ProcessFact& process) {
  return {
      {"process", process.process}, {"pid", process.pid}, {"command", process.command}, {"end", process.end}};
}

const char* waits_name(lens::why::Waits waits) {
  constexpr const char* kNames[] = {"nothing", "lock",   "read lock", "write lock", "condition",  "semaphore",
                                    "barrier", "word",   "thread",    "child",      "descriptor", "readiness",
                                    "timer",   "signal", "file lock", "call"};
  return kNames[static_cast<u32>(waits)];
}

Json task_json(const lens::why::TaskFact& task) {
  Json json = {
      {"process", task.process},         {"pid", task.pid},          {"task", task.task}, {"name", task.name},
      {"waits", waits_name(task.waits)}, {"for_ever", task.for_ever}};
  if (!task.call.empty()) json["call"] = task.call;
  if (!task.object.empty()) json["object"] = task.object;
  if (task.other != 0) json["other"] = task.other;
  if (task.fd >= 0) json["fd"] = task.fd;
  json["stack"] = list(task.stack.inner, frame_json);
  return json;
}

}  // namespace

std::string why_json(const Verdict& verdict, const Facts& facts) {
  Json json = {{"category", lens::why::name_of(verdict.category)},
               {"headline", verdict.headline},
               {"sentences", verdict.sentences}};
  json["recording"] = facts.run.directory;
  json["process"] = facts.run.process;
  json["pid"] = facts.run.pid;
  json["program"] = facts.run.program;
  json["arguments"] = facts.run.arguments;
  if (facts.run.ended && facts.run.signal == 0) json["exit_status"] = facts.run.status;
  if (facts.run.signal != 0) json["signal"] = lens::why::signal_name(facts.run.signal);
  if (verdict.place) json["place"] = frame_json(*verdict.place);
  if (facts.fault) json["fault"] = fault_json(*facts.fault);
  if (facts.replayed) {
    json["task"] = facts.stop.task;
    json["event"] = facts.stop.event;
    json["ticks"] = facts.stop.ticks;
    json["frames_total"] = facts.stack.frames_total;
    json["stack"] = list(facts.stack.inner, frame_json);
    json["stack_outermost"] = list(facts.stack.outer, frame_json);
    json["registers"] = registers_json(facts.registers);
  }
  json["blaming"] = list(facts.blaming, process_json);
  json["crashed"] = list(facts.crashed, process_json);
  if (facts.native) json["native"] = process_json(*facts.native);
  if (!facts.tasks.empty()) {
    json["tasks"] = list(facts.tasks, task_json);
    json["other_tasks"] = list(facts.others, task_json);
  }
  json["failing_calls"] = list(verdict.failing_calls, call_json);
  json["stderr"] = list(verdict.words, [](const lens::why::Words& words) {
    Json one = {{"text", words.text}};
    if (words.writer) one["written_by"] = frame_json(*words.writer);
    return one;
  });
  json["calls"] = list(facts.calls, call_json);
  json["hints"] = list(verdict.hints, [](const lens::why::Hint& hint) {
    return Json{{"command", hint.command}, {"shows", hint.shows}};
  });
  // The guest's bytes need not be UTF-8; what is not is replaced.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace orrery::cli
