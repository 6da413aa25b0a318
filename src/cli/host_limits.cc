#include "cli/host_limits.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <charconv>
#include <fstream>

#include "cli/recording_text.h"
#include "machine/launch.h"

namespace orrery::cli {
namespace {

/// pidfd_open(2) is the newest call that a recording cannot do without.
constexpr int kOldestMajor = 5, kOldestMinor = 3;
/// A chunk of the trace and a copy of a usual library.
constexpr u64 kFileBytesLeast = 16'000'000;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

u64 limit_of(int resource, bool hard) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return HostLimits::kUnlimited;
  const rlim_t value = hard ? limit.rlim_max : limit.rlim_cur;
  return value == RLIM_INFINITY ? HostLimits::kUnlimited : value;
}

/// The two numbers a release begins with; {0, 0} if it does not.
std::pair<int, int> version_of(const std::string& release) {
  int major = 0, minor = 0;
  const char* const end = release.data() + release.size();
  const auto [dot, error] = std::from_chars(release.data(), end, major);
  if (error == std::errc{} && dot != end) std::from_chars(dot + 1, end, minor);
  return {major, minor};
}

}  // namespace

HostLimits read_host_limits(const std::string& proc) {
  utsname name{};
  uname(&name);
  const std::string release = first_line(proc + "/sys/kernel/osrelease");
  return {.kernel_release = release.empty() ? name.release : release,
          .machine = name.machine,
          .overcommit_mode = first_line(proc + "/sys/vm/overcommit_memory"),
          .address_space_bytes = limit_of(RLIMIT_AS, false),
          .data_bytes = limit_of(RLIMIT_DATA, false),
          .file_size_bytes = limit_of(RLIMIT_FSIZE, false),
          .descriptors_most = limit_of(RLIMIT_NOFILE, true)};
}

std::optional<std::string> kernel_trouble(const HostLimits& limits) {
  if (limits.machine != "x86_64") return "this is a " + limits.machine + " host; only x86-64 Linux records";
  const auto [major, minor] = version_of(limits.kernel_release);
  if (major == 0 || major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor))
    return std::nullopt;
  return "Linux " + limits.kernel_release + " is too old: recording needs Linux " +
         std::to_string(kOldestMajor) + "." + std::to_string(kOldestMinor) + " or newer";
}

std::optional<std::string> overcommit_trouble(const HostLimits& limits) {
  if (limits.overcommit_mode != "2") return std::nullopt;
  return "vm.overcommit_memory is 2, which counts the address space that the engine reserves and never "
         "uses as memory; `sysctl vm.overcommit_memory=0` lets it";
}

std::optional<std::string> address_space_trouble(const HostLimits& limits) {
  if (limits.address_space_bytes == HostLimits::kUnlimited) return std::nullopt;
  return "the address space is limited to " + human_bytes(limits.address_space_bytes) +
         " (ulimit -v), and the engine reserves much more than it uses; run `ulimit -v unlimited` first";
}

std::optional<std::string> data_trouble(const HostLimits& limits) {
  if (limits.data_bytes == HostLimits::kUnlimited) return std::nullopt;
  return "data is limited to " + human_bytes(limits.data_bytes) +
         " (ulimit -d), and what the engine reserves counts; run `ulimit -d unlimited` first";
}

std::optional<std::string> file_size_trouble(const HostLimits& limits) {
  if (limits.file_size_bytes >= kFileBytesLeast) return std::nullopt;
  return "files are limited to " + human_bytes(limits.file_size_bytes) +
         " (ulimit -f), too little for a recording; allow at least " + human_bytes(kFileBytesLeast);
}

std::optional<std::string> descriptor_trouble(const HostLimits& limits) {
  constexpr u64 kLeast = machine::kEngineFdCount + 48;
  if (limits.descriptors_most >= kLeast) return std::nullopt;
  return "a process may have only " + std::to_string(limits.descriptors_most) +
         " descriptors (ulimit -n), and the engine needs " + std::to_string(machine::kEngineFdCount) +
         " beside the program's; allow at least " + std::to_string(kLeast);
}

std::optional<std::string> host_trouble(const HostLimits& limits) {
  for (const auto trouble : {kernel_trouble, overcommit_trouble, address_space_trouble, data_trouble,
                             file_size_trouble, descriptor_trouble})
    if (auto words = trouble(limits)) return words;
  return std::nullopt;
}

std::optional<std::string> noexec_trouble(const std::string& directory) {
  struct statvfs system {};
  if (statvfs(directory.c_str(), &system) != 0 || (system.f_flag & ST_NOEXEC) == 0) return std::nullopt;
  return directory +
         " is on a file system mounted noexec, and programs run from their kept copies there; "
         "record elsewhere (-o, or XDG_DATA_HOME)";
}

std::optional<std::string> space_trouble(const std::string& directory, u64 free_bytes_least) {
  struct statvfs system {};
  if (statvfs(directory.c_str(), &system) != 0) return std::nullopt;
  const u64 free_bytes = u64{system.f_bavail} * system.f_frsize;
  if (free_bytes >= free_bytes_least &&
      (free_bytes_least == 0 || system.f_files == 0 || system.f_favail > 16))
    return std::nullopt;
  if (free_bytes >= free_bytes_least)
    return "no file can be made in " + directory + ": its file system has no inodes left";
  return "only " + human_bytes(free_bytes) + " are free in " + directory + ", and a recording begins with " +
         human_bytes(free_bytes_least) + " at least; `orrery gc` makes room, --min-free 0 records anyway";
}

}  // namespace orrery::cli
