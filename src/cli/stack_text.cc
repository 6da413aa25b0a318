#include "cli/stack_text.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/base_name.h"
#include "base/hexadecimal_hosted.h"
#include "cli/columns.h"
#include "cli/recording_text.h"
#include "cli/task_words.h"
#include "lens/code_place.h"

namespace orrery::cli {
namespace {

using lens::SlotKind;
using lens::StackFrame;
using lens::StackFunction;
using lens::StackSlot;
using lens::TaskStack;

constexpr u64 kNameColumnsMost = 24, kTypeColumnsMost = 28, kValueColumnsMost = 76;
constexpr u64 kArgumentColumnsMost = 40;
/// Frames of a recursion that stand between the first and the last.
constexpr u64 kRepeatsLeast = 4;

std::string head(const TaskStack& stack) {
  const std::string name = task_name(stack.task), call = task_call(stack.task);
  std::string text = "Task " + std::to_string(stack.task.task) + (name.empty() ? "" : " (" + name + ")") +
                     " " + task_state(stack.task.state) + (call.empty() ? "" : " in " + call);
  const u64 stack_pointer = stack.task.gpr[elf::kRspIndex];
  if (stack.region && stack.region->contains(stack_pointer))
    text += ", " + human_bytes(stack.region->end - stack_pointer) + " deep in its stack";
  return text;
}

std::string place(const StackFrame& frame, const StackFunction& function) {
  const elf::SourceLine& source = function.source;
  if (source.line != 0) return std::string(base_name(source.file)) + ":" + std::to_string(source.line);
  return frame.image.empty() ? "no file is mapped there" : std::string(base_name(frame.image));
}

std::string call_words(const StackFrame& frame, const StackFunction& function) {
  if (function.function.empty())
    return frame.image.empty() ? hexadecimal(frame.pc) : "+" + hexadecimal(frame.image_offset);
  std::string text = lens::short_function(function.function);
  if (!function.has_variables) return text + "+" + std::to_string(function.function_offset);
  text += '(';
  for (const elf::Variable& each : function.variables.arguments) {
    if (text.back() != '(') text += ", ";
    text += each.name + "=" + cut(each.value, kArgumentColumnsMost);
  }
  return text + ')';
}

const char* found_by_words(elf::FoundBy found_by) {
  if (found_by == elf::FoundBy::frame_pointer) return "  (by the frame pointer)";
  return found_by == elf::FoundBy::scan ? "  (a guess: found on the stack)" : "";
}

class Backtrace {
 public:
  Backtrace(const TaskStack& stack, const Style& style, bool all) : stack_(stack), style_(style), all_(all) {}

  std::string text() {
    out_ = style_.bold(printable(head(stack_))) + "\n";
    const std::vector<StackFrame>& frames = stack_.frames;
    for (u64 i = 0; i < frames.size();) {
      if (i > 0 && frames[i].index > frames[i - 1].index + 1)
        left_out(frames[i].index - frames[i - 1].index - 1);
      const u64 same = all_ ? 1 : repeats(i);
      add_frame(frames[i]);
      if (same >= kRepeatsLeast) {
        left_out(same - 2);
        i += same - 1;
      } else {
        ++i;
      }
    }
    if (!stack_.complete) out_ += style_.dim("      (the stack leads no further)") + "\n";
    return std::move(out_);
  }

 private:
  void left_out(u64 count) { out_ += style_.dim("      … " + std::to_string(count) + " more frames") + "\n"; }

  /// How many frames from there on are the same place, as in a recursion.
  u64 repeats(u64 first) const {
    const std::vector<StackFrame>& frames = stack_.frames;
    u64 count = 1;
    while (first + count < frames.size() && frames[first + count].pc == frames[first].pc &&
           frames[first + count].index == frames[first].index + count)
      ++count;
    return count;
  }

  void add_frame(const StackFrame& frame) {
    if (frame.signal_frame) {
      line(std::to_string(frame.index), style_.yellow("<signal handler called>"), "");
      return;
    }
    for (u64 i = 0; i < frame.functions.size(); ++i) {
      const StackFunction& function = frame.functions[i];
      const std::string words = printable(cut(call_words(frame, function), 96));
      const bool quiet = !frame.users && !all_;
      const std::string where = printable(place(frame, function)) + found_by_words(frame.found_by);
      line(function.inlined ? "↳" : std::to_string(frame.index), quiet ? style_.dim(words) : words,
           quiet ? style_.dim(where) : style_.cyan(where), columns(words));
      if (!quiet) add_locals(function.variables.locals);
    }
    for (const std::string& name : frame.tail_callers)
      line("⇠", style_.dim(printable(cut(name, 80)) + "()"), style_.dim("jumped there (a tail call)"),
           columns(name));
  }

  void line(const std::string& number, const std::string& words, const std::string& where, u64 wide = 0) {
    const std::string gap(wide < 44 && !where.empty() ? 44 - wide : 2, ' ');
    out_ += "  " + std::string(columns(number) < 3 ? 3 - columns(number) : 0, ' ') + number + "  " + words +
            (where.empty() ? "" : gap + where) + "\n";
  }

