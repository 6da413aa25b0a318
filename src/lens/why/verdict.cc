#include "lens/why/verdict.h"

#include <cstdio>
#include <iterator>

#include "base/base_name.h"
#include "linux/signal_names.h"

namespace orrery::lens::why {
namespace {

Verdict clean(const Facts& facts) {
  Verdict verdict{.category = Category::clean,
                  .headline = program_name(facts) + " ended well: exit status 0."};
  return verdict;
}

/// The recorder or the machine did not see the end.
std::optional<Verdict> explain_missing_end(const Facts& facts) {
  if (facts.replayed && facts.stop.reason == machine::StopReason::diverged) {
    return Verdict{.category = Category::replay_differs,
                   .headline = "The replay differs from the recording, so nothing can be said for sure.",
                   .sentences = {"It parts at event " + std::to_string(facts.stop.event) + "."},
                   .hints = {{"orrery replay --check", "what was expected there and what came"}}};
  }
  if (facts.run.ended) return std::nullopt;
  Verdict verdict{.category = Category::recording_cut,
                  .headline = "The recording stops before " + program_name(facts) + " ended.",
                  .sentences = {"The program or its recorder was killed, or is still running."}};
  if (facts.replayed) {
    verdict.sentences.push_back("This is where the program stood at the last recorded event:");
    if (const FrameFact* frame = facts.stack.users()) verdict.place = *frame;
    verdict.show_stack = true;
    verdict.show_calls = true;
  }
  return verdict;
}

std::string with_pid(const ProcessFact& process) {
  constexpr u64 kCommandBytesMost = 60;
  return quote(process.command, kCommandBytesMost) + " (process " + std::to_string(process.pid) + ")";
}

/// Why it was slow, if it was: the verdict on a run that ended well, and a sentence on one that did not.
void tell_of_time(const Facts& facts, Verdict& verdict) {
  auto slow = explain_slowness(facts);
  if (!slow) return;
  if (verdict.category == Category::clean) {
    slow->headline = program_name(facts) + " ended well: exit status 0. It " + slow->headline;
    verdict = std::move(*slow);
    return;
  }
  verdict.sentences.push_back("It " + slow->headline);
  verdict.sentences.insert(verdict.sentences.end(), slow->sentences.begin(), slow->sentences.end());
  verdict.hints.insert(verdict.hints.end(), slow->hints.begin(), slow->hints.end());
}

/// How its end went up the tree, and what is wrong below it.
void tell_of_others(const Facts& facts, Verdict& verdict) {
  constexpr u64 kCrashedShown = 3;
  for (auto parent = facts.blaming.rbegin(); parent != facts.blaming.rend(); ++parent)
    verdict.sentences.push_back(with_pid(*parent) + " passed it on: " + parent->end + ".");
  if (facts.native)
    verdict.sentences.push_back("It passed on the end of " + with_pid(*facts.native) + ": " +
                                facts.native->end + ". That program was not recorded.");
  u64 shown = 0;
  for (const ProcessFact& child : facts.crashed) {
    if (shown++ == kCrashedShown) break;
    verdict.sentences.push_back(with_pid(child) + ", which it started, was killed by " + child.end + ".");
    verdict.hints.push_back(
        {"orrery why" + recording_words(facts) + " -p " + std::to_string(child.pid), "why that died"});
  }
  if (facts.crashed.size() > kCrashedShown)
    verdict.sentences.push_back("So were " + std::to_string(facts.crashed.size() - kCrashedShown) +
                                " more; `orrery ps" + recording_words(facts) + "` lists them.");
}

std::vector<Hint> common_hints(const Facts& facts) {
  const std::string recording = recording_words(facts);
  std::vector<Hint> hints;
  if (facts.run.started) hints.push_back({"orrery replay -a" + recording, "run it again, to the same bytes"});
  const std::string process = facts.run.process == 0 ? "" : " -p " + std::to_string(facts.run.pid);
  hints.push_back({"orrery dump" + recording + process, "all that entered or left the program"});
  return hints;
}

}  // namespace

Verdict explain(const Facts& facts) {
  constexpr std::optional<Verdict> (*kExplanations[])(const Facts&) = {
      explain_failed_start, explain_hang,        explain_missing_end,  explain_memory_fault,
      explain_reports,      explain_abort,       explain_other_signal, explain_loader,
      explain_resources,    explain_exit_status,
  };
  Verdict verdict;
  bool explained = false;
  for (const auto& explanation : kExplanations) {
    if (auto found = explanation(facts)) {
      verdict = std::move(*found);
      explained = true;
      break;
    }
  }
  if (!explained) verdict = clean(facts);
  tell_of_time(facts, verdict);
  if (asks_about_heap(verdict)) tell_of_heap_errors(facts, verdict);
  tell_of_others(facts, verdict);
  for (Hint& hint : common_hints(facts)) verdict.hints.push_back(std::move(hint));
  return verdict;
}

const char* name_of(Category category) {
  // In the order of Category.
  constexpr const char* kNames[] = {"clean",
                                    "exit_status",
                                    "null_access",
                                    "wild_pointer",
                                    "unmapped_memory",
                                    "freed_map",
                                    "stack_overflow",
                                    "write_to_read_only",
                                    "no_access",
                                    "null_call",
                                    "bad_jump",
                                    "file_truncated",
                                    "arithmetic",
                                    "illegal_instruction",
                                    "privileged",
                                    "misaligned",
                                    "trap",
                                    "abort",
                                    "assertion",
                                    "heap_corruption",
                                    "heap_overrun",
                                    "use_after_free",
                                    "double_free",
                                    "invalid_free",
                                    "stack_smash",
                                    "buffer_overflow",
                                    "uncaught_exception",
                                    "panic",
                                    "sanitizer",
                                    "descriptors_used_up",
                                    "memory_used_up",
                                    "processes_used_up",
                                    "no_space",
                                    "broken_pipe",
                                    "killed",
                                    "signal",
                                    "missing_program",
                                    "missing_interpreter",
                                    "not_executable",
                                    "missing_library",
                                    "missing_symbol",
                                    "deadlock",
                                    "lock_abandoned",
                                    "lost_wakeup",
                                    "pool_blocked",
                                    "waits_for_lock",
                                    "waits_for_thread",
                                    "waits_for_peer",
                                    "waits_for_child",
                                    "waits_for_signal",
                                    "waits_for_file_lock",
                                    "sleeps",
                                    "busy_loop",
                                    "retries",
                                    "slow_lock",
                                    "slow_child",
                                    "slow_peer",
                                    "slow_timeouts",
                                    "slow_disk",
                                    "slow_sleep",
                                    "slow_computing",
                                    "recording_cut",
                                    "replay_differs"};
  static_assert(std::size(kNames) == static_cast<u64>(Category::replay_differs) + 1);
  return kNames[static_cast<u64>(category)];
}

std::string program_name(const Facts& facts) {
  const std::string name(base_name(facts.run.program));
  return name.empty() ? "The program" : name;
}

std::string recording_words(const Facts& facts) {
  return facts.run.named.empty() ? "" : " " + facts.run.named;
}

std::string seconds(u64 ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ns) / 1e9);
  return text;
}

