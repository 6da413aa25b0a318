#include "kernel/leaving.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <cstring>

#include "base/base_name.h"
#include "kernel/path.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

std::vector<const char*> pointers_to(const StringList& strings) {
  std::vector<const char*> pointers;
  for (const char* at = strings.bytes.data(); pointers.size() < strings.count; at += std::strlen(at) + 1)
    pointers.push_back(at);
  pointers.push_back(nullptr);
  return pointers;
}

void take_pending(const PendingSignals& from, std::vector<host::HostSignal>& to) {
  for (const SignalInfo& info : from.queued()) {
    host::HostSignal& signal = to.emplace_back();
    signal.number = info.number;
    std::memcpy(signal.siginfo.data(), &info, sizeof info);
  }
}

}  // namespace

/// Only the last star may have to take more than it did: what the earlier ones took was the least.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, star = std::string_view::npos, after_star = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after_star = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at, ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.substr(at).find_first_not_of('*') == std::string_view::npos;
}

/// Filters of seccomp bind the program here alone, so a process that has any stays.
bool may_leave(const Process& process) {
  return !process.configuration.follows_all && process.id.value != process.configuration.pid &&
         process.seccomp.mode == SeccompMode::disabled;
}

bool leaves(const Process& process, std::string_view path, std::string_view resolved) {
  if (!may_leave(process)) return false;
  const std::string_view pattern = process.configuration.followed;
  if (pattern.empty()) return true;
  for (const std::string_view name : {path, base_name(path), resolved, base_name(resolved)})
    if (matches(pattern, name)) return false;
  return true;
}

void leave(Task& task, ExecRequest& request, std::string_view resolved) {
  constexpr u32 kKeptHere[] = {RLIMIT_DATA,   RLIMIT_STACK,   RLIMIT_CORE, RLIMIT_RSS,
                               RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS};
  Process& process = task.process;
  auto made = std::make_unique<LeavingFor>();
  LeavingFor& all = *made;
  all.path = std::move(request.path);
  if (std::vector<char> replacement;
      replace_path(process, all.path.directory_fd, all.path.view(), all.path.follow_links, replacement))
    all.path = ExecPath{.text = replacement};
  all.arguments = std::move(request.arguments);
  all.environment = std::move(request.environment);
  all.words.assign(resolved.begin(), resolved.end());
  all.words.push_back(0);
  all.words.insert(all.words.end(), all.arguments.bytes.begin(), all.arguments.bytes.end());
  all.argument_pointers = pointers_to(all.arguments);
  all.environment_pointers = pointers_to(all.environment);
  take_pending(task.pending, all.pending);
  take_pending(process.pending, all.pending);
  for (const u32 resource : kKeptHere)
    all.limits.push_back({resource, process.limits[resource].soft, process.limits[resource].hard});
  const u64 empty = all.path.view().empty() ? AT_EMPTY_PATH : 0;
  all.next = {.directory_fd = all.path.directory_fd,
              .path = all.path.text.data(),
              .flags = empty | (all.path.follow_links ? 0 : AT_SYMLINK_NOFOLLOW),
              .arguments = all.argument_pointers.data(),
              .environment = all.environment_pointers.data(),
              .signals_ignored = process.ignored_signals,
              .signals_blocked = task.blocked,
              .pending = all.pending,
              .limits = all.limits,
              .personality = process.personality,
              .no_new_privileges = process.no_new_privileges,
              .engine_fd_first = process.fds->engine_fd_first(),
              .engine_fd_end = process.fds->engine_fd_end(),
              .words = all.words};
  process.next_program = std::move(made);
  process.end({});
}

}  // namespace orrery::kernel
