// Signals that are neither a bad memory access nor an abort: arithmetic, illegal instructions, traps, and
// signals that somebody sent.
#include <asm/unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

void explain_arithmetic(const Facts& facts, Verdict& verdict) {
  verdict.category = Category::arithmetic;
  switch (facts.fault->code) {
    case FPE_INTDIV:
      // The same trap serves a quotient that does not fit; only the divisor tells them apart.
      if (facts.fault->divisor.value_or(0) == 0) {
        verdict.headline += "it divided an integer by zero";
      } else {
        verdict.headline += "the quotient of an integer division does not fit";
        verdict.sentences.push_back("The divisor is " + hexadecimal(*facts.fault->divisor) +
                                    "; the smallest integer divided by -1 does this.");
      }
      break;
    case FPE_FLTDIV:
      verdict.headline += "it divided by zero in floating point";
      break;
    case FPE_FLTINV:
      verdict.headline += "an invalid floating-point operation";
      break;
    case FPE_FLTOVF:
      verdict.headline += "a floating-point overflow";
      break;
    default:
      verdict.headline += "an arithmetic error";
      break;
  }
}

void explain_illegal(const Facts& facts, Verdict& verdict) {
  verdict.category = Category::illegal_instruction;
  const std::vector<u8>& bytes = facts.fault->instruction;
  const bool deliberate = bytes.size() >= 2 && bytes[0] == 0x0f && (bytes[1] == 0x0b || bytes[1] == 0xb9);
  if (deliberate) {
    verdict.headline += "it ran into an instruction that compilers put where code must not come";
    verdict.sentences.push_back(
        "ud2 stands for __builtin_unreachable, a failed check, or a path that returns nothing.");
    return;
  }
  verdict.headline += "the CPU does not know an instruction of it";
  std::string text;
  for (const u8 byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += (text.empty() ? "" : " ") + std::string{kDigits[byte >> 4], kDigits[byte & 15]};
  }
  verdict.sentences.push_back("The bytes there are " + text + ".");
}

/// kill and its kin, by the program itself.
const Call* own_kill(const Facts& facts) {
  if (facts.calls.empty()) return nullptr;
  const Call& last = facts.calls.back();
  const bool kills = last.name == "kill" || last.name == "tgkill" || last.name == "tkill";
  const auto target = static_cast<i32>(last.arguments[0]);
  return kills && (target == facts.run.pid || target <= 0) ? &last : nullptr;
}

/// How much more memory the program asked for in its last calls, and who asked for most of it.
void tell_of_growth(const Facts& facts, Verdict& verdict) {
  constexpr u64 kToldBytesLeast = 64 << 20;
  std::map<std::string, u64> askers;
  u64 grown_bytes = 0, brk = 0;
  for (const Call& call : facts.calls) {
    u64 bytes = 0;
    if (call.failed() || !call.returned) continue;
    if (call.number == __NR_brk) {
      const u64 end = static_cast<u64>(call.result);
      bytes = brk != 0 && end > brk ? end - brk : 0;
      brk = end;
    } else if (call.number == __NR_mmap && (call.arguments[3] & MAP_ANONYMOUS) != 0) {
      bytes = call.arguments[1];
    }
    grown_bytes += bytes;
    const FrameFact* const frame = call.stack ? call.stack->users() : nullptr;
    if (frame != nullptr) askers[place_text(*frame)] += bytes;
  }
  if (grown_bytes < kToldBytesLeast) return;
  const auto most = std::max_element(askers.begin(), askers.end(), [](const auto& left, const auto& right) {
    return left.second < right.second;
  });
  verdict.sentences.push_back(
      "In its last " + std::to_string(facts.calls.size()) + " calls it asked for " +
      std::to_string(grown_bytes >> 20) + " MiB of memory" +
      (most == askers.end() ? ""
                            : ", " + std::to_string(most->second >> 20) + " MiB of them in " + most->first) +
      ".");
}

