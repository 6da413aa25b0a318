// libc counts processors in /sys/devices/system/cpu/online, programs read features in /proc/cpuinfo. Both are
// written anew when they are opened, into a memory file, as /proc/self is (proc_self.cc).
#include "kernel/cpu_view.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "kernel/proc_self.h"

namespace orrery::kernel {
namespace {

constexpr std::string_view kCpuInfo = "/proc/cpuinfo";
constexpr std::array<std::string_view, 3> kCpuLists = {
    "/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"};

// XCR0 bits (Intel SDM vol. 1, 13.3).
constexpr u64 kOpmaskAndZmm = 0xe0, kTiles = 0x6'0000;

/// Hidden in every profile (design.md, section 6).
constexpr std::array<std::string_view, 8> kAlwaysHidden = {"hle",     "rtm", "ibt",   "user_shstk",
                                                           "waitpkg", "pku", "ospke", "rdpid"};

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_hidden(std::string_view feature, u64 xcr0) {
  if ((xcr0 & kOpmaskAndZmm) != kOpmaskAndZmm && starts_with(feature, "avx512")) return true;
  if ((xcr0 & kTiles) != kTiles && starts_with(feature, "amx")) return true;
  return std::find(kAlwaysHidden.begin(), kAlwaysHidden.end(), feature) != kAlwaysHidden.end();
}

/// Takes the text up to `separator` off the front, and the separator.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return front;
}

void write_features(std::string_view line, u64 xcr0, Text& out) {
  const std::size_t start = line.find(':') + 1;
  out.add(line.substr(0, start));
  for (std::string_view rest = line.substr(start); !rest.empty();) {
    const std::string_view feature = cut(rest, ' ');
    if (!feature.empty() && !is_hidden(feature, xcr0)) out.character(' ').add(feature);
  }
}

}  // namespace

void write_cpuinfo(std::string_view hosts, u64 xcr0, Text& out) {
  while (!hosts.empty()) {
    const std::string_view line = cut(hosts, '\n');
    if (line.empty()) break;  // the next processor
    if (starts_with(line, "flags"))
      write_features(line, xcr0, out);
    else if (starts_with(line, "siblings") || starts_with(line, "cpu cores"))
      out.add(line.substr(0, line.find(':') + 1)).add(" 1");
    else
      out.add(line);
    out.character('\n');
  }
  out.character('\n');
}

bool is_cpu_file(std::string_view path) {
  return path == kCpuInfo || std::find(kCpuLists.begin(), kCpuLists.end(), path) != kCpuLists.end();
}

i64 open_cpu_file(Process& process, std::string_view path, int flags) {
  if ((flags & O_DIRECTORY) != 0) return -ENOTDIR;
  if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  Text text;
  if (path == kCpuInfo) {
    const std::vector<char> hosts = read_host_file(process, kCpuInfo.data());
    write_cpuinfo({hosts.data(), hosts.size()}, process.configuration.xcr0, text);
  } else {
    text.add("0\n");
  }
  return make_memory_file(process, "cpu", text.view(), (flags & O_CLOEXEC) != 0);
}

}  // namespace orrery::kernel
