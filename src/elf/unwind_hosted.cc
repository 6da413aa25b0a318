#include "elf/unwind_hosted.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <unordered_map>

#include "elf/dwarf_expression_hosted.h"

namespace orrery::elf {
namespace {

struct FrameDeleter {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};

/// The CFI rules at one pc. Kept, because recursion comes back to the same few.
struct Rules {
  std::unique_ptr<Dwarf_Frame, FrameDeleter> frame;  ///< null: there is no CFI
  u64 bias = 0;
  bool signal = false;
};

class Unwinder {
 public:
  Unwinder(StoppedMachine& machine, const Images& images) : machine_(machine), images_(images) {}

  /// The caller of `frame`; fills in the frame's CFA. Nothing at the outermost frame.
  std::optional<Frame> caller_of(Frame& frame) {
    const Rules& rules = rules_at(frame.lookup_pc());
    if (rules.frame) {
      // CFI that does not lead anywhere ends the stack: it marks the outermost frame that way.
      frame.signal_frame = rules.signal;
      return by_cfi(frame, rules);
    }
    if (frame.found_by == FoundBy::registers && !is_code(frame.pc)) {
      if (auto caller = by_return_address(frame)) return caller;
    }
    if (auto caller = by_frame_pointer(frame)) return caller;
    return by_scan(frame);
  }

 private:
  const Rules& rules_at(u64 pc) {
    const auto known = rules_.find(pc);
    if (known != rules_.end()) return known->second;
    Rules rules;
    if (const Image* image = images_.find(pc)) {
      for (const bool eh : {true, false}) {
        Dwarf_Addr bias = 0;
        Dwarf_CFI* cfi =
            eh ? dwfl_module_eh_cfi(image->module, &bias) : dwfl_module_dwarf_cfi(image->module, &bias);
        Dwarf_Frame* frame = nullptr;
        if (!cfi || dwarf_cfi_addrframe(cfi, pc - bias, &frame) != 0) continue;
        rules.frame.reset(frame);
        rules.bias = bias;
        dwarf_frame_info(frame, nullptr, nullptr, &rules.signal);
        break;
      }
    }
    return rules_.emplace(pc, std::move(rules)).first->second;
  }

  std::optional<Frame> by_cfi(Frame& frame, const Rules& rules) {
    ExpressionContext context{
        .machine = machine_, .registers = frame.registers, .cfa = std::nullopt, .bias = rules.bias};
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_frame_cfa(rules.frame.get(), &operations, &count) != 0 || count == 0) return std::nullopt;
    const auto cfa = evaluate(context, {operations, count});
    if (!cfa) return std::nullopt;
    frame.cfa = cfa->number;
    context.cfa = cfa->number;
    Frame caller;
    caller.found_by = FoundBy::cfi;
    for (int number = 0; number < kDwarfRegisters; ++number) {
      const auto index = static_cast<u64>(number);
      caller.registers[index] = saved_register(number, rules, context, frame.saved_at[index]);
    }
    if (!caller.registers[kDwarfRsp]) caller.registers[kDwarfRsp] = cfa->number;
    if (!caller.registers[kDwarfPc] || *caller.registers[kDwarfPc] == 0) return std::nullopt;
    caller.pc = *caller.registers[kDwarfPc];
    caller.pc_is_exact = rules.signal;
    return caller;
  }

  std::optional<u64> saved_register(int number, const Rules& rules, const ExpressionContext& context,
                                    u64& saved_at) {
    Dwarf_Op memory[3];
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_frame_register(rules.frame.get(), number, memory, &operations, &count) != 0)
      return std::nullopt;
    if (count == 0) {
      const bool same_value = operations == nullptr;
      return same_value && number != kDwarfPc ? context.registers[static_cast<u64>(number)] : std::nullopt;
    }
    const auto operand = evaluate(context, {operations, count});
    if (!operand) return std::nullopt;
    if (operand->place == Place::value) return operand->number;
    if (operand->place == Place::machine_register) {
      return operand->number < kDwarfRegisters ? context.registers[operand->number] : std::nullopt;
    }
    u64 value = 0;
    saved_at = operand->number;
    if (!machine_.read_value(operand->number, value)) return std::nullopt;
    return value;
  }

