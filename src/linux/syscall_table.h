// The table of all x86-64 system calls of Linux 6.12, by number. One row says everything that is known of
// a call; see syscall_row.h for its vocabulary.
#pragma once

#include <span>
#include <string_view>

#include "linux/syscall_row.h"

namespace orrery::abi {

inline constexpr u32 kSyscallCount = 463;  ///< 0 (read) to 462 (mseal)

/// All rows, indexed by number; a row without a name is a number that x86-64 does not use.
std::span<const SyscallRow> syscall_rows();

/// The row of a number, or null if there is no such call.
const SyscallRow* find_syscall(u64 number);

/// The row of a name, or null. A linear search, for tools.
const SyscallRow* find_syscall(std::string_view name);

}  // namespace orrery::abi
