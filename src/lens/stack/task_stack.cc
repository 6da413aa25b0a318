#include "lens/stack/task_stack.h"

#include <sys/mman.h>

#include <algorithm>

#include "lens/code_place.h"
#include "lens/stack/slots.h"
#include "lens/task_machine.h"

namespace orrery::lens {
namespace {

constexpr u64 kOuterShown = 8;
/// Longer values do not fit beside a word of the stack.
constexpr u64 kValueBytesMost = 28;

bool is_code(elf::StoppedMachine& machine, u64 pc) {
  const elf::MappedRegion* region = machine.find_region(pc);
  return region != nullptr && (region->protection & PROT_EXEC) != 0;
}

class Reader {
 public:
  Reader(ReplaySession& session, const machine::ControlTask& task, const StackWanted& wanted)
      : machine_(session, task), images_(session.images()), wanted_(wanted) {
    stack_ = elf::unwind(machine_, images_);
    // Past the innermost frame, a pc that is no code was put there by a stray write, or guessed wrongly.
    for (u64 i = 1; i < stack_.frames.size(); ++i) {
      if (is_code(machine_, stack_.frames[i].pc)) continue;
      stack_.frames.resize(i);
      stack_.complete = false;
    }
  }

  TaskStack read(const machine::ControlTask& task) {
    TaskStack out{.task = task, .frames_total = stack_.frames.size(), .complete = stack_.complete};
    const u64 stack_pointer = machine_.registers().gpr[elf::kRspIndex];
    if (const elf::MappedRegion* region = machine_.find_region(stack_pointer)) out.region = *region;
    const u64 total = stack_.frames.size();
    for (u64 i = 0; i < total; ++i)
      if (is_wanted(i, total)) out.frames.push_back(read_frame(i));
    if (!wanted_.slots) return out;
    const PlacedVariables placed = place_variables(out);
    for (StackFrame& frame : out.frames)
      read_slots(machine_, images_, stack_.frames[frame.index], placed, frame);
    return out;
  }

 private:
  bool is_wanted(u64 index, u64 total) const {
    if (wanted_.frame) return index == *wanted_.frame;
    const bool all = total <= wanted_.frames_most + kOuterShown;
    return all || index < wanted_.frames_most || index + kOuterShown >= total;
  }

  StackFrame read_frame(u64 index) {
    const elf::Frame& frame = stack_.frames[index];
    const elf::Location location = elf::locate(images_, frame.lookup_pc());
    StackFrame out{.index = index,
                   .pc = frame.pc,
                   .pc_is_exact = frame.pc_is_exact,
                   .stack_pointer = frame.registers[elf::kDwarfRsp].value_or(0),
                   .cfa = frame.cfa,
                   .signal_frame = frame.signal_frame,
                   .found_by = frame.found_by};
    if (location.image) {
      out.image = location.image->path;
      out.image_offset = frame.pc - location.image->bias;
      out.users = out.image == wanted_.program || !is_system_file(out.image);
    }
    add_functions(index, location, out);
    out.tail_callers = elf::tail_callers_of(machine_, images_, stack_, index);
    return out;
  }

  void add_functions(u64 index, const elf::Location& location, StackFrame& out) {
    const u64 past = out.pc_is_exact ? 0 : 1;  // what was looked up is the byte before
    const StackFunction outermost{.function = location.symbol,
                                  .function_offset = location.symbol_offset + past};
    if (location.frames.empty()) {
      out.functions.push_back(outermost);
      return;
    }
    std::vector<elf::FunctionVariables> variables =
        elf::variables_of(machine_, images_, stack_, index, elf::Detail::full);
    for (u64 i = 0; i < location.frames.size(); ++i) {
      const elf::SourceFrame& source = location.frames[i];
      StackFunction one = outermost;
      if (!source.function.empty()) one.function = source.function;
      one.source = source.source;
      one.inlined = source.inlined;
      one.has_variables = i < variables.size();
      if (one.has_variables) one.variables = std::move(variables[i]);
      out.functions.push_back(std::move(one));
    }
  }

  /// Also those of the frame's callee, whose arguments may lie in the frame.
  PlacedVariables place_variables(const TaskStack& out) {
    PlacedVariables placed;
    const auto add = [&](const StackFrame& frame) {
      for (const StackFunction& function : frame.functions)
        for (const auto* list : {&function.variables.locals, &function.variables.arguments})
          for (const elf::Variable& each : *list)
            if (each.address && each.size_bytes != 0)
              placed.insert({*each.address,
                             {.end = *each.address + each.size_bytes,
                              .frame = frame.index,
                              .name = each.name,
                              .function = short_function(function.function),
                              .value = each.value.size() <= kValueBytesMost ? each.value : ""}});
    };
    for (const StackFrame& frame : out.frames) add(frame);
    if (wanted_.frame && *wanted_.frame > 0 && *wanted_.frame < stack_.frames.size())
      add(read_frame(*wanted_.frame - 1));
    return placed;
  }

  TaskMachine machine_;
  const elf::Images& images_;
  const StackWanted& wanted_;
  elf::Stack stack_;
};

}  // namespace

TaskStack read_stack(ReplaySession& session, const machine::ControlTask& task, const StackWanted& wanted) {
  return Reader(session, task, wanted).read(task);
}

}  // namespace orrery::lens