std::string killer_words(const Killer& killer) {
  constexpr u64 kCommandBytesMost = 60;
  return quote(killer.process.command, kCommandBytesMost) + " (process " +
         std::to_string(killer.process.pid) + ")";
}

/// What could have made the kernel do it; the program cannot see such a signal, so nothing is recorded of it.
void tell_of_kill(const Facts& facts, Verdict& verdict) {
  if (facts.killer) {
    const FrameFact* const frame = facts.killer->sight.stack.users();
    verdict.sentences.push_back("The call was " + facts.killer->sight.call->text +
                                (frame == nullptr ? "" : ", in " + place_text(*frame)) + ".");
    if (frame != nullptr) verdict.place = *frame;
    return;
  }
  tell_of_growth(facts, verdict);
  const u64 cpu_limit = facts.limits[RLIMIT_CPU];
  if (facts.replayed && cpu_limit != RLIM_INFINITY)
    verdict.sentences.push_back(
        "It had a limit of " + std::to_string(cpu_limit) +
        " s of CPU time (RLIMIT_CPU, ulimit -t); the kernel kills what reaches the hard one.");
  verdict.sentences.push_back(
      "Who sent it the recording does not tell: kill -9, a limit, or the kernel when memory ran "
      "out (journalctl -k names that).");
  if (facts.mapped_bytes != 0)
    verdict.sentences.push_back("Its address space was " + std::to_string(facts.mapped_bytes >> 20) +
                                " MiB.");
  verdict.sentences.push_back("What follows is where it was at its last recorded event, not where it ended.");
}

void explain_sent(const Facts& facts, Verdict& verdict) {
  verdict.category = Category::signal;
  const int signal = facts.run.signal;
  verdict.show_calls = true;
  if (const Call* call = own_kill(facts)) {
    verdict.headline += "it sent the signal to itself";
    verdict.sentences.push_back("The call was " + call->text + ".");
  } else if (facts.run.killed) {
    verdict.category = Category::killed;
    verdict.headline += facts.killer ? killer_words(*facts.killer) + ", which is in the recording, sent it"
                                     : "another process or the kernel sent it, and it could not be caught";
    tell_of_kill(facts, verdict);
  } else if (signal == SIGPIPE) {
    verdict.category = Category::broken_pipe;
    verdict.headline += "it wrote to a pipe or socket that nobody reads";
  } else if (signal == SIGALRM || signal == SIGVTALRM || signal == SIGPROF) {
    verdict.headline += "a timer of it ran out";
  } else if (signal == SIGXCPU) {
    verdict.headline += "it used up its CPU time (ulimit -t)";
  } else if (signal == SIGXFSZ) {
    verdict.headline += "a file of it grew over the limit (ulimit -f)";
  } else if (signal == SIGINT) {
    verdict.headline += "it was interrupted (Ctrl-C, or kill)";
  } else {
    verdict.headline += "somebody sent it that signal";
  }
}

}  // namespace

bool sent_by_itself(const Facts& facts) { return own_kill(facts) != nullptr; }

std::optional<Verdict> explain_other_signal(const Facts& facts) {
  if (facts.run.signal == 0) return std::nullopt;
  Verdict verdict{.headline = program_name(facts) + " died of " + signal_name(facts.run.signal) + ": "};
  const int fault = facts.fault ? facts.fault->signal : 0;
  if (fault == SIGFPE) {
    explain_arithmetic(facts, verdict);
  } else if (fault == SIGILL) {
    explain_illegal(facts, verdict);
  } else if (fault == SIGTRAP) {
    verdict.category = Category::trap;
    verdict.headline += "it ran into a breakpoint instruction and no debugger was there";
  } else {
    explain_sent(facts, verdict);
  }
  verdict.headline += ".";
  if (const FrameFact* frame = facts.stack.users(); frame && (!facts.run.killed || sent_by_itself(facts)))
    verdict.place = *frame;
  verdict.words = last_words(facts, 2);
  verdict.show_stack = facts.replayed;
  verdict.show_registers = fault != 0;
  return verdict;
}

}  // namespace orrery::lens::why
