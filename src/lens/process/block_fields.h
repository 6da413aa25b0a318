// The control block of a process as named values: what its history compares, and reports and JSON print.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lens/replay_session.h"

namespace orrery::lens::process {

/// By name ("uid", "directory", "limit NOFILE", "handler SIGTERM", "mask of 4711"), in words. Signals with
/// the default action, and empty sets, have no value.
std::map<std::string, std::string> fields_of(ReplaySession& session, const ProcessBlock& block,
                                             const std::vector<machine::ControlTask>& tasks);

struct LimitName {
  const char* name;      ///< RLIMIT_ without that
  const char* sentence;  ///< as /proc/PID/limits has it
};
/// By number.
extern const LimitName kLimitNames[machine::kControlLimits];

std::string signal_name(int number);
/// "SIGINT SIGTERM", "all but SIGKILL SIGSTOP"; "" of none.
std::string signal_words(u64 set);
/// The function at the address, or the address.
std::string handler_words(ReplaySession& session, u64 address);
/// "SA_RESTART|SA_SIGINFO", "0"
std::string action_flags(u64 flags);
/// "1024", "unlimited"
std::string limit_words(u64 limit);

}  // namespace orrery::lens::process
