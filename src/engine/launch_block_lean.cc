#include <asm/unistd.h>
#include <linux/fs.h>
#include <sys/mman.h>

#include <cstring>

#include "engine/launch_block.h"
#include "host/raw_syscall.h"
#include "machine/engine_memory.h"

namespace orrery::engine {

using machine::LaunchHeader;

namespace {

/// Walks the NUL-terminated strings behind the header without ever leaving the block.
class Strings {
 public:
  Strings(const char* from, const char* end) : at_(from), end_(end) {}
  const char* next() {
    const auto* nul =
        at_ < end_ ? static_cast<const char*>(std::memchr(at_, 0, static_cast<std::size_t>(end_ - at_)))
                   : nullptr;
    if (nul == nullptr) return nullptr;
    const char* const text = at_;
    at_ = nul + 1;
    return text;
  }

 private:
  const char* at_;
  const char* end_;
};

Status take_strings(Strings& strings, u32 count, std::vector<const char*>& out) {
  for (u32 i = 0; i < count; ++i) {
    const char* const text = strings.next();
    if (text == nullptr) return Error{"read the launch block's strings"};
    out.push_back(text);
  }
  return Nothing{};
}

}  // namespace

Result<LaunchBlock> read_launch_block(int fd) {
  const i64 size = host::raw_syscall(__NR_lseek, fd, 0, SEEK_END);
  if (size < static_cast<i64>(sizeof(LaunchHeader))) return Error{"read the launch block"};
  const i64 mapped = host::raw_syscall(__NR_mmap, machine::kLaunchStart, size, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
  if (mapped < 0) return Error{"map the launch block", static_cast<int>(-mapped)};
  LaunchBlock block;
  block.header = reinterpret_cast<LaunchHeader*>(mapped);
  const LaunchHeader& header = *block.header;
  if (header.magic != machine::kLaunchMagic || header.version != machine::kLaunchVersion ||
      header.total_bytes > static_cast<u64>(size) || header.cpuid_count > machine::kCpuidRowsMost)
    return Error{"recognise the launch block"};
  const auto* const begin = reinterpret_cast<const char*>(mapped);
  Strings strings(begin + sizeof(LaunchHeader), begin + header.total_bytes);
  block.program = strings.next();
  block.working_directory = strings.next();
  if (block.program == nullptr || block.working_directory == nullptr)
    return Error{"read the launch block's strings"};
  TRY(take_strings(strings, header.argument_count, block.arguments));
  TRY(take_strings(strings, header.environment_count, block.environment));
  return block;
}

}  // namespace orrery::engine
