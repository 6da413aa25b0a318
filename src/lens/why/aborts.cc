// SIGABRT: the program, its C library or its C++ runtime gave up on purpose. Which of them is told by the
// functions on the stack; what they said is on stderr.
#include <algorithm>
#include <csignal>

#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

bool calls_through(const StackFact& stack, std::initializer_list<const char*> functions) {
  for (const FrameFact& frame : stack.inner) {
    for (const char* function : functions) {
      if (frame.function == function || frame.function.starts_with(std::string(function) + "@")) return true;
    }
  }
  return false;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

/// The last line of stderr that has `part` in it; "" if none.
std::string line_with(const std::string& output, const std::string& part) {
  const auto at = output.rfind(part);
  if (at == std::string::npos) return "";
  const auto newline = output.rfind('\n', at);
  const auto start = newline == std::string::npos ? 0 : newline + 1;
  return trimmed(output.substr(start, output.find('\n', at) - start));
}

/// What stands between `left` and `right` in `text`; "" if it is not so.
std::string between(const std::string& text, const std::string& left, const std::string& right) {
  const auto start = text.find(left);
  if (start == std::string::npos) return "";
  const auto end = text.find(right, start + left.size());
  return end == std::string::npos ? "" : text.substr(start + left.size(), end - start - left.size());
}

void explain_assertion(const std::string& output, Verdict& verdict) {
  verdict.category = Category::assertion;
  const std::string condition = between(line_with(output, "Assertion `"), "Assertion `", "' failed");
  verdict.headline += condition.empty() ? "an assertion failed" : "the assertion `" + condition + "` failed";
}

void explain_smash(Verdict& verdict) {
  verdict.category = Category::stack_smash;
  verdict.headline += "a local variable was overrun and overwrote the stack frame";
  verdict.sentences.push_back(
      "The compiler's guard value before the return address had changed when the function returned: look for "
      "an array "
      "in it that is written past its end.");
}

/// The C library's checked functions: __strcpy_chk, __memcpy_chk ...
void explain_overflow(const StackFact& stack, Verdict& verdict) {
  verdict.category = Category::buffer_overflow;
  verdict.headline += "it wrote more than a buffer holds";
  for (const FrameFact& frame : stack.inner) {
    const std::string name = short_function(frame.function);
    const auto suffix = name.find("_chk");
    if (!name.starts_with("__") || suffix == std::string::npos || name.starts_with("__chk")) continue;
    verdict.sentences.push_back("The C library's check in " + name.substr(2, suffix - 2) +
                                "() found that it would.");
    return;
  }
}

void explain_heap(const std::string& output, Verdict& verdict) {
  verdict.category = Category::heap_corruption;
  std::string finding;
  for (const char* word :
       {"free(): ", "malloc(): ", "realloc(): ", "munmap_chunk(): ", "corrupted ", "double free"}) {
    if (finding.empty()) finding = line_with(output, word);
  }
  if (finding.find("double free") != std::string::npos) {
    verdict.headline += "it freed the same memory twice";
    verdict.category = Category::double_free;
  } else if (finding.starts_with("realloc(): invalid pointer")) {
    verdict.headline += "it gave realloc a pointer that malloc never gave";
    verdict.category = Category::invalid_free;
  } else if (finding.find("invalid pointer") != std::string::npos) {
    verdict.headline += "it freed a pointer that malloc never gave";
    verdict.category = Category::invalid_free;
  } else {
    verdict.headline += "the C library found the heap corrupted";
    verdict.sentences.push_back("The damage was done earlier, by a write outside a block or after its free.");
  }
}

void explain_exception(const std::string& output, const StackFact& stack, Verdict& verdict) {
  verdict.category = Category::uncaught_exception;
  const std::string type = between(output, "terminate called after throwing an instance of '", "'");
  const std::string what = line_with(output, "what():");
  verdict.headline +=
      type.empty() ? "std::terminate was called" : "nobody caught an exception of type " + type;
  if (const auto at = what.find("what():"); at != std::string::npos) {
    verdict.sentences.push_back("It said: " + quote(trimmed(what.substr(at + 9)), 200) + ".");
  }
  if (output.find("pure virtual method called") != std::string::npos)
    verdict.sentences.push_back(
        "A pure virtual function was called: by a constructor or destructor, or of an object that is gone.");
  const FrameFact* const thrower = calls_through(stack, {"__cxa_throw"}) ? stack.users() : nullptr;
  if (thrower != nullptr && thrower->function.find('~') != std::string::npos)
    verdict.sentences.push_back(
        "It was thrown in the destructor " + short_function(thrower->function) +
        "(): what leaves a destructor ends the program, if that is noexcept (as it is unless it says "
        "otherwise) or while another exception passes.");
  if (type.empty() && calls_through(stack, {"std::thread::~thread()"}))
    verdict.sentences.push_back("A std::thread was destroyed that had been neither joined nor detached.");
}

void explain_own(const std::string& output, const StackFact& stack, Verdict& verdict) {
  const bool rusts_handler = std::any_of(stack.inner.begin(), stack.inner.end(), [](const FrameFact& frame) {
    return frame.function.find("stack_overflow::imp::signal_handler") != std::string::npos;
  });
  if (rusts_handler) {
    verdict.category = Category::stack_overflow;
    verdict.headline += "its stack overflowed";
    return;
  }
  verdict.category = Category::abort;
  verdict.headline += "it called abort()";
  std::string said = line_with(output, "atal");
  if (said.empty()) said = line_with(output, "rror");
  if (!said.empty()) verdict.sentences.push_back("It had said: " + quote(said, 200) + ".");
}

}  // namespace

