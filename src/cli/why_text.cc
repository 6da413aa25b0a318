// One screen: the verdict in one line, the source line, what else is known, then backtrace, calls and
// registers as far as the verdict asks for them, and what to type next. What a reader can do without (the
// C library's own frames, libc's way to main) is folded or dim.
#include "cli/why_text.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/base_name.h"
#include "base/hexadecimal_hosted.h"
#include "cli/columns.h"
#include "cli/recording_text.h"
#include "lens/source_excerpt.h"

namespace orrery::cli {
namespace {

using lens::Call;
using lens::FrameFact;
using lens::short_function;
using lens::StackFact;
using lens::why::Facts;
using lens::why::Verdict;

constexpr u64 kWidth = 100;
constexpr u64 kCallsShown = 5;
constexpr u64 kArgumentBytesMost = 48;

/// A call on one line. When it is too long the result stays: first the error's text goes, then arguments.
std::string call_line(const Call& call) {
  if (columns(call.text) <= kWidth) return call.text;
  const auto equals = call.text.rfind(" = ");
  if (equals == std::string::npos) return cut(call.text, kWidth);
  std::string result = call.text.substr(equals);
  if (const auto words = result.find(" ("); words != std::string::npos) result.resize(words);
  return cut(call.text.substr(0, equals), kWidth - std::min(columns(result), kWidth / 2)) + result;
}

/// Sentences may be longer than the screen is wide.
std::string wrapped(const std::string& text, const std::string& indent) {
  std::string out = indent;
  u64 column = indent.size();
  u64 at = 0;
  while (at < text.size()) {
    const u64 space = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, space - at);
    if (column > indent.size() && column + columns(word) > kWidth) {
      out += "\n" + indent;
      column = indent.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns(word);
    at = space + 1;
  }
  return out + "\n";
}

std::string image_place(const FrameFact& frame) {
  if (frame.source.line != 0 && frame.users) {
    return std::string(base_name(frame.source.file)) + ":" + std::to_string(frame.source.line);
  }
  if (frame.image.empty()) return "no file is mapped there";
  return std::string(base_name(frame.image)) +
         (frame.function.empty() ? "+" + hexadecimal(frame.image_offset) : "");
}

std::string call_words(const FrameFact& frame) {
  if (frame.function.empty()) return hexadecimal(frame.pc);
  std::string text = short_function(frame.function);
  text += '(';
  for (u64 i = 0; i < frame.arguments.size(); ++i) {
    if (i > 0) text += ", ";
    text += frame.arguments[i].name + "=" + cut(frame.arguments[i].value, kArgumentBytesMost);
  }
  return text + ')';
}

const char* found_by_words(elf::FoundBy found_by) {
  switch (found_by) {
    case elf::FoundBy::registers:
    case elf::FoundBy::cfi:
    case elf::FoundBy::return_address:
      return "";
    case elf::FoundBy::frame_pointer:
      return "  (by the frame pointer)";
    case elf::FoundBy::scan:
      return "  (a guess: found on the stack)";
  }
  return "";
}

class Page {
 public:
  Page(const Verdict& verdict, const Facts& facts, const Style& style)
      : verdict_(verdict), facts_(facts), style_(style) {}

  std::string text() {
    const bool good = verdict_.category == lens::why::Category::clean;
    std::string headline = wrapped(verdict_.headline, "");
    headline.pop_back();
    out_ = (good                                        ? style_.green(headline)
            : lens::why::is_slowness(verdict_.category) ? style_.yellow(headline)
                                                        : style_.red(headline)) +
           "\n";
    place();
    sentences();
    failing_calls();
    words();
    if (verdict_.show_stack) backtrace();
    if (verdict_.show_calls) last_calls();
    if (verdict_.show_registers) registers();
    if (!good || !facts_.crashed.empty()) hints();
    return std::move(out_);
  }

 private:
  void heading(const std::string& text) { out_ += "\n" + style_.bold(text) + "\n"; }

  u64 program_mtime_ns(const std::string& image) const {
    u64 mtime_ns = 0;
    for (const lens::KeptFile& file : facts_.run.files) {
      if (file.path == image) mtime_ns = file.mtime_ns;
    }
    return mtime_ns;
  }

