// See path.h. Guest and host share one file system and, while recording, one process id, so nearly every
// path means the same to both. The exceptions all lie below /proc/<the process itself>.
#include "kernel/path.h"

#include <asm/unistd.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/companion.h"
#include "kernel/outer_view.h"
#include "kernel/proc_others.h"
#include "kernel/scheduler.h"

namespace orrery::kernel {
bool cut(std::string_view& path, std::string_view name) {
  if (!path.starts_with(name)) return false;
  std::string_view rest = path.substr(name.size());
  if (rest.empty() || rest[0] != '/') return false;
  while (!rest.empty() && rest[0] == '/') rest.remove_prefix(1);
  path = rest;
  return true;
}

int number_in(std::string_view text) {
  if (text.empty() || text.size() > 9) return -1;
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

std::string_view cut_name(std::string_view& path) {
  const std::string_view name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  while (!path.empty() && path[0] == '/') path.remove_prefix(1);
  return name;
}

namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// A place below /proc/PID of a process that lives in this host process.
struct OwnPlace {
  int process = 0;
  int task = 0;  ///< as the path names it; 0: not at all
  std::string_view entry{};
};

/// The process or task of that number which lives here; null if none does.
const Process* owner_of_number(const Process& process, int number) {
  const auto has = [number](const Process& each) {
    return std::any_of(each.tasks.begin(), each.tasks.end(),
                       [number](const auto& task) { return task->id.value == number; });
  };
  const Process& owner = process.owner();
  if (number < 0) return nullptr;
  if (owner.id.value == number || has(owner)) return &owner;
  for (const auto& companion : owner.companions)
    if (companion->id.value == number || has(*companion)) return companion.get();
  return nullptr;
}

std::optional<OwnPlace> find_place(const Process& process, std::string_view path) {
  if (!cut(path, "/proc")) return std::nullopt;
  OwnPlace place{.process = process.id.value};
  const std::string_view name = cut_name(path);
  const Process* whose = &process;
  if (name == "thread-self") {
    place.task = process.scheduler.current().id.value;
  } else if (name != "self") {
    whose = owner_of_number(process, number_in(name));
    if (whose == nullptr) return std::nullopt;
    place.process = whose->id.value;
  }
  std::string_view rest = path;
  if (place.task == 0 && cut(rest, "task"))
    if (const int number = number_in(cut_name(rest)); owner_of_number(process, number) == whose) {
      place.task = number;
      path = rest;
    }
  place.entry = path;
  return place;
}

/// Whether a path can lead to /proc at all; nearly none does.
bool may_lead_to_proc(const Process& process, int directory_fd, std::string_view path) {
  if (path.empty()) return false;
  if (path == "/" || path.find("proc") != std::string_view::npos || starts_with(path, "/dev/fd")) return true;
  if (path[0] == '/') return false;
  if (directory_fd != kAtFdCwd) return process.fds->proc_file(directory_fd) != nullptr;
  return starts_with({process.cwd.data(), process.cwd.size()}, "/proc");
}

/// Where a relative path starts; empty if that is no place the machine knows.
std::string_view start_of(const Process& process, int directory_fd) {
  if (directory_fd == kAtFdCwd) return {process.cwd.data(), process.cwd.size()};
  const ProcFile* const directory = process.fds->proc_file(directory_fd);
  return directory != nullptr ? directory->name() : std::string_view{};
}

/// /proc/self/root/... and /proc/self/cwd/... lead out of /proc: what they lead to is put in their place.
bool follow_own_link(const Process& process, std::string_view& path, Text& out) {
  std::string_view rest = path;
  const std::vector<char> so_far = Text().add(out.view()).character('/').take();
  const auto entry = own_proc_entry(process, {so_far.data(), so_far.size()});
  if (!entry || !entry->empty()) return false;
  if (cut(rest, "root")) {
    out.clear();
  } else if (cut(rest, "cwd")) {
    out.clear();
    out.add(process.cwd);
  } else {
    return false;
  }
  path = rest;
  return true;
}

void leave_directory(Text& out) {
  const std::string_view text = out.view();
  const std::size_t slash = text.rfind('/');
  std::vector<char> parent(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(slash + 1));
  if (!parent.empty()) parent.pop_back();
  out.clear();
  out.add(parent);
}

}  // namespace

std::vector<char> proc_path(const Process& process, int directory_fd, std::string_view path) {
  if (!may_lead_to_proc(process, directory_fd, path)) return {};
  Text joined;
  if (starts_with(path, "/dev/fd") && (path.size() == 7 || path[7] == '/')) {
    joined.add("/proc/self/fd").add(path.substr(7));
  } else if (path[0] != '/') {
    const std::string_view start = start_of(process, directory_fd);
    if (start.empty()) return {};
    joined.add(start).character('/').add(path);
  } else {
    joined.add(path);
  }
  Text out;
  for (std::string_view rest = joined.view(); !rest.empty();) {
    if (rest[0] == '/') {
      rest.remove_prefix(1);
      continue;
    }
    if (follow_own_link(process, rest, out)) continue;
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(name.size());
    if (name == "..")
      leave_directory(out);
    else if (name == "thread-self" && out.view() == "/proc" && !rest.empty())  // a link two levels down
      out.add("/self/task/").integer(process.scheduler.current().id.value);
    else if (name != ".")
      out.character('/').add(name);
  }
  if (out.size() == 0) return {'/'};
  const std::string_view result = out.view();
  if (result != "/proc" && !starts_with(result, "/proc/")) return {};
  return out.take();
}

std::optional<std::string_view> own_proc_entry(const Process& process, std::string_view path) {
  const auto place = find_place(process, path);
  return place ? std::optional(place->entry) : std::nullopt;
}

Task* task_of_proc_path(Process& process, std::string_view path) {
  const auto place = find_place(process, path);
  if (!place) return nullptr;
  return find_task_here(process, place->task != 0 ? place->task : place->process);
}

int fd_named_by_entry(std::string_view entry) {
  return cut(entry, "fd") || cut(entry, "fdinfo") ? number_in(entry) : -1;
}

int fd_named_by_path(const Process& process, int directory_fd, std::string_view path) {
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  const std::vector<char> absolute = proc_path(process, directory_fd, path);
  const auto entry = own_proc_entry(process, {absolute.data(), absolute.size()});
  return entry && starts_with(*entry, "fd/") ? fd_named_by_entry(*entry) : -1;
}

bool replace_path(const Process& process, int directory_fd, std::string_view path, bool follows,
                  std::vector<char>& replacement) {
  const std::vector<char> absolute = proc_path(process, directory_fd, path);
  const auto place = find_place(process, {absolute.data(), absolute.size()});
  std::vector<char> target;
  const std::string_view in_proc(absolute.data(), absolute.size());
  if (!place)
    return (follows && find_others_program(process, in_proc, replacement, target)) ||
           replace_others_path(process, in_proc, replacement);
  const std::string_view entry = place->entry;
  std::string_view rest = std::string_view(absolute.data(), absolute.size()).substr(6);
  const bool has_number = number_in(cut_name(rest)) >= 0;
  if (entry == "exe" && follows && !process.exe.empty()) {
    replacement = process.exe;
  } else if (process.fds->is_engine(fd_named_by_entry(entry))) {
    replacement = Text().add("/proc/self/fd/none").take();  // no such descriptor: ENOENT
  } else if (has_number || place->task != 0) {
    replacement = Text()
                      .add(place->task != 0 ? "/proc/thread-self/" : "/proc/self/")
                      .add(entry.empty() ? std::string_view(".") : entry)
                      .take();
  } else {
    return false;
  }
  replacement.push_back('\0');
  return true;
}

void refresh_cwd(Process& process) {
  std::vector<char> buffer(kPathBytesMost);
  host::HostCall call;
  call.number = __NR_getcwd;
  call.args = {reinterpret_cast<u64>(buffer.data()), buffer.size()};
  call.checked_args = 0x2;
  call.out.add({reinterpret_cast<u64>(buffer.data()), buffer.size(), host::Extent::result_bytes});
  const i64 bytes = process.host.call(call);
  if (bytes <= 0) return;
  buffer.resize(static_cast<std::size_t>(bytes) - 1);
  Process& owner = process.owner();
  for (const auto& companion : owner.companions) companion->cwd = buffer;
  owner.cwd = std::move(buffer);
}

}  // namespace orrery::kernel