std::optional<Verdict> explain_abort(const Facts& facts) {
  if (!facts.replayed || facts.run.signal != SIGABRT || facts.fault) return std::nullopt;
  const std::string output = error_output(facts);
  Verdict verdict{.headline = program_name(facts) + " died of SIGABRT: "};
  if (calls_through(facts.stack, {"__assert_fail", "__GI___assert_fail", "__assert_fail_base"})) {
    explain_assertion(output, verdict);
  } else if (calls_through(facts.stack, {"__chk_fail", "__GI___chk_fail"})) {
    explain_overflow(facts.stack, verdict);
  } else if (calls_through(facts.stack, {"__stack_chk_fail"})) {
    explain_smash(verdict);
  } else if (calls_through(facts.stack, {"malloc_printerr"})) {
    explain_heap(output, verdict);
  } else if (calls_through(facts.stack,
                           {"std::terminate()", "__cxa_throw", "__cxa_pure_virtual", "__cxa_rethrow"})) {
    explain_exception(output, facts.stack, verdict);
  } else if (output.find("double free") != std::string::npos ||
             output.find("free(): ") != std::string::npos || output.find("malloc(): ") != std::string::npos) {
    explain_heap(output, verdict);
  } else if (!calls_through(facts.stack, {"abort", "__GI_abort"})) {
    return std::nullopt;  // a signal like any other: kill -ABRT, raise
  } else {
    explain_own(output, facts.stack, verdict);
  }
  verdict.headline += ".";
  if (facts.stack.overwritten_return) {
    verdict.sentences.push_back("The stack ends at a return address that is none, " +
                                hexadecimal(*facts.stack.overwritten_return) + ": it was overwritten.");
  }
  if (const FrameFact* frame = facts.stack.users()) verdict.place = *frame;
  verdict.words = last_words(facts, 3);
  if (verdict.category == Category::stack_overflow && !facts.stack.repeated.empty())
    verdict.sentences.push_back(facts.stack.repeated + "() calls itself without an end: " +
                                std::to_string(facts.stack.repeated_count) + " calls of it are open.");
  verdict.show_stack = true;
  return verdict;
}

}  // namespace orrery::lens::why