  /// The line to look at, in its surroundings.
  void place() {
    if (!verdict_.place) return;
    const FrameFact& frame = *verdict_.place;
    if (frame.source.line == 0 && !verdict_.show_stack) return;
    out_ += "\n  " + style_.bold(cut(call_words(frame), kWidth)) + "\n  " + style_.cyan(source_path(frame)) +
            "\n";
    const lens::SourceExcerpt excerpt =
        lens::read_excerpt(facts_.run.directory, {.source = frame.source,
                                                  .lines_before = 2,
                                                  .lines_after = 1,
                                                  .program_mtime_ns = program_mtime_ns(frame.image)});
    int number = excerpt.first_line;
    for (const std::string& line : excerpt.lines) {
      const bool here = number == frame.source.line;
      char gutter[24];
      std::snprintf(gutter, sizeof gutter, "  %s %5d | ", here ? ">" : " ", number++);
      const std::string text = cut(printable(line), kWidth);
      out_ += (here ? style_.bold(gutter + text) : style_.dim(gutter + text)) + "\n";
    }
    if (!excerpt.warning.empty()) out_ += style_.yellow(wrapped(printable(excerpt.warning), "  "));
  }

  /// Relative to where the program ran, when it lies there.
  std::string source_path(const FrameFact& frame) const {
    if (frame.source.line == 0) {
      const std::string image = frame.image.empty() ? "" : " in " + frame.image;
      return hexadecimal(frame.image.empty() ? frame.pc : frame.image_offset) + image +
             " (no debug information: build with -g)";
    }
    std::string file = frame.source.file;
    const std::string here = facts_.run.cwd + "/";
    if (here.size() > 1 && file.starts_with(here)) file = file.substr(here.size());
    std::string text = file + ":" + std::to_string(frame.source.line);
    return frame.source.column != 0 ? text + ":" + std::to_string(frame.source.column) : text;
  }

  void sentences() {
    if (verdict_.sentences.empty()) return;
    out_ += "\n";
    for (const std::string& sentence : verdict_.sentences) out_ += wrapped(sentence, "  ");
  }

  void failing_calls() {
    if (verdict_.failing_calls.empty()) return;
    heading(verdict_.failing_calls.size() == 1 ? "The call that failed" : "Calls that failed");
    for (const Call& call : verdict_.failing_calls) {
      out_ += "  " + call_line(call) + "\n";
      const FrameFact* frame = call.stack ? call.stack->users() : nullptr;
      if (frame) out_ += style_.dim("      from " + lens::why::place_text(*frame)) + "\n";
    }
  }

  void words() {
    if (verdict_.words.empty()) return;
    heading("On stderr");
    for (const lens::why::Words& one : verdict_.words) {
      std::string rest = one.text;
      while (!rest.empty() && rest.back() == '\n') rest.pop_back();
      u64 at = 0;
      while (at <= rest.size()) {
        const u64 end = std::min(rest.find('\n', at), rest.size());
        out_ += "  | " + printable(cut(rest.substr(at, end - at), kWidth)) + "\n";
        at = end + 1;
      }
      if (one.writer) out_ += style_.dim("      written by " + lens::why::place_text(*one.writer)) + "\n";
    }
  }

  /// A program's words must not drive our reader's terminal.
  static std::string printable(const std::string& text) {
    std::string out;
    for (const char letter : text)
      out += static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f ? '?' : letter;
    return out;
  }

  void backtrace() {
    if (facts_.stack.inner.empty()) return;
    heading("Backtrace");
    const std::vector<FrameFact>& frames = facts_.stack.inner;
    // What libc does before main is the same for every program.
    u64 count = frames.size();
    for (u64 i = 0; i < frames.size(); ++i) {
      if (frames[i].function == "main" && frames[i].users) count = i + 1;
      if (frames[i].function.starts_with("__libc_start_call_main") && i > 0) count = std::min(count, i);
    }
    u64 width = 0;
    for (u64 i = 0; i < count; ++i) {
      if (frames[i].users) width = std::max(width, std::min<u64>(columns(call_words(frames[i])), 70));
    }
    for (u64 i = 0; i < count;)
      i = frames[i].users ? user_frame(frames, i, width) : system_frames(frames, i, count);
    outer_frames();
    if (facts_.stack.overwritten_return) {
      out_ += style_.yellow("      the return address here, " +
                            hexadecimal(*facts_.stack.overwritten_return) + ", leads nowhere") +
              "\n";
    }
  }

