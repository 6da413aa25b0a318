// The call stack of one task at an instant, as reports show it: values without any tie to the machine they
// came from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "elf/variables_hosted.h"
#include "lens/replay_session.h"

namespace orrery::lens {

/// What a word in a frame is.
enum class SlotKind : u8 { unknown, return_address, saved_register, canary, variable };

/// Eight bytes of the stack.
struct StackSlot {
  u64 address = 0, value = 0;
  SlotKind kind = SlotKind::unknown;
  std::string words{};       ///< what it is: "saved rbp", "count, total", "return address"
  std::string leads_to{};    ///< where its value points: "main+28", "[heap]"
  bool in_red_zone = false;  ///< below the stack pointer
  bool readable = true;
};

/// One function: of the frames that a machine frame stands for, the innermost comes first.
struct StackFunction {
  std::string function{};    ///< demangled; "" if unknown
  u64 function_offset = 0;   ///< valid when there is no source line
  elf::SourceLine source{};  ///< line 0 if unknown
  bool inlined = false;
  bool has_variables = false;  ///< DWARF told of them (there may be none)
  elf::FunctionVariables variables{};
};

struct StackFrame {
  u64 index = 0;  ///< 0 is the innermost
  u64 pc = 0;
  bool pc_is_exact = false;
  u64 stack_pointer = 0;
  std::optional<u64> cfa{};
  std::string image{};  ///< path; "" if the pc is in no image
  u64 image_offset = 0;
  bool users = false;  ///< of the program itself or a library of its own, not of the system's
  bool signal_frame = false;
  elf::FoundBy found_by = elf::FoundBy::registers;
  std::vector<StackFunction> functions{};
  std::vector<std::string> tail_callers{};  ///< see elf::tail_callers_of
  std::vector<StackSlot> slots{};           ///< highest address first; only if they were asked for
  u64 slots_left_out = 0;                   ///< of a frame that is too large to be drawn
};

struct TaskStack {
  machine::ControlTask task{};
  std::vector<StackFrame> frames{};  ///< innermost first
  u64 frames_total = 0;
  bool complete = false;                      ///< ends where the task began
  std::optional<elf::MappedRegion> region{};  ///< that the stack pointer is in
};

struct StackWanted {
  std::string program{};       ///< its frames are the user's
  std::optional<u64> frame{};  ///< only this one
  u64 frames_most = 64;        ///< the outermost few are shown beyond that
  bool slots = false;
};

TaskStack read_stack(ReplaySession& session, const machine::ControlTask& task, const StackWanted& wanted);

}  // namespace orrery::lens
