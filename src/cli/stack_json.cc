#include "cli/stack_json.h"

#include "cli/task_words.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json variables_json(const std::vector<elf::Variable>& variables) {
  Json list = Json::array();
  for (const elf::Variable& each : variables)
    list.push_back({{"name", each.name},
                    {"type", each.type},
                    {"value", each.value},
                    {"address", or_null(each.address)},
                    {"size_bytes", each.size_bytes},
                    {"register", each.place.empty() ? Json() : Json(each.place)},
                    {"pointer", or_null(each.pointer)},
                    {"line", each.line == 0 ? Json() : Json(each.line)},
                    {"block_depth", each.depth}});
  return list;
}

Json function_json(const lens::StackFunction& function) {
  const elf::SourceLine& source = function.source;
  Json json = {{"function", function.function.empty() ? Json() : Json(function.function)},
               {"offset", function.function.empty() ? Json() : Json(function.function_offset)},
               {"file", source.line == 0 ? Json() : Json(source.file)},
               {"line", source.line == 0 ? Json() : Json(source.line)},
               {"column", source.column == 0 ? Json() : Json(source.column)},
               {"inlined", function.inlined},
               {"has_variables", function.has_variables},
               {"arguments", variables_json(function.variables.arguments)},
               {"locals", variables_json(function.variables.locals)}};
  return json;
}

const char* found_by(elf::FoundBy how) {
  constexpr const char* kWords[] = {"registers", "cfi", "return_address", "frame_pointer", "scan"};
  return kWords[static_cast<u8>(how)];
}

const char* kind_name(lens::SlotKind kind) {
  constexpr const char* kWords[] = {"unknown", "return_address", "saved_register", "canary", "variable"};
  return kWords[static_cast<u8>(kind)];
}

Json slots_json(const lens::StackFrame& frame) {
  Json list = Json::array();
  for (const lens::StackSlot& slot : frame.slots)
    list.push_back({{"address", slot.address},
                    {"value", slot.readable ? Json(slot.value) : Json()},
                    {"kind", kind_name(slot.kind)},
                    {"words", slot.words},
                    {"leads_to", slot.leads_to},
                    {"red_zone", slot.in_red_zone}});
  return list;
}

Json frame_json(const lens::StackFrame& frame) {
  Json functions = Json::array();
  for (const lens::StackFunction& function : frame.functions) functions.push_back(function_json(function));
  return {{"frame", frame.index},
          {"pc", frame.pc},
          {"sp", frame.stack_pointer},
          {"cfa", or_null(frame.cfa)},
          {"found_by", found_by(frame.found_by)},
          {"signal_frame", frame.signal_frame},
          {"image", frame.image.empty() ? Json() : Json(frame.image)},
          {"image_offset", frame.image.empty() ? Json() : Json(frame.image_offset)},
          {"users", frame.users},
          {"functions", functions},
          {"tail_callers", frame.tail_callers},
          {"slots", slots_json(frame)},
          {"slots_left_out", frame.slots_left_out}};
}

}  // namespace

Json stack_json(const lens::TaskStack& stack) {
  const std::string call = task_call(stack.task);
  Json frames = Json::array(), region;
  for (const lens::StackFrame& frame : stack.frames) frames.push_back(frame_json(frame));
  if (stack.region)
    region = {{"start", stack.region->start}, {"end", stack.region->end}, {"name", stack.region->path}};
  return {{"task", stack.task.task},
          {"name", task_name(stack.task)},
          {"state", task_state(stack.task.state)},
          {"call", call.empty() ? Json() : Json(call)},
          {"region", region},
          {"frames_total", stack.frames_total},
          {"complete", stack.complete},
          {"frames", frames}};
}

}  // namespace orrery::cli
