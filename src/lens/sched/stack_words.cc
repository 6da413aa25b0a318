#include "lens/sched/stack_words.h"

#include <span>

#include "base/base_name.h"
#include "base/hexadecimal_hosted.h"
#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "lens/code_place.h"
#include "lens/task_machine.h"

namespace orrery::lens::sched {
namespace {

constexpr std::size_t kUsersFramesMost = 4;

std::string source_words(const elf::SourceLine& source) {
  if (source.line == 0) return "";
  return " (" + std::string(base_name(source.file)) + ":" + std::to_string(source.line) + ")";
}

}  // namespace

const StackWords::Words& StackWords::frame(ReplaySession& session, u64 lookup_pc) {
  const auto known = words_.find(lookup_pc);
  if (known != words_.end()) return known->second;
  const elf::Location location = elf::locate(session.images(), lookup_pc);
  Words words;
  if (location.image != nullptr)
    words.users = location.image->path == program_ || !is_system_file(location.image->path);
  // Of the system's the function that was called says more than what is inlined into it.
  const std::size_t first = words.users || location.frames.empty() ? 0 : location.frames.size() - 1;
  for (const elf::SourceFrame& each : std::span(location.frames).subspan(first)) {
    const std::string name = each.function.empty() ? location.symbol : each.function;
    words.text += (words.text.empty() ? "" : " < ") + short_function(name) +
                  (words.users ? source_words(each.source) : "");
  }
  if (words.text.empty()) words.text = short_function(location.symbol);
  if (words.text.empty())
    words.text = location.image != nullptr
                     ? std::string(base_name(location.image->path)) + "+" + hexadecimal(location.image_offset)
                     : hexadecimal(lookup_pc);
  return words_.emplace(lookup_pc, std::move(words)).first->second;
}

std::string StackWords::stack_of(ReplaySession& session, i32 task) {
  const auto registers = session.registers_of(task);
  if (!registers) return "";
  TaskMachine machine(session, task, *registers);
  const elf::Stack stack = elf::unwind(machine, session.images());
  std::string text, systems;
  std::size_t users = 0;
  for (const elf::Frame& each : stack.frames) {
    const Words& words = frame(session, each.lookup_pc());
    if (!words.users) {
      if (users == 0) systems = words.text;
      continue;
    }
    if (users == 0) text = systems;
    text += (text.empty() ? "" : " < ") + words.text;
    if (++users == kUsersFramesMost) break;
  }
  return users == 0 ? systems : text;
}

std::string StackWords::name_of(ReplaySession& session, u64 address) {
  const elf::Location location = elf::locate(session.images(), address);
  if (location.image != nullptr && !location.symbol.empty())
    return location.symbol +
           (location.symbol_offset == 0 ? "" : "+" + std::to_string(location.symbol_offset));
  const elf::MappedRegion* const region = session.find_region(address);
  const std::string where = region == nullptr ? "" : std::string(base_name(region->path));
  return (where.empty() ? "" : where + " ") + hexadecimal(address);
}

}  // namespace orrery::lens::sched