  u64 user_frame(const std::vector<FrameFact>& frames, u64 i, u64 width) {
    const FrameFact& frame = frames[i];
    const u64 same = repeats(frames, i);
    out_ += "  " + padded(frame.inlined ? "↳" : std::to_string(i), 3) + " " +
            padded(cut(call_words(frame), 90), width) + "  " + style_.cyan(image_place(frame)) +
            style_.dim(found_by_words(frame.found_by)) + "\n";
    if (same > 3) {
      out_ += style_.dim("      … " + std::to_string(same - 1) + " more like it") + "\n";
      return i + same;
    }
    return i + 1;
  }

  /// How many frames from `i` on are the same call site, as in a recursion.
  static u64 repeats(const std::vector<FrameFact>& frames, u64 i) {
    u64 count = 1;
    while (i + count < frames.size() && frames[i + count].function == frames[i].function &&
           frames[i + count].source.line == frames[i].source.line) {
      ++count;
    }
    return count;
  }

  /// The system's frames between two of the user's, on one line.
  u64 system_frames(const std::vector<FrameFact>& frames, u64 first, u64 count) {
    u64 end = first;
    std::string names;
    while (end < count && !frames[end].users && frames[end].image == frames[first].image) {
      const std::string name = frames[end].function.empty() ? "+" + hexadecimal(frames[end].image_offset)
                                                            : short_function(frames[end].function);
      if (end - first < 5)
        names += (end == first ? "" : " ← ") + name;
      else if (end - first == 5)
        names += " ← …";
      ++end;
    }
    const std::string range =
        end - first > 1 ? std::to_string(first) + "-" + std::to_string(end - 1) : std::to_string(first);
    out_ += style_.dim("  " + padded(range, 3) + " " + names + "  " +
                       std::string(base_name(frames[first].image))) +
            "\n";
    return end;
  }

  void outer_frames() {
    const StackFact& stack = facts_.stack;
    if (stack.outer.empty()) return;
    out_ += style_.dim("      … " + std::to_string(stack.frames_total) + " calls in all") + "\n";
    for (const FrameFact& frame : stack.outer) {
      if (frame.users && frame.source.line != 0)
        out_ += "      " + cut(call_words(frame), 80) + "  " + style_.cyan(image_place(frame)) + "\n";
    }
  }

  void last_calls() {
    std::vector<const Call*> calls;
    for (const Call& call : facts_.calls) {
      if (!call.from_loader) calls.push_back(&call);
    }
    if (calls.empty()) return;
    heading("Last system calls");
    const u64 count = calls.size();
    for (u64 i = count > kCallsShown ? count - kCallsShown : 0; i < count; ++i) {
      out_ += style_.dim("  " + call_line(*calls[i])) + "\n";
    }
  }

  void registers() {
    heading("Registers");
    const elf::MachineRegisters& registers = facts_.registers;
    constexpr int kOrder[16] = {0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i < 16; ++i) {
      const int number = kOrder[i];
      char cell[40];
      std::snprintf(cell, sizeof cell, "%s%-3s %016" PRIx64, i % 4 == 0 ? "  " : "  ",
                    lens::register_name(number), registers.gpr[number]);
      out_ += style_.dim(cell) + (i % 4 == 3 ? "\n" : "");
    }
    char line[64];
    std::snprintf(line, sizeof line, "  rip %016" PRIx64 "  eflags %" PRIx64, registers.rip,
                  registers.rflags);
    out_ += style_.dim(line) + "\n";
  }

  void hints() {
    heading("Look closer");
    u64 width = 0;
    for (const lens::why::Hint& hint : verdict_.hints) width = std::max(width, columns(hint.command));
    for (const lens::why::Hint& hint : verdict_.hints) {
      out_ += "  " + padded(hint.command, width) + "  " + style_.dim(hint.shows) + "\n";
    }
  }

  const Verdict& verdict_;
  const Facts& facts_;
  const Style& style_;
  std::string out_;
};

}  // namespace

std::string why_text(const Verdict& verdict, const Facts& facts, const Style& style) {
  return Page(verdict, facts, style).text();
}

}  // namespace orrery::cli
