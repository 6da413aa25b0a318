// A status other than 0: which call failed before the program gave up, and what it said. Programs make
// many calls that fail without harm (searching for a file in several places), so the call is chosen by
// evidence: its path stands in the words on stderr; else its error's text does; else it is the last
// failure before those words that is not one of the usual.
#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/base_name.h"
#include "lens/why/verdict.h"
#include "linux/error_names.h"

namespace orrery::lens::why {
namespace {

constexpr u64 kLinesShown = 4;
constexpr u64 kCallsShown = 4;

/// Failures that every program has: questions, not errors.
bool is_usual(const Call& call) {
  if (call.path.find("/locale") != std::string::npos || call.path.find("gconv") != std::string::npos ||
      call.path.ends_with(".mo") || call.path.starts_with("/etc/ld.so") ||
      call.path.find("glibc-hwcaps") != std::string::npos) {
    return true;
  }
  switch (call.number) {
    case __NR_ioctl:
      return call.error() == ENOTTY;
    case __NR_lseek:
      return call.error() == ESPIPE;
    case __NR_readlink:
    case __NR_readlinkat:
      return call.error() == EINVAL;
    case __NR_arch_prctl:
    case __NR_rseq:
    case __NR_rt_sigreturn:
    case __NR_set_robust_list:
      return true;
    case __NR_read:
      return call.error() == EAGAIN;
    default:
      return false;
  }
}

/// How strongly a failure is tied to the words on stderr.
int evidence(const Call& call, const std::string& output) {
  const std::string name(base_name(call.path));
  const abi::ErrorName* error = abi::find_error(call.error());
  const bool says_error = error && output.find(error->text) != std::string::npos;
  if (is_usual(call) && !says_error) return -1;
  if (!call.path.empty() && output.find(call.path) != std::string::npos) return 3;
  if (name.size() > 2 && output.find(name) != std::string::npos) return says_error ? 3 : 2;
  if (is_usual(call)) return -1;
  return says_error ? 1 : 0;
}

/// The last line that is more than a pointer to the manual.
std::string telling_line(const std::string& output) {
  std::string telling;
  for (u64 at = 0; at < output.size();) {
    const u64 end = std::min(output.find('\n', at), output.size());
    const std::string line = output.substr(at, end - at);
    const bool manual = line.starts_with("Try ") || line.starts_with("usage") || line.starts_with("Usage");
    if (!line.empty() && (!manual || telling.empty())) telling = line;
    at = end + 1;
  }
  return telling;
}

std::string failure_sentence(const Call& call) {
  const abi::ErrorName* error = abi::find_error(call.error());
  std::string text = call.name;
  if (!call.path.empty()) text += " of " + call.path;
  text += " failed";
  if (error) text += std::string(": ") + error->text + " (" + error->name + ")";
  return text;
}

}  // namespace

std::vector<Call> choose_failures(const Facts& facts, const std::string& output) {
  std::vector<Call> failures;
  for (const Call& call : facts.calls) {
    if (call.failed()) failures.push_back(call);
  }
  int best = -1;
  for (const Call& call : failures) best = std::max(best, evidence(call, output));
  // What it said tells more than a failure that has nothing to do with it.
  if (best < 0 || (best == 0 && !output.empty())) return {};
  std::erase_if(failures, [&](const Call& call) { return evidence(call, output) < best; });
  if (failures.size() > kCallsShown)
    failures.erase(failures.begin(), failures.end() - static_cast<i64>(kCallsShown));
  return failures;
}

std::optional<Verdict> explain_exit_status(const Facts& facts) {
  if (facts.run.signal != 0 || facts.run.status == 0) return std::nullopt;
  Verdict verdict{.category = Category::exit_status};
  verdict.headline = program_name(facts) + " gave up with exit status " + std::to_string(facts.run.status);
  const std::string output = error_output(facts);
  verdict.failing_calls = choose_failures(facts, output);
  verdict.words = last_words(facts, kLinesShown);
  if (!verdict.failing_calls.empty()) {
    const Call& culprit = verdict.failing_calls.back();
    verdict.headline +=
        (evidence(culprit, output) > 0 ? ": " : "; the last call that failed: ") + failure_sentence(culprit);
    const FrameFact* frame = culprit.stack ? culprit.stack->users() : nullptr;
    if (frame) {
      verdict.place = *frame;
    }
  }
  if (verdict.failing_calls.empty() && !verdict.words.empty()) {
    verdict.headline += ", saying " + quote(telling_line(output), 120);
  }
  verdict.headline += ".";
  if (!verdict.failing_calls.empty()) {
    const Call& culprit = verdict.failing_calls.back();
    if (const std::string path = opened_as(facts, culprit); culprit.path.empty() && !path.empty())
      verdict.sentences.push_back("Descriptor " + std::to_string(culprit.fd) + " is " + path + ".");
  }
  if (!verdict.place) {
    for (auto one = verdict.words.rbegin(); one != verdict.words.rend() && !verdict.place; ++one)
      verdict.place = one->writer;
  }
  if (const FrameFact* frame = facts.stack.users(); frame && frame->source.line != 0) {
    verdict.sentences.push_back("It exited from " + place_text(*frame) + ".");
    if (!verdict.place) verdict.place = *frame;
  }
  if (verdict.failing_calls.empty() && verdict.words.empty()) {
    verdict.sentences.push_back("It said nothing on stderr, and none of its last calls failed.");
    verdict.show_calls = true;
    verdict.show_stack = true;
  }
  return verdict;
}

}  // namespace orrery::lens::why