  void add_locals(const std::vector<elf::Variable>& locals) {
    u64 names = 0, types = 0;
    for (const elf::Variable& each : locals) {
      names = std::max(names, std::min(columns(each.name), kNameColumnsMost));
      types = std::max(types, std::min(columns(each.type), kTypeColumnsMost));
    }
    for (const elf::Variable& each : locals) {
      const std::string value = printable(all_ ? each.value : cut(each.value, kValueColumnsMost));
      out_ += "         " + padded(printable(each.name), names) + "  " +
              style_.dim(padded(printable(cut(each.type, kTypeColumnsMost)), types)) + " = " +
              (each.value.starts_with('<') ? style_.dim(value) : value) + "\n";
    }
  }

  const TaskStack& stack_;
  const Style& style_;
  bool all_;
  std::string out_;
};

class Drawing {
 public:
  Drawing(const TaskStack& stack, const Style& style) : stack_(stack), style_(style) {}

  std::string text() {
    out_ = style_.bold(printable(head(stack_))) + "\n";
    for (auto frame = stack_.frames.rbegin(); frame != stack_.frames.rend(); ++frame) draw(*frame);
    const bool is_innermost = !stack_.frames.empty() && stack_.frames.front().index == 0;
    const bool has_red_zone = is_innermost && !stack_.frames.front().slots.empty() &&
                              stack_.frames.front().slots.back().in_red_zone;
    out_ += kMargin + std::string("└──────────────────┘") +
            (is_innermost && !has_red_zone ? " ← rsp: the stack grows down from here\n" : "\n");
    return std::move(out_);
  }

 private:
  static constexpr const char* kMargin = "                    ";

  static std::string title(const StackFrame& frame) {
    if (frame.signal_frame) return "<signal handler called>";
    std::string text;
    for (auto function = frame.functions.rbegin(); function != frame.functions.rend(); ++function)
      text += (text.empty() ? "" : " → ") +
              (function->function.empty() ? hexadecimal(frame.pc) : lens::short_function(function->function));
    if (!frame.functions.empty()) text += "  " + place(frame, frame.functions.front());
    return text;
  }

  void draw(const StackFrame& frame) {
    const std::string size =
        frame.cfa ? ", " + std::to_string(*frame.cfa - frame.stack_pointer) + " bytes" : "";
    out_ += kMargin + std::string("├──────────────────┤ ") +
            style_.bold(std::to_string(frame.index) + "  " + printable(title(frame))) + style_.dim(size) +
            "\n";
    if (!frame.cfa) {
      out_ += kMargin + style_.dim("│  no unwind table │ where this frame ends is not known") + "\n";
      return;
    }
    for (u64 i = 0; i < frame.slots.size();) {
      if (i > 0 && frame.slots[i - 1].address > frame.slots[i].address + 8)
        out_ += kMargin +
                style_.dim("┊                  ┊ … " + std::to_string(frame.slots_left_out) +
                           " words that are not shown") +
                "\n";
      i += draw_slots(frame, i);
    }
  }

  /// One row, or one for many words of a kind. Returns how many it was.
  u64 draw_slots(const StackFrame& frame, u64 first) {
    const StackSlot& slot = frame.slots[first];
    u64 same = 1;
    while (first + same < frame.slots.size() && is_like(slot, frame.slots[first + same])) ++same;
    if (slot.in_red_zone && (first == 0 || !frame.slots[first - 1].in_red_zone))
      out_ += kMargin + style_.dim("├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤ ← rsp; the red zone below") + "\n";
    row(slot);
    if (same < 4) return 1;
    out_ += kMargin + style_.dim("┊                  ┊ " + std::to_string(same - 2) + " more words like it") +
            "\n";
    return same - 1;
  }

  static bool is_like(const StackSlot& slot, const StackSlot& other) {
    return slot.kind == SlotKind::unknown && other.kind == SlotKind::unknown && slot.value == other.value &&
           slot.readable == other.readable && slot.in_red_zone == other.in_red_zone &&
           slot.address > other.address;
  }

  void row(const StackSlot& slot) {
    char address[24], value[24];
    std::snprintf(address, sizeof address, "  0x%016" PRIx64, slot.address);
    std::snprintf(value, sizeof value, "%016" PRIx64, slot.value);
    std::string words = slot.words;
    if (slot.kind == SlotKind::unknown) words = slot.value == 0 ? "" : "·";
    if (!slot.leads_to.empty()) words += (words.empty() ? "→ " : " → ") + slot.leads_to;
    out_ += style_.dim(address) + "│ " + (slot.readable ? std::string(value) : "not readable    ") + " │ " +
            colored(slot.kind, printable(words)) + "\n";
  }

  std::string colored(SlotKind kind, const std::string& words) const {
    switch (kind) {
      case SlotKind::return_address:
        return style_.yellow(words);
      case SlotKind::saved_register:
        return style_.cyan(words);
      case SlotKind::canary:
        return style_.red(words);
      case SlotKind::variable:
        return style_.green(words);
      case SlotKind::unknown:
        return style_.dim(words);
    }
    return words;
  }

  const TaskStack& stack_;
  const Style& style_;
  std::string out_;
};

}  // namespace

std::string stack_text(const TaskStack& stack, const Style& style, bool all) {
  return Backtrace(stack, style, all).text();
}

std::string raw_stack_text(const TaskStack& stack, const Style& style) {
  return Drawing(stack, style).text();
}

}  // namespace orrery::cli
