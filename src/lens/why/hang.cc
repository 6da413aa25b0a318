// A program that did not end by itself: what it waited for. From the first thread the waits are followed,
// from a lock to who holds it, from a join to the thread that is joined, to a circle, to one that ran, or to
// a wait that no thread of the process ends. "Nobody can wake it" is said only where every thread that is
// left waits without a time-out for something inside the process.
#include <asm/unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

#include "base/base_name.h"
#include "lens/why/verdict.h"
#include "linux/error_names.h"

namespace orrery::lens::why {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kTasksTold = 8;
/// A loop of calls: so many times the same ones at the end.
constexpr u64 kRoundsLeast = 10;
constexpr u64 kRoundCallsMost = 6;

std::string task_words(const TaskFact& task) {
  return (task.task == task.pid ? "the main thread, " : "thread ") + std::to_string(task.task);
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string at_place(const TaskFact& task) {
  const FrameFact* const frame = task.users();
  return frame == nullptr ? "" : ", in " + place_text(*frame);
}

const HeldDescriptor* descriptor_of(const Facts& facts, u32 process, int fd) {
  for (const HeldDescriptor& held : facts.descriptors) {
    if (held.process == process && held.fd == fd) return &held;
  }
  return nullptr;
}

std::string descriptor_words(const Facts& facts, const TaskFact& task) {
  const HeldDescriptor* const held = descriptor_of(facts, task.process, task.fd);
  std::string text = "descriptor " + std::to_string(task.fd);
  if (held == nullptr) return text;
  return text + " (" + held->kind + (held->name.empty() ? "" : ", " + held->name) + ")";
}

/// "the lock `first`"
std::string object_words(const char* kind, const TaskFact& task) {
  return std::string(kind) + " `" + task.object + "`";
}

/// What the task waits for, as the object of "waits for".
std::string wait_words(const Facts& facts, const TaskFact& task) {
  switch (task.waits) {
    case Waits::nothing:
      return "nothing";
    case Waits::lock:
      return object_words("the lock", task);
    case Waits::read_lock:
    case Waits::write_lock:
      return object_words("the read-write lock", task) +
             (task.waits == Waits::read_lock ? " to read" : " to write");
    case Waits::condition:
      return "a signal on the condition `" + task.object + "`";
    case Waits::semaphore:
      return object_words("the semaphore", task);
    case Waits::barrier:
      return "others at the barrier `" + task.object + "`";
    case Waits::futex:
      return "a change of the word `" + task.object + "`";
    case Waits::thread:
      return "the end of thread " + std::to_string(task.other);
    case Waits::child:
      return "the end of a child process";
    case Waits::descriptor:
      return task.call + " on " + descriptor_words(facts, task);
    case Waits::readiness:
      return "some descriptor to be ready (" + task.call + ")";
    case Waits::timer:
      return "a time to pass (" + task.call + ")";
    case Waits::signal:
      return "a signal (" + task.call + ")";
    case Waits::file_lock:
      return "a file lock (" + task.call + ") on " + descriptor_words(facts, task);
    case Waits::call:
      return "the system call " + task.call;
  }
  return "";
}

const TaskFact* task_of(const Facts& facts, i32 number) {
  for (const TaskFact& task : facts.tasks) {
    if (task.task == number) return &task;
  }
  return nullptr;
}

const TaskFact& first_task(const Facts& facts) {
  const TaskFact* const leader = task_of(facts, facts.run.pid);
  return leader == nullptr ? facts.tasks.front() : *leader;
}

bool is_exclusive(Waits waits) {
  return waits == Waits::lock || waits == Waits::read_lock || waits == Waits::write_lock;
}

/// "Thread 7 waits for the lock `a`, which thread 9 holds, in take() at x.c:5."
std::string task_sentence(const Facts& facts, const TaskFact& task) {
  std::string text = capital(task_words(task));
  if (task.pid != facts.run.pid) text += " of process " + std::to_string(task.pid);
  text += task.task == task.pid ? ", " : " ";
  text += task.waits == Waits::nothing ? "ran" : "waits for " + wait_words(facts, task);
  if (is_exclusive(task.waits) && task.other != 0) {
    if (task.other == task.task) {
      text += ", which it holds itself";
    } else if (const TaskFact* const owner = task_of(facts, task.other)) {
      text += ", which " + task_words(*owner) + (owner->task == owner->pid ? "," : "") + " holds";
    } else {
      text += ", which thread " + std::to_string(task.other) + " holds";
    }
  } else if (is_exclusive(task.waits) && task.readers != 0) {
    text += ", which is held for reading";
  }
  return text + at_place(task) + ".";
}

struct Chain {
  std::vector<const TaskFact*> tasks{};  ///< from the first thread on
  bool is_circle = false;                ///< the last one waits for `circle_from`
  u64 circle_from = 0;
  bool owner_is_gone = false;  ///< the last one waits for a lock whose owner has ended
};

Chain follow(const Facts& facts, const TaskFact& first) {
  Chain chain;
  chain.tasks.push_back(&first);
  for (;;) {
    const TaskFact& last = *chain.tasks.back();
    if ((!is_exclusive(last.waits) && last.waits != Waits::thread) || last.other == 0) return chain;
    const TaskFact* const next = task_of(facts, last.other);
    if (next == nullptr) {
      chain.owner_is_gone = is_exclusive(last.waits);
      return chain;
    }
    const auto seen = std::find(chain.tasks.begin(), chain.tasks.end(), next);
    if (seen != chain.tasks.end()) {
      chain.is_circle = true;
      chain.circle_from = static_cast<u64>(seen - chain.tasks.begin());
      return chain;
    }
    chain.tasks.push_back(next);
  }
}

/// It waits for what only a thread of the process can do, as long as it takes.
bool waits_inside(const TaskFact& task) {
  switch (task.waits) {
    case Waits::lock:
    case Waits::read_lock:
    case Waits::write_lock:
    case Waits::condition:
    case Waits::semaphore:
    case Waits::barrier:
    case Waits::futex:
    case Waits::thread:
      return task.for_ever && !task.shared;
    default:
      return false;
  }
}

bool nobody_is_left(const Facts& facts) {
  return std::all_of(facts.tasks.begin(), facts.tasks.end(), waits_inside);
}

void tell_tasks(const Facts& facts, const std::vector<const TaskFact*>& tasks, Verdict& verdict) {
  for (u64 i = 0; i < tasks.size() && i < kTasksTold; ++i)
    verdict.sentences.push_back(task_sentence(facts, *tasks[i]));
}

/// Those that are not told of yet.
void tell_rest(const Facts& facts, const std::vector<const TaskFact*>& told, Verdict& verdict) {
  std::vector<const TaskFact*> rest;
  for (const auto* tasks : {&facts.tasks, &facts.others}) {
    for (const TaskFact& task : *tasks) {
      if (std::find(told.begin(), told.end(), &task) == told.end()) rest.push_back(&task);
    }
  }
  tell_tasks(facts, rest, verdict);
  if (rest.size() > kTasksTold)
    verdict.sentences.push_back("There are " + std::to_string(rest.size() - kTasksTold) + " more threads.");
}

void explain_circle(const Facts& facts, const Chain& chain, Verdict& verdict) {
  std::vector<const TaskFact*> circle(chain.tasks.begin() + static_cast<i64>(chain.circle_from),
                                      chain.tasks.end());
  verdict.category = Category::deadlock;
  const bool by_join = std::any_of(circle.begin(), circle.end(),
                                   [](const TaskFact* task) { return task->waits == Waits::thread; });
  if (circle.size() == 1 && by_join) {
    verdict.headline += "a deadlock: it joins the thread that it is";
  } else if (circle.size() == 1) {
    verdict.headline += "a deadlock: a thread takes a lock again that it holds itself";
  } else if (by_join) {
    verdict.headline += "a deadlock: threads wait for each other in a circle";
  } else {
    verdict.headline +=
        "a deadlock: " + std::to_string(circle.size()) + " threads each hold a lock that the next one wants";
  }
  tell_tasks(facts, circle, verdict);
  tell_rest(facts, circle, verdict);
  if (const FrameFact* const frame = circle.front()->users()) verdict.place = *frame;
}

void explain_left_alone(const Facts& facts, const TaskFact& root, Verdict& verdict) {
  switch (root.waits) {
    case Waits::write_lock:
    case Waits::read_lock:
    case Waits::lock:
      verdict.category = Category::deadlock;
      verdict.headline += "it waits for " + wait_words(facts, root) + ", and every thread that is left waits";
      if (root.readers != 0)
        verdict.sentences.push_back(facts.tasks.size() == 1
                                        ? "The lock is held for reading, and this is the only thread: it "
                                          "holds it itself, or a thread that "
                                          "has ended did not release it."
                                        : "The lock is held for reading; who reads, the lock does not tell.");
      break;
    default:
      verdict.category = Category::lost_wakeup;
      verdict.headline += "it waits for " + wait_words(facts, root) +
                          ", and no thread is left that could do it: every one waits";
      if (root.waits == Waits::condition)
        verdict.sentences.push_back(
            "Either nobody ever signals it, or the signal came before the wait: what it waits for must be "
            "asked "
            "with the lock held, in a loop around the wait.");
  }
}

/// Who has the other end of the pipe that the task reads or writes.
void tell_pipe(const Facts& facts, const TaskFact& task, Verdict& verdict) {
  const HeldDescriptor* const mine = descriptor_of(facts, task.process, task.fd);
  if (mine == nullptr || mine->pipe == 0) return;
  const bool reads = task.number == __NR_read || task.number == __NR_readv;
  std::set<u32> holders;
  for (const HeldDescriptor& held : facts.descriptors) {
    if (held.pipe == mine->pipe && held.file != mine->file) holders.insert(held.process);
  }
  const char* const end = reads ? "writing" : "reading";
  if (reads && holders.size() == 1 && *holders.begin() == task.process)
    verdict.sentences.push_back((task.process == facts.run.process ? "Only the process itself has the "
                                                                   : "Only this process has the ") +
                                std::string(end) +
                                " end of the pipe open: while it does, the pipe does not end.");
  else if (!holders.empty())
    verdict.sentences.push_back("The pipe's " + std::string(end) + " end is open in " +
                                std::to_string(holders.size()) +
                                (holders.size() == 1 ? " process" : " processes") +
                                (holders.contains(task.process) ? ", the waiting one among them." : "."));
  if (!reads) verdict.sentences.push_back("The pipe is full: nobody reads what is in it.");
}

/// The process whose end the task waits for, if it is known.
void tell_children(const Facts& facts, Verdict& verdict) {
  std::set<i32> told;
  for (const TaskFact& other : facts.others) {
    if (told.insert(other.pid).second && told.size() <= 3)
      verdict.sentences.push_back(task_sentence(facts, other));
    if (other.waits == Waits::descriptor && told.size() <= 3) tell_pipe(facts, other, verdict);
  }
}

void explain_root(const Facts& facts, const TaskFact& root, Verdict& verdict) {
  switch (root.waits) {
    case Waits::descriptor:
      verdict.category = Category::waits_for_peer;
      verdict.headline += root.number == __NR_accept || root.number == __NR_accept4
                              ? "it waits for somebody to connect: " + wait_words(facts, root)
                              : "it waits for a peer: " + wait_words(facts, root);
      tell_pipe(facts, root, verdict);
      break;
    case Waits::readiness:
      verdict.category = Category::waits_for_peer;
      verdict.headline += "it waits for " + wait_words(facts, root);
      break;
    case Waits::child:
      verdict.category = Category::waits_for_child;
      verdict.headline += "it waits for a child process that does not end";
      break;
    case Waits::signal:
      verdict.category = Category::waits_for_signal;
      verdict.headline += "it waits for a signal (" + root.call + ")";
      break;
    case Waits::file_lock:
      verdict.category = Category::waits_for_file_lock;
      verdict.headline += "it waits for " + wait_words(facts, root);
      break;
    case Waits::timer:
      verdict.category = Category::sleeps;
      verdict.headline += "it sleeps (" + root.call + ")";
      break;
    case Waits::nothing:
      verdict.category = Category::waits_for_thread;
      verdict.headline += "its main thread waits for another thread, which was still running";
      break;
    default:
      verdict.category = is_exclusive(root.waits) ? Category::waits_for_lock : Category::waits_for_thread;
      verdict.headline += "it waits for " + wait_words(facts, root);
      verdict.sentences.push_back(
          "Whether another thread would have ended the wait, the recording does not tell.");
  }
}

void tell_time(const Facts& facts, const TaskFact& root, Verdict& verdict) {
  if (root.waits == Waits::nothing || facts.progress.still_ns < kNsPerSecond / 10) return;
  verdict.sentences.push_back("Nothing of it ran in the last " + seconds(facts.progress.still_ns) + " of " +
                              seconds(facts.progress.run_ns) + ".");
}

// --- pools ---

constexpr u64 kWorkersLeast = 2;

/// The function of the program's own that the thread began with.
std::string entry_function(const TaskFact& task) {
  for (const auto* frames : {&task.stack.outer, &task.stack.inner}) {
    for (auto frame = frames->rbegin(); frame != frames->rend(); ++frame) {
      if (frame->users && frame->source.line != 0 && frame->function.find("std::") != 0)
        return frame->function;
    }
  }
  return "";
}

/// Threads that began alike and wait at one place, but not all for one thing: those may have nothing to do.
bool is_blocked_pool(const std::vector<const TaskFact*>& workers) {
  if (workers.size() < kWorkersLeast) return false;
  const TaskFact& first = *workers.front();
  const FrameFact* const place = first.users();
  if (place == nullptr || place->function.empty()) return false;
  const auto waits_alike = [&](const TaskFact* each) {
    const FrameFact* const other = each->users();
    return each->waits == first.waits && each->for_ever && other != nullptr &&
           other->function == place->function && other->source.line == place->source.line;
  };
  if (!std::all_of(workers.begin(), workers.end(), waits_alike)) return false;
  if (first.waits == Waits::descriptor) return first.number != __NR_accept && first.number != __NR_accept4;
  std::set<u64> objects;
  for (const TaskFact* each : workers) objects.insert(each->object_address);
  return waits_inside(first) && first.waits != Waits::thread && objects.size() == workers.size();
}

/// All threads but the first one, if the first waits for what only they could do and they cannot.
std::vector<const TaskFact*> find_blocked_pool(const Facts& facts) {
  const TaskFact& leader = first_task(facts);
  if (!waits_inside(leader) || is_exclusive(leader.waits) || leader.waits == Waits::thread) return {};
  std::vector<const TaskFact*> workers;
  for (const TaskFact& task : facts.tasks) {
    if (&task != &leader) workers.push_back(&task);
  }
  const bool alike = std::all_of(workers.begin(), workers.end(), [&](const TaskFact* each) {
    const std::string entry = entry_function(*each);
    return !entry.empty() && entry == entry_function(*workers.front());
  });
  if (!alike || !is_blocked_pool(workers)) return {};
  return workers;
}

bool explain_pool(const Facts& facts, Verdict& verdict) {
  const std::vector<const TaskFact*> workers = find_blocked_pool(facts);
  if (workers.empty()) return false;
  const TaskFact& worker = *workers.front();
  verdict.category = Category::pool_blocked;
  verdict.headline += "it waits for its worker threads, and all " + std::to_string(workers.size()) +
                      " of them wait too, in " + place_text(*worker.users());
  if (worker.waits == Waits::descriptor) {
    const bool is_one = std::all_of(workers.begin(), workers.end(),
                                    [&](const TaskFact* each) { return each->fd == worker.fd; });
    verdict.sentences.push_back("Each of these " + std::to_string(workers.size()) + " threads waits for " +
                                (is_one ? wait_words(facts, worker) : "a peer, on descriptors of their own") +
                                ".");
    if (is_one) tell_pipe(facts, worker, verdict);
  } else {
    verdict.sentences.push_back(
        "These threads are alike, and each waits for something of its own: if that is a job "
        "for one of them, none is left to run it.");
  }
  tell_tasks(facts, {&first_task(facts), &worker}, verdict);
  verdict.place = *worker.users();
  tell_time(facts, worker, verdict);
  return true;
}

// --- loops ---

/// The innermost function of the program's own that all samples have, with the frame of the first one.
const FrameFact* common_function(const std::vector<StackFact>& samples) {
  if (samples.empty()) return nullptr;
  for (const FrameFact& frame : samples.front().inner) {
    if (!frame.users || frame.function.empty()) continue;
    const bool everywhere = std::all_of(samples.begin(), samples.end(), [&](const StackFact& sample) {
      return std::any_of(sample.inner.begin(), sample.inner.end(),
                         [&](const FrameFact& other) { return other.function == frame.function; });
    });
    if (everywhere) return &frame;
  }
  return nullptr;
}

bool explain_computing(const Facts& facts, Verdict& verdict) {
  constexpr u64 kSamplesLeast = 3;
  const bool runs = std::any_of(facts.tasks.begin(), facts.tasks.end(),
                                [](const TaskFact& task) { return task.waits == Waits::nothing; });
  if (!runs || facts.samples.size() < kSamplesLeast || facts.progress.quiet_ns < kNsPerSecond / 4)
    return false;
  verdict.category = Category::busy_loop;
  verdict.headline +=
      "it was computing, and asked the system for nothing in its last " + seconds(facts.progress.quiet_ns);
  if (const FrameFact* const frame = common_function(facts.samples)) {
    verdict.place = *frame;
    verdict.sentences.push_back("Wherever it was looked at in that time (at " +
                                std::to_string(facts.samples.size()) + " instants), it was in " +
                                short_function(frame->function) + "().");
  }
  verdict.sentences.push_back(
      "That is a loop that does not end, or much to compute: a recording that was cut cannot tell which.");
  return true;
}

bool same_call(const Call& left, const Call& right) {
  const bool same_result = left.result == right.result || !left.returned || !right.returned;
  return left.number == right.number && left.path == right.path && left.arguments[0] == right.arguments[0] &&
         (same_result || (!left.failed() && !right.failed()));
}

/// How many calls make one round of the loop that the calls end with; 0 if there is none.
u64 round_of(const std::vector<Call>& calls) {
  for (u64 round = 1; round <= kRoundCallsMost; ++round) {
    if (calls.size() < round * (kRoundsLeast + 1)) return 0;
    bool repeats = true;
    for (u64 i = 1; i <= round * kRoundsLeast && repeats; ++i)
      repeats = same_call(calls[calls.size() - i], calls[calls.size() - i - round]);
    if (repeats) return round;
  }
  return 0;
}

bool explain_repeating(const Facts& facts, Verdict& verdict) {
  // One that has waited for long does not repeat anything, unless it only lets time pass.
  if (facts.progress.still_ns > kNsPerSecond / 4 && first_task(facts).waits != Waits::timer) return false;
  const u64 round = round_of(facts.calls);
  if (round == 0) return false;
  bool waits = false;
  const Call* failing = nullptr;
  std::string names;
  for (u64 i = facts.calls.size() - round; i < facts.calls.size(); ++i) {
    const Call& call = facts.calls[i];
    names += (names.empty() ? "" : ", ") + call.name;
    if (call.number == __NR_nanosleep || call.number == __NR_clock_nanosleep || call.number == __NR_poll ||
        call.number == __NR_select || call.number == __NR_epoll_wait || call.number == __NR_ppoll)
      waits = true;
    if (call.failed()) failing = &call;
  }
  // The last one may have been cut off.
  for (u64 i = facts.calls.size() - 2 * round; i < facts.calls.size() && failing == nullptr; ++i) {
    if (facts.calls[i].failed()) failing = &facts.calls[i];
  }
  verdict.category = waits ? Category::retries : Category::busy_loop;
  verdict.headline +=
      (waits ? "it repeats the same calls (" : "it is in a loop of the same calls without waiting (") +
      names + ")";
  if (failing != nullptr) {
    const abi::ErrorName* const error = abi::find_error(failing->error());
    verdict.headline += ", and " + failing->name + (failing->path.empty() ? "" : " of " + failing->path) +
                        " fails each time" +
                        (error == nullptr ? "" : std::string(": ") + error->text + " (" + error->name + ")");
    verdict.failing_calls = {*failing};
  }
  const StackFact* stack = failing != nullptr && failing->stack ? &*failing->stack : nullptr;
  if (stack == nullptr) stack = &facts.stack;
  if (const FrameFact* const frame = stack->users()) verdict.place = *frame;
  verdict.show_calls = failing == nullptr;
  return true;
}

// --- the whole ---

std::string ending_words(const Facts& facts) {
  if (!facts.run.ended) return "The recording stops before it ended.";
  std::string text = signal_name(facts.run.signal) + " ended it from outside";
  if (facts.progress.sender && *facts.progress.sender != 0 && !facts.run.killed)
    text += ", sent by process " + std::to_string(*facts.progress.sender);
  return text + ".";
}

/// A thread that is in a circle of waits, though the first one may not lead there.
std::optional<Chain> find_circle(const Facts& facts) {
  for (const TaskFact& task : facts.tasks) {
    Chain chain = follow(facts, task);
    if (chain.is_circle || chain.owner_is_gone) return chain;
  }
  return std::nullopt;
}

void explain_waits(const Facts& facts, Verdict& verdict) {
  const std::optional<Chain> circle = find_circle(facts);
  const Chain chain = circle ? *circle : follow(facts, first_task(facts));
  const TaskFact& root = *chain.tasks.back();
  if (chain.is_circle) {
    explain_circle(facts, chain, verdict);
    tell_time(facts, root, verdict);
    return;
  }
  if (!chain.owner_is_gone && explain_pool(facts, verdict)) return;
  if (chain.owner_is_gone) {
    verdict.category = Category::lock_abandoned;
    verdict.headline += "it waits for " + wait_words(facts, root) + ", which a thread holds that has ended";
  } else if (nobody_is_left(facts)) {
    explain_left_alone(facts, root, verdict);
  } else {
    explain_root(facts, root, verdict);
  }
  tell_tasks(facts, chain.tasks, verdict);
  if (!facts.calls.empty() && !facts.calls.back().returned && facts.calls.back().number == root.number)
    verdict.sentences.push_back("The call is " + facts.calls.back().text + ".");
  if (root.waits == Waits::child) {
    tell_children(facts, verdict);
  } else {
    tell_rest(facts, chain.tasks, verdict);
  }
  if (const FrameFact* const frame = root.users()) verdict.place = *frame;
  tell_time(facts, root, verdict);
}

}  // namespace

std::optional<Verdict> explain_hang(const Facts& facts) {
  if (!facts.replayed || facts.tasks.empty() || !is_interrupted(facts.run)) return std::nullopt;
  if (facts.stop.reason == machine::StopReason::diverged || sent_by_itself(facts)) return std::nullopt;
  Verdict verdict{.headline = program_name(facts) + " did not end by itself: "};
  if (facts.run.signal == SIGALRM) return std::nullopt;
  const bool leader_runs = first_task(facts).waits == Waits::nothing;
  const bool explained = (explain_repeating(facts, verdict) || explain_computing(facts, verdict));
  if (!explained) {
    if (leader_runs || facts.run.killed) return std::nullopt;
    explain_waits(facts, verdict);
  }
  verdict.headline += ".";
  verdict.sentences.insert(verdict.sentences.begin(), ending_words(facts));
  verdict.words = last_words(facts, 2);
  verdict.show_stack = true;
  return verdict;
}

}  // namespace orrery::lens::why
