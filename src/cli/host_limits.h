// What may keep this host from recording a program, found before anything is started. `record` refuses in
// one line for each that is certain; `doctor` foretells them.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"

namespace orrery::cli {

/// Least free space that a recording begins with: room for the first events and a few kept files.
inline constexpr u64 kFreeBytesLeast = 32'000'000;

struct HostLimits {
  std::string kernel_release;   ///< "6.12.1-amd64"
  std::string machine;          ///< uname(2): "x86_64"
  std::string overcommit_mode;  ///< vm.overcommit_memory
  u64 address_space_bytes = 0;  ///< RLIMIT_AS, soft; ~0: unlimited
  u64 data_bytes = 0;           ///< RLIMIT_DATA, soft
  u64 file_size_bytes = 0;      ///< RLIMIT_FSIZE, soft
  u64 descriptors_most = 0;     ///< RLIMIT_NOFILE, hard
  static constexpr u64 kUnlimited = ~u64{0};
};

/// `proc` is where /proc is; tests have their own.
HostLimits read_host_limits(const std::string& proc = "/proc");

/// Each: one line that says what is in the way and what to do; nothing if nothing is.
std::optional<std::string> kernel_trouble(const HostLimits& limits);
std::optional<std::string> overcommit_trouble(const HostLimits& limits);
std::optional<std::string> address_space_trouble(const HostLimits& limits);
std::optional<std::string> data_trouble(const HostLimits& limits);
std::optional<std::string> file_size_trouble(const HostLimits& limits);
std::optional<std::string> descriptor_trouble(const HostLimits& limits);
/// The first of these.
std::optional<std::string> host_trouble(const HostLimits& limits);

/// Whether mapping code of a file below `directory` is forbidden, and whether there is room.
std::optional<std::string> noexec_trouble(const std::string& directory);
std::optional<std::string> space_trouble(const std::string& directory, u64 free_bytes_least);

}  // namespace orrery::cli
