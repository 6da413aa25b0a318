// A program that gave up because the system had no more of something for it: descriptors, memory, disk space,
// threads. The error of the call that failed last tells which; who took them is told by what it holds.
#include <asm/unistd.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "lens/why/verdict.h"
#include "linux/error_names.h"

namespace orrery::lens::why {
namespace {

/// Between the failure and the end a program says what was wrong, and clears up.
constexpr u64 kCallsBehindMost = 40;
constexpr u64 kMebi = 1 << 20;

bool makes_task(const Call& call) {
  return call.number == __NR_clone || call.number == __NR_clone3 || call.number == __NR_fork ||
         call.number == __NR_vfork;
}

bool maps(const Call& call) {
  return call.number == __NR_mmap || call.number == __NR_mremap || call.number == __NR_mprotect;
}

std::optional<Category> resource_of(const Call& call) {
  switch (call.error()) {
    case EMFILE:
    case ENFILE:
      return Category::descriptors_used_up;
    case ENOSPC:
    case EDQUOT:
      return Category::no_space;
    case ENOMEM:
      return maps(call) || makes_task(call) ? std::optional(Category::memory_used_up) : std::nullopt;
    case EAGAIN:
      return makes_task(call) ? std::optional(Category::processes_used_up) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string limit_words(u64 limit, u64 unit, const char* unit_name) {
  return limit == RLIM_INFINITY ? "no limit" : std::to_string(limit / unit) + unit_name;
}

/// "60 of its descriptors are /dev/null, by openat."
void tell_descriptors(const Facts& facts, Verdict& verdict) {
  std::map<std::pair<std::string, std::string>, u64> held;
  u64 all = 0;
  for (const HeldDescriptor& one : facts.descriptors) {
    if (one.process != facts.run.process) continue;
    const bool has_path = one.kind == "file" || one.kind == "directory";
    ++held[{has_path ? one.name : one.kind, one.opener}];
    ++all;
  }
  // A run time may have closed most of them by its end.
  if (all == 0 || all * 2 < facts.limits[RLIMIT_NOFILE]) return;
  const auto most = std::max_element(held.begin(), held.end(), [](const auto& left, const auto& right) {
    return left.second < right.second;
  });
  verdict.sentences.push_back("Of its " + std::to_string(all) + " open descriptors " +
                              std::to_string(most->second) + " are " + most->first.first +
                              (most->first.second.empty() ? "" : ", made by " + most->first.second) + ".");
}

void tell_limits(const Facts& facts, Category category, const Call& call, Verdict& verdict) {
  switch (category) {
    case Category::descriptors_used_up:
      if (call.error() == ENFILE)
        verdict.sentences.push_back("The system's own limit is reached (ENFILE, fs.file-max).");
      else
        verdict.sentences.push_back("It may have " +
                                    limit_words(facts.limits[RLIMIT_NOFILE], 1, " descriptors") +
                                    " (RLIMIT_NOFILE, ulimit -n).");
      tell_descriptors(facts, verdict);
      return;
    case Category::memory_used_up:
      verdict.sentences.push_back("Its address space was " + std::to_string(facts.mapped_bytes / kMebi) +
                                  " MiB at the end; its limit is " +
                                  limit_words(facts.limits[RLIMIT_AS], kMebi, " MiB") +
                                  " (RLIMIT_AS, ulimit -v).");
      return;
    case Category::processes_used_up:
      verdict.sentences.push_back("Its limit is " + limit_words(facts.limits[RLIMIT_NPROC], 1, " processes") +
                                  " (RLIMIT_NPROC, ulimit -u); the control group may have one of its own.");
      return;
    default:
      return;
  }
}

const char* headline_of(Category category) {
  switch (category) {
    case Category::descriptors_used_up:
      return "it had no descriptor left";
    case Category::no_space:
      return "there was no space left to write to";
    case Category::processes_used_up:
      return "it could make no more processes or threads";
    default:
      return "it got no more memory";
  }
}

}  // namespace

std::string opened_as(const Facts& facts, const Call& call) {
  std::string path;
  for (const Call& earlier : facts.calls) {
    if (earlier.event > call.event) break;
    const bool opens =
        earlier.number == __NR_open || earlier.number == __NR_openat || earlier.number == __NR_creat;
    if (opens && earlier.returned && earlier.result == call.fd) path = earlier.path;
  }
  return path;
}

const Call* last_resource_failure(const Facts& facts) {
  const u64 count = facts.calls.size();
  for (u64 i = count; i > 0 && i + kCallsBehindMost > count; --i) {
    const Call& call = facts.calls[i - 1];
    if (call.failed() && resource_of(call)) return &call;
  }
  return nullptr;
}

void tell_resource(const Facts& facts, Verdict& verdict) {
  for (const Call& call : verdict.failing_calls) {
    if (const auto category = resource_of(call)) return tell_limits(facts, *category, call, verdict);
  }
}

std::optional<Verdict> explain_resources(const Facts& facts) {
  const bool gave_up = facts.run.ended && facts.run.signal == 0 && facts.run.status != 0;
  if (!facts.replayed || !gave_up) return std::nullopt;
  const Call* const call = last_resource_failure(facts);
  if (call == nullptr) return std::nullopt;
  const Category category = *resource_of(*call);
  Verdict verdict{.category = category};
  const abi::ErrorName* const error = abi::find_error(call->error());
  verdict.headline = program_name(facts) + " gave up with exit status " + std::to_string(facts.run.status) +
                     " after " + headline_of(category) + ": " + call->name + " failed" +
                     (error == nullptr ? "" : std::string(" with ") + error->name) + ".";
  verdict.failing_calls = {*call};
  if (const std::string path = opened_as(facts, *call); !path.empty())
    verdict.sentences.push_back("Descriptor " + std::to_string(call->fd) + " is " + path + ".");
  tell_limits(facts, category, *call, verdict);
  if (const FrameFact* const frame = call->stack ? call->stack->users() : nullptr) verdict.place = *frame;
  verdict.words = last_words(facts, 3);
  return verdict;
}

}  // namespace orrery::lens::why