std::string milliseconds(u64 ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(ns) / 1e6);
  return text;
}

std::string signal_name(int signal) {
  if (const abi::SignalName* known = abi::find_signal(signal)) return known->name;
  if (signal >= abi::kFirstRealTimeSignal)
    return "SIGRTMIN+" + std::to_string(signal - abi::kFirstRealTimeSignal);
  return "signal " + std::to_string(signal);
}

std::string place_text(const FrameFact& frame) {
  if (frame.function.empty()) {
    return frame.image.empty() ? hexadecimal(frame.pc)
                               : std::string(base_name(frame.image)) + "+" + hexadecimal(frame.image_offset);
  }
  const std::string text = short_function(frame.function) + "()";
  if (frame.source.line != 0) {
    return text + " at " + std::string(base_name(frame.source.file)) + ":" +
           std::to_string(frame.source.line);
  }
  return frame.image.empty() ? text : text + " in " + std::string(base_name(frame.image));
}

std::string error_output(const Facts& facts) {
  std::string text;
  for (const Call& call : facts.calls) {
    if (call.fd == 2 && !call.failed()) text += call.written;
  }
  return text;
}

std::vector<Words> last_words(const Facts& facts, u64 lines_most) {
  std::vector<Words> words;
  for (const Call& call : facts.calls) {
    if (call.fd != 2 || call.failed() || call.written.empty()) continue;
    Words one{.text = call.written, .writer = std::nullopt};
    if (call.stack) {
      if (const FrameFact* frame = call.stack->users()) one.writer = *frame;
    }
    // Pieces of one line (perror writes once, a shell many times) belong together.
    const auto last = words.empty() ? one.writer : words.back().writer;
    const bool same_writer = last && one.writer && last->pc == one.writer->pc;
    const bool continues = !words.empty() && (words.back().text.back() != '\n' || same_writer);
    if (continues) {
      words.back().text += one.text;
    } else {
      words.push_back(std::move(one));
    }
  }
  if (words.size() > lines_most) words.erase(words.begin(), words.end() - static_cast<i64>(lines_most));
  return words;
}

}  // namespace orrery::lens::why
