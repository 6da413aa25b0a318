#include "cli/capability_words.h"

#include <linux/capability.h>

#include <bit>
#include <iterator>

namespace orrery::cli {
namespace {

/// By number, as capabilities(7) has them, without CAP_.
constexpr const char* kNames[] = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
};
static_assert(CAP_LAST_CAP < std::size(kNames));
constexpr u64 kAll = (u64{1} << std::size(kNames)) - 1;

std::string names_of(u64 set) {
  std::string words;
  for (std::size_t number = 0; number < 64; ++number) {
    if ((set >> number & 1) == 0) continue;
    if (!words.empty()) words += " ";
    words += number < std::size(kNames) ? std::string(kNames[number]) : std::to_string(number);
  }
  return words;
}

}  // namespace

std::string capability_words(u64 set) {
  if (set == 0) return "none";
  if (set == kAll) return "all";
  const bool is_inverted = std::popcount(set) > static_cast<int>(std::size(kNames) / 2) && (set & ~kAll) == 0;
  return is_inverted ? "all but " + names_of(kAll & ~set) : names_of(set);
}

}  // namespace orrery::cli
