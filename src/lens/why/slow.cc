// A run that took a second or more, and more than half of that for one reason. Only what is the program's own
// counts: not that its threads shared one processor while they were recorded.
#include <algorithm>
#include <map>

#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

bool is_main(const TimePart& part, const Facts& facts) {
  return part.process == facts.run.process && part.task == facts.run.pid;
}

std::string thread_words(const TimePart& part, const Facts& facts) {
  return is_main(part, facts) ? "the main thread" : "thread " + std::to_string(part.task);
}

std::string in_place(const Sight& sight) {
  const FrameFact* const frame = sight.stack.users();
  return frame == nullptr ? "" : ", in " + place_text(*frame);
}

/// "was 1.4 s in clock_nanosleep", "ran 0.3 s".
std::string doing_words(const TimePart& part) {
  if (part.state == "running") return "ran for " + seconds(part.ns());
  return "was in " + part.call + " for " + seconds(part.ns());
}

std::string times(u64 count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

void put_place(const Sight& sight, Verdict& verdict) {
  const FrameFact* const frame = sight.stack.users();
  if (!verdict.place && frame != nullptr && frame->source.line != 0) verdict.place = *frame;
}

const Sight* longest_sight(const Slowness& slowness) {
  const auto& sights = slowness.sights;
  const auto longest = std::max_element(
      sights.begin(), sights.end(),
      [](const Sight& left, const Sight& right) { return left.part.ns() < right.part.ns(); });
  return longest == sights.end() ? nullptr : &*longest;
}

void tell_lock(const Facts& facts, const Slowness& slowness, Verdict& verdict) {
  verdict.category = Category::slow_lock;
  verdict.headline += "the lock `" + slowness.object + "` was waited for";
  if (slowness.wait_sight) {
    const Sight& wait = *slowness.wait_sight;
    verdict.sentences.push_back(
        "It was waited for " + times(slowness.count) + (slowness.count == 1 ? ", by " : ", longest by ") +
        thread_words(wait.part, facts) + ", " + seconds(wait.part.ns()) + in_place(wait) + ".");
    if (wait.part.in_vain != 0)
      verdict.sentences.push_back("In that time it was woken " + times(wait.part.in_vain) +
                                  " in vain: the lock had been taken again, " +
                                  (wait.part.same_again ? "each time by the thread that had just released it."
                                                        : "before it could run."));
  }
  if (const Sight* const holder = longest_sight(slowness)) {
    const bool is_known = slowness.wait_to_see->owner == holder->part.task;
    verdict.sentences.push_back("Meanwhile " + thread_words(holder->part, facts) +
                                (is_known ? ", which held it, " : " ") + doing_words(holder->part) +
                                in_place(*holder) + ".");
    put_place(*holder, verdict);
  }
  if (slowness.wait_sight) put_place(*slowness.wait_sight, verdict);
}

std::string process_words(const ProcessFact& process) {
  constexpr u64 kCommandBytesMost = 60;
  return quote(process.command, kCommandBytesMost) + " (process " + std::to_string(process.pid) + ")";
}

void tell_others(const Slowness& slowness, Verdict& verdict) {
  const bool is_child = slowness.delay == Delay::child;
  verdict.category = is_child ? Category::slow_child : Category::slow_peer;
  verdict.headline += is_child ? "it waited for its child processes" : "it waited for others";
  if (slowness.other)
    verdict.sentences.push_back(
        "It was " + std::string(slowness.object_ns * 2 > slowness.delay_ns ? "" : "most ") +
        process_words(*slowness.other) + ", with " + seconds(slowness.object_ns) + ".");
  if (const Sight* const sight = longest_sight(slowness)) {
    verdict.sentences.push_back((slowness.other ? "That " : "Longest, it ") + doing_words(sight->part) +
                                in_place(*sight) + ".");
    put_place(*sight, verdict);
  }
  if (slowness.wait_sight) put_place(*slowness.wait_sight, verdict);
}

/// What the main thread waited for while another one of the process slept or read.
void tell_first_thread(const Facts& facts, const Slowness& slowness, const Sight& other, Verdict& verdict) {
  if (!slowness.wait_sight || slowness.delay == Delay::peer || slowness.delay == Delay::timeouts) return;
  const Sight& wait = *slowness.wait_sight;
  const std::string what = wait.part.reason == "thread" ? " for that thread to end"
                           : wait.part.object.empty()
                               ? ""
                               : " for the " + wait.part.reason + " `" + wait.part.object + "`";
  verdict.sentences.push_back("That was " + thread_words(other.part, facts) + "; meanwhile " +
                              thread_words(wait.part, facts) + " waited" + what + ", " +
                              seconds(wait.part.ns()) + in_place(wait) + ".");
}

void tell_calls(const Facts& facts, const Slowness& slowness, Verdict& verdict) {
  const std::string who = slowness.other ? process_words(*slowness.other) : "it";
  switch (slowness.delay) {
    case Delay::timeouts:
      verdict.category = Category::slow_timeouts;
      verdict.headline += who + " waited until its time-outs were over, " + times(slowness.count);
      break;
    case Delay::disk:
      verdict.category = Category::slow_disk;
      verdict.headline += who + " was in calls on files";
      if (!slowness.object.empty())
        verdict.sentences.push_back("For " + seconds(slowness.object_ns) + " the file was " +
                                    slowness.object + ".");
      break;
    case Delay::sleep:
      verdict.category = Category::slow_sleep;
      verdict.headline += who + " slept, " + times(slowness.count);
      break;
    default:
      verdict.category = Category::slow_peer;
      verdict.headline += who + " waited for others, who are not in the recording, " + times(slowness.count);
      if (!slowness.object.empty())
        verdict.sentences.push_back("For " + seconds(slowness.object_ns) + " it was the " + slowness.object +
                                    ".");
  }
  if (const Sight* const sight = longest_sight(slowness)) {
    const std::string call = sight->call && sight->call->returned ? sight->call->text : sight->part.call;
    verdict.sentences.push_back("The longest was " + call + ", " + milliseconds(sight->part.ns()) +
                                in_place(*sight) + ".");
    put_place(*sight, verdict);
    tell_first_thread(facts, slowness, *sight, verdict);
  }
}

/// The line of this function at which most sights were.
const FrameFact* most_seen(const std::vector<Sight>& sights, const std::string& function) {
  std::map<u32, u64> lines;
  const FrameFact* most = nullptr;
  for (const Sight& sight : sights) {
    const FrameFact* const frame = sight.stack.users();
    if (frame == nullptr || frame->function != function) continue;
    const u64 count = ++lines[frame->source.line];
    if (most == nullptr || count > lines[most->source.line]) most = frame;
  }
  return most;
}

void tell_computing(const Slowness& slowness, Verdict& verdict) {
  verdict.category = Category::slow_computing;
  verdict.headline += (slowness.other ? process_words(*slowness.other) : "it") + std::string(" computed");
  std::map<std::string, u64> functions;
  for (const Sight& sight : slowness.sights) {
    const FrameFact* const frame = sight.stack.users();
    if (frame != nullptr && !frame->function.empty()) ++functions[frame->function];
  }
  const auto most =
      std::max_element(functions.begin(), functions.end(),
                       [](const auto& left, const auto& right) { return left.second < right.second; });
  if (most == functions.end() || most->second * 2 <= slowness.sights.size()) return;
  const FrameFact& frame = *most_seen(slowness.sights, most->first);
  verdict.sentences.push_back(
      "At " + std::to_string(most->second) + " of " + std::to_string(slowness.sights.size()) +
      " moments at which it was looked at it was in " + short_function(frame.function) + "().");
  if (frame.source.line != 0) verdict.place = frame;
}

void add_hints(const Facts& facts, Verdict& verdict) {
  const std::string recording = recording_words(facts);
  if (verdict.category == Category::slow_computing)
    verdict.hints.push_back({"orrery show profile" + recording, "what was executed how often, by function"});
  if (verdict.category == Category::slow_disk || verdict.category == Category::slow_peer ||
      verdict.category == Category::slow_timeouts)
    verdict.hints.push_back({"orrery show io" + recording, "what it read and wrote, and how long that took"});
  verdict.hints.push_back(
      {"orrery show sched --path" + recording, "what its end had to wait for, piece by piece"});
}

}  // namespace