  /// Code that a call could return to.
  bool is_code(u64 address) {
    const MappedRegion* region = machine_.find_region(address);
    return region && (region->protection & PROT_EXEC) != 0;
  }

  /// A call of some form stands right before `address` (Intel SDM vol. 2, CALL: E8 rel32, FF /2).
  bool follows_call(u64 address) {
    u8 before[7] = {};
    if (!is_code(address) || machine_.read(address - sizeof before, before) != sizeof before) return false;
    if (before[2] == 0xe8) return true;
    for (const u64 length : {u64{2}, u64{3}, u64{4}, u64{6}, u64{7}}) {
      const u8* at = before + sizeof before - length;
      if (at[0] == 0xff && (at[1] & 0x38) == 0x10) return true;
    }
    return false;
  }

  std::optional<Frame> by_return_address(const Frame& frame) {
    const u64 stack = *frame.registers[kDwarfRsp];
    u64 pc = 0;
    if (!machine_.read_value(stack, pc) || !follows_call(pc)) return std::nullopt;
    Frame caller{.pc = pc,
                 .cfa = std::nullopt,
                 .registers = frame.registers,
                 .saved_at = {},
                 .found_by = FoundBy::return_address};
    caller.registers[kDwarfPc] = pc;
    caller.registers[kDwarfRsp] = stack + 8;
    return caller;
  }

  std::optional<Frame> by_frame_pointer(const Frame& frame) {
    const auto base = frame.registers[kDwarfRbp];
    u64 saved[2] = {};
    if (!base || *base < *frame.registers[kDwarfRsp] || (*base & 7) != 0) return std::nullopt;
    if (!machine_.read_value(*base, saved) || !follows_call(saved[1])) return std::nullopt;
    return outer_frame(saved[1], *base + 16, saved[0], FoundBy::frame_pointer);
  }

  std::optional<Frame> by_scan(const Frame& frame) {
    constexpr u64 kWordsMost = 1024;
    const u64 stack = (*frame.registers[kDwarfRsp] + 7) & ~u64{7};
    for (u64 i = 0; i < kWordsMost; ++i) {
      u64 word = 0;
      if (!machine_.read_value(stack + 8 * i, word)) break;
      if (images_.find(word) && follows_call(word)) {
        return outer_frame(word, stack + 8 * i + 8, frame.registers[kDwarfRbp], FoundBy::scan);
      }
    }
    return std::nullopt;
  }

  static Frame outer_frame(u64 pc, u64 stack, std::optional<u64> base, FoundBy found_by) {
    Frame frame{.pc = pc, .cfa = std::nullopt, .registers = {}, .saved_at = {}, .found_by = found_by};
    frame.registers[kDwarfPc] = pc;
    frame.registers[kDwarfRsp] = stack;
    frame.registers[kDwarfRbp] = base;
    return frame;
  }

  StoppedMachine& machine_;
  const Images& images_;
  std::unordered_map<u64, Rules> rules_;
};

}  // namespace

FrameRegisters to_dwarf(const MachineRegisters& registers) {
  constexpr int kHardwareOf[16] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
  FrameRegisters frame;
  for (u64 i = 0; i < 16; ++i) frame[i] = registers.gpr[kHardwareOf[i]];
  frame[kDwarfPc] = registers.rip;
  return frame;
}

Stack unwind(StoppedMachine& machine, const Images& images, int frames_most) {
  Unwinder unwinder(machine, images);
  Stack stack;
  Frame frame;
  frame.pc = machine.registers().rip;
  frame.registers = to_dwarf(machine.registers());
  frame.pc_is_exact = true;
  while (true) {
    const std::optional<Frame> caller = unwinder.caller_of(frame);
    stack.frames.push_back(frame);
    if (!caller) {
      stack.complete = frame.found_by == FoundBy::cfi || frame.found_by == FoundBy::registers;
      return stack;
    }
    // A stack grows down; only a signal handler may stand on another stack.
    const bool moves_up = *caller->registers[kDwarfRsp] > *frame.registers[kDwarfRsp];
    if (!moves_up && !frame.signal_frame) return stack;
    if (static_cast<int>(stack.frames.size()) >= frames_most) return stack;
    frame = *caller;
  }
}

}  // namespace orrery::elf
