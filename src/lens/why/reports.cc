// Programs whose own run time says what went wrong: sanitizers, and the panics and tracebacks of Rust, Go and
// Python. What they say is on stderr; that it is theirs is told by the functions on the stack, or by the exit
// status that only they give.
#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "lens/task_place.h"
#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

constexpr int kRustPanicStatus = 101;
constexpr int kGoPanicStatus = 2;

bool has_function(const StackFact& stack, const char* part) {
  for (const auto* frames : {&stack.inner, &stack.outer}) {
    for (const FrameFact& frame : *frames) {
      if (frame.function.find(part) != std::string::npos) return true;
    }
  }
  return false;
}

/// Of the end, or of some write to stderr.
bool ran(const Facts& facts, const char* part) {
  if (has_function(facts.stack, part)) return true;
  return std::any_of(facts.calls.begin(), facts.calls.end(),
                     [&](const Call& call) { return call.stack && has_function(*call.stack, part); });
}

/// The rest of the line behind `marker`; "" if it is not there.
std::string behind(const std::string& text, const std::string& marker) {
  const auto at = text.find(marker);
  if (at == std::string::npos) return "";
  const auto start = at + marker.size();
  return text.substr(start, text.find('\n', start) - start);
}

std::string line_at(const std::string& text, u64 at) {
  const auto before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  const auto start = before == std::string::npos ? 0 : before + 1;
  return text.substr(start, text.find('\n', at) - start);
}

/// "FILE:LINE", and what may follow, as a place; line 0 if it is none.
FrameFact place_of(const std::string& words) {
  FrameFact place{.users = true};
  const auto colon = words.find(':');
  if (colon == std::string::npos) return place;
  place.source.file = words.substr(0, colon);
  place.source.line = std::atoi(words.c_str() + colon + 1);
  return place;
}

void say_where(const Facts& facts, const FrameFact& told, Verdict& verdict) {
  if (told.source.line != 0)
    verdict.place = told;
  else if (const FrameFact* const frame = facts.stack.users())
    verdict.place = *frame;
}

std::string ended(const Facts& facts) {
  return facts.run.signal != 0 ? " died of " + signal_name(facts.run.signal) + ": "
                               : " gave up with exit status " + std::to_string(facts.run.status) + ": ";
}

std::optional<Verdict> explain_sanitizer(const Facts& facts, const std::string& output) {
  if (!ran(facts, "__asan") && !ran(facts, "__ubsan") && !ran(facts, "__sanitizer") &&
      !ran(facts, "__tsan") && !ran(facts, "__lsan") && !ran(facts, "__msan"))
    return std::nullopt;
  std::string finding;
  for (const char* tool :
       {"AddressSanitizer: ", "ThreadSanitizer: ", "MemorySanitizer: ", "LeakSanitizer: "}) {
    const std::string found = behind(output, tool);
    if (!found.empty() && finding.empty()) finding = std::string(tool) + found;
  }
  FrameFact told;
  if (const auto at = output.find(": runtime error: "); finding.empty() && at != std::string::npos) {
    finding = "UndefinedBehaviorSanitizer: " + behind(output, ": runtime error: ");
    told = place_of(line_at(output, at));
  }
  if (finding.empty()) return std::nullopt;
  Verdict verdict{.category = Category::sanitizer,
                  .headline = program_name(facts) + ended(facts) + "a sanitizer ended it: " + finding + "."};
  say_where(facts, told, verdict);
  verdict.show_stack = true;
  return verdict;
}

/// The failed call that the message tells of, if it does.
void tell_failure(const Facts& facts, const std::string& output, Verdict& verdict) {
  verdict.failing_calls = choose_failures(facts, output);
}