std::optional<Verdict> explain_slowness(const Facts& facts) {
  if (!facts.slowness) return std::nullopt;
  const Slowness& slowness = *facts.slowness;
  Verdict verdict{.headline = seconds(slowness.delay_ns) + " of these "};
  switch (slowness.delay) {
    case Delay::none:
      return std::nullopt;
    case Delay::lock:
      tell_lock(facts, slowness, verdict);
      break;
    case Delay::computing:
      tell_computing(slowness, verdict);
      break;
    case Delay::child:
      tell_others(slowness, verdict);
      break;
    case Delay::peer:
      slowness.wait_to_see ? tell_others(slowness, verdict) : tell_calls(facts, slowness, verdict);
      break;
    default:
      tell_calls(facts, slowness, verdict);
  }
  if (slowness.ready_ns * 4 > slowness.wall_ns)
    verdict.sentences.push_back(
        "For " + seconds(slowness.ready_ns) +
        " its threads were ready while others ran: recorded, they share one processor.");
  verdict.headline = "took " + seconds(slowness.wall_ns) + ", and for " + verdict.headline + ".";
  add_hints(facts, verdict);
  return verdict;
}

bool is_slowness(Category category) {
  return category >= Category::slow_lock && category <= Category::slow_computing;
}

}  // namespace orrery::lens::why
