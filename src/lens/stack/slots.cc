#include "lens/stack/slots.h"

#include <sys/mman.h>

#include "base/base_name.h"
#include "lens/code_place.h"

namespace orrery::lens {
namespace {

/// Of a frame that is larger, the words in the midst are left out.
constexpr u64 kSlotsMost = 1024;
constexpr u64 kSlotsAtEnds = 64;
constexpr u64 kRedZoneBytes = 128;  // System V ABI, 3.2.2
/// Where glibc and musl keep the stack protector's value (tcbhead_t).
constexpr u64 kCanaryOffset = 0x28;

constexpr const char* kNames[elf::kDwarfRegisters] = {"rax", "rdx", "rcx", "rbx", "rsi",           "rdi",
                                                      "rbp", "rsp", "r8",  "r9",  "r10",           "r11",
                                                      "r12", "r13", "r14", "r15", "return address"};

class SlotReader {
 public:
  SlotReader(TaskMachine& machine, const elf::Images& images, const elf::Frame& frame,
             const PlacedVariables& variables, u64 index)
      : machine_(machine), images_(images), frame_(frame), variables_(variables), index_(index) {
    machine_.read_value(machine_.registers().fs_base + kCanaryOffset, canary_);
  }

  /// The lowest variable of an innermost frame may lie below the stack pointer.
  u64 lowest(u64 stack_pointer) const {
    if (index_ != 0) return stack_pointer;
    const auto first = variables_.lower_bound(stack_pointer - kRedZoneBytes);
    return first == variables_.end() ? stack_pointer : std::min(first->first & ~u64{7}, stack_pointer);
  }

  StackSlot read(u64 address, u64 stack_pointer) {
    StackSlot slot{.address = address, .in_red_zone = address < stack_pointer};
    slot.readable = machine_.read_value(address, slot.value);
    if (!slot.readable) return slot;
    name(slot);
    if (slot.kind != SlotKind::canary) slot.leads_to = target(slot.value);
    return slot;
  }

 private:
  void name(StackSlot& slot) {
    for (u64 i = 0; i < frame_.saved_at.size(); ++i) {
      if (frame_.saved_at[i] != slot.address) continue;
      const bool returns = i == elf::kDwarfPc;
      slot.kind = returns ? SlotKind::return_address : SlotKind::saved_register;
      slot.words = returns ? kNames[i] : std::string("saved ") + kNames[i];
      return;
    }
    name_variables(slot);
    if (slot.kind != SlotKind::unknown || canary_ == 0 || slot.value != canary_) return;
    slot.kind = SlotKind::canary;
    slot.words = "canary";
  }

  void name_variables(StackSlot& slot) {
    for (const auto& [address, variable] : variables_) {
      if (address >= slot.address + 8) break;
      if (variable.end <= slot.address) continue;
      slot.kind = SlotKind::variable;
      std::string words = variable.name;
      if (variable.frame != index_) words += " of " + variable.function;
      if (address < slot.address) words += "+" + std::to_string(slot.address - address);
      if (address >= slot.address && !variable.value.empty()) words += " = " + variable.value;
      slot.words += (slot.words.empty() ? "" : ", ") + words;
    }
  }

  std::string target(u64 value) {
    const elf::MappedRegion* const region = machine_.find_region(value);
    if (region == nullptr || value < 0x1000) return "";
    if ((region->protection & PROT_EXEC) != 0) {
      const elf::Location location = elf::locate(images_, value);
      if (location.symbol.empty())
        return region->path.empty() ? "code" : std::string(base_name(region->path));
      const std::string offset =
          location.symbol_offset == 0 ? "" : "+" + std::to_string(location.symbol_offset);
      return short_function(location.symbol) + offset;
    }
    const u64 stack_pointer = machine_.registers().gpr[elf::kRspIndex];
    if (region->contains(stack_pointer)) return variable_at(value);
    return region->path.empty() ? "anonymous memory" : std::string(base_name(region->path));
  }

  /// "the stack", or the variable there.
  std::string variable_at(u64 address) const {
    const auto next = variables_.upper_bound(address);
    if (next == variables_.begin() || std::prev(next)->second.end <= address) return "the stack";
    const auto& [begin, variable] = *std::prev(next);
    const std::string of = variable.frame != index_ ? " of " + variable.function : "";
    return variable.name + of + (address != begin ? "+" + std::to_string(address - begin) : "");
  }

  TaskMachine& machine_;
  const elf::Images& images_;
  const elf::Frame& frame_;
  const PlacedVariables& variables_;
  u64 index_;
  u64 canary_ = 0;
};

}  // namespace

void read_slots(TaskMachine& machine, const elf::Images& images, const elf::Frame& frame,
                const PlacedVariables& variables, StackFrame& out) {
  if (!out.cfa || *out.cfa < out.stack_pointer) return;
  SlotReader reader(machine, images, frame, variables, out.index);
  const u64 stack_pointer = out.stack_pointer & ~u64{7};
  const u64 lowest = reader.lowest(stack_pointer), count = (*out.cfa - lowest) / 8;
  for (u64 i = 1; i <= count; ++i) {
    const bool leaves_out = count > kSlotsMost && i > kSlotsAtEnds && i + kSlotsAtEnds <= count;
    if (leaves_out)
      ++out.slots_left_out;
    else
      out.slots.push_back(reader.read(*out.cfa - 8 * i, stack_pointer));
  }
}

}  // namespace orrery::lens