std::optional<Verdict> explain_rust(const Facts& facts, const std::string& output) {
  if (facts.run.status != kRustPanicStatus && facts.run.signal != SIGABRT) return std::nullopt;
  const auto at = output.find(" panicked at ");
  if (at == std::string::npos || line_at(output, at).find("thread '") == std::string::npos)
    return std::nullopt;
  const std::string where = behind(output, " panicked at ");
  std::string message;
  FrameFact told;
  if (where.starts_with('\'')) {  // before Rust 1.73: 'MESSAGE', FILE:LINE:COLUMN
    const auto quote_end = where.rfind("', ");
    message = where.substr(1, quote_end - 1);
    if (quote_end != std::string::npos) told = place_of(where.substr(quote_end + 3));
  } else {
    told = place_of(where);
    message = behind(output, where + "\n");
  }
  Verdict verdict{.category = Category::panic,
                  .headline = program_name(facts) + ended(facts) + "it panicked: " + message + "."};
  if (is_system_source(told.source.file)) told = {};
  say_where(facts, told, verdict);
  tell_failure(facts, output, verdict);
  verdict.words = last_words(facts, 4);
  return verdict;
}

/// The innermost function of the program's own in a goroutine's trace: its next line is "\tFILE:LINE
/// +0xOFFSET".
FrameFact go_place(const std::string& output) {
  for (auto at = output.find("\n\t/"); at != std::string::npos; at = output.find("\n\t/", at + 1)) {
    FrameFact place = place_of(line_at(output, at + 1).substr(1));
    if (place.source.line == 0 || is_system_source(place.source.file)) continue;
    const std::string call = line_at(output, at);
    place.function = call.substr(0, call.rfind('('));
    return place;
  }
  return {};
}

std::optional<Verdict> explain_go(const Facts& facts, const std::string& output) {
  if (facts.run.status != kGoPanicStatus || output.find("\ngoroutine ") == std::string::npos)
    return std::nullopt;
  std::string message = behind(output, "panic: ");
  const std::string fatal = behind(output, "fatal error: ");
  if (message.empty() && fatal.empty()) return std::nullopt;
  Verdict verdict{.category = Category::panic, .headline = program_name(facts) + ended(facts)};
  if (fatal.find("deadlock!") != std::string::npos) {
    verdict.category = Category::deadlock;
    verdict.headline += fatal + ".";
  } else {
    verdict.headline += message.empty() ? fatal + "." : "it panicked: " + message + ".";
  }
  const FrameFact place = go_place(output);
  if (place.source.line != 0) verdict.place = place;
  verdict.words = last_words(facts, 3);
  return verdict;
}

std::optional<Verdict> explain_python(const Facts& facts, const std::string& output) {
  const auto traceback = output.rfind("Traceback (most recent call last):\n");
  if (traceback == std::string::npos || facts.run.status != 1 || !ran(facts, "Py")) return std::nullopt;
  std::string message;
  FrameFact place;
  for (u64 at = output.find('\n', traceback) + 1; at < output.size();) {
    const std::string line = line_at(output, at);
    if (line.starts_with("  File \"")) {
      place = FrameFact{.function = behind(line, ", in "), .users = true};
      place.source.file = line.substr(8, line.find('"', 8) - 8);
      place.source.line = std::atoi(behind(line, "\", line ").c_str());
    } else if (!line.empty() && line[0] != ' ') {
      message = line;
      break;
    }
    at += line.size() + 1;
  }
  if (message.empty()) return std::nullopt;
  Verdict verdict{
      .category = Category::panic,
      .headline = program_name(facts) + ended(facts) + "an exception that nobody caught: " + message + "."};
  if (place.source.line != 0) verdict.place = place;
  tell_failure(facts, output, verdict);
  verdict.words = last_words(facts, 4);
  return verdict;
}

}  // namespace

std::optional<Verdict> explain_reports(const Facts& facts) {
  const bool badly = facts.run.ended && (facts.run.signal != 0 || facts.run.status != 0);
  if (!facts.replayed || !badly || facts.fault) return std::nullopt;
  const std::string output = error_output(facts);
  constexpr std::optional<Verdict> (*kKinds[])(const Facts&, const std::string&) = {
      explain_sanitizer, explain_rust, explain_go, explain_python};
  for (const auto& kind : kKinds) {
    auto found = kind(facts, output);
    if (!found) continue;
    tell_resource(facts, *found);
    return found;
  }
  return std::nullopt;
}

}  // namespace orrery::lens::why
