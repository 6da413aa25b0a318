#include "kernel/outer_view.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "base/text.h"
#include "host/shown_view.h"
#include "kernel/path.h"
#include "kernel/proc_self.h"

namespace orrery::kernel {
namespace {

/// struct prctl_mm_map of <linux/prctl.h>.
struct MemoryMap {
  u64 code_start, code_end, data_start, data_end;
  u64 brk_start, brk_end, stack_start;
  u64 arguments_start, arguments_end, environment_start, environment_end;
  u64 auxv;
  u32 auxv_bytes;
  u32 exe_fd;
};
static_assert(sizeof(MemoryMap) == 104);

/// The last of the engine's descriptors; -1 in tests that have none.
int program_descriptor(const Process& process) {
  const Configuration& configuration = process.configuration;
  if (configuration.engine_fd_first == 0) return -1;
  return static_cast<int>(configuration.engine_fd_first + configuration.engine_fd_count) - 1;
}

/// The one before it.
int view_descriptor(const Process& process) {
  const int program = program_descriptor(process);
  return program < 0 ? -1 : program - 1;
}

/// "/proc/PID/fd/N", with a NUL.
std::vector<char> descriptor_path(std::string_view pid, int descriptor) {
  std::vector<char> path = Text().add("/proc/").add(pid).add("/fd/").integer(descriptor).take();
  path.push_back('\0');
  return path;
}

std::vector<char> view_path(const Process& process, i32 pid) {
  Text number;
  return descriptor_path(number.integer(pid).view(), view_descriptor(process));
}

/// What the link leads to; empty if there is none, or it may not be read.
std::vector<char> read_link(const Process& process, const std::vector<char>& path) {
  std::vector<char> target(kPathBytesMost);
  host::HostCall call;
  call.number = __NR_readlink;
  call.args = {reinterpret_cast<u64>(path.data()), reinterpret_cast<u64>(target.data()), target.size()};
  call.checked_args = 0b100;
  call.in.add({reinterpret_cast<u64>(path.data()), path.size()});
  call.out.add({.address = reinterpret_cast<u64>(target.data()),
                .capacity_bytes = target.size(),
                .extent = host::Extent::result_bytes});
  const i64 bytes = process.host.call(call);
  target.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return target;
}

void keep_program_file(Process& process, int program_fd) {
  const int kept = program_descriptor(process);
  host::HostCall call;
  call.number = __NR_dup3;
  call.args = {static_cast<u64>(program_fd), static_cast<u64>(kept), O_CLOEXEC};
  call.checked_args = 0;  // the engine's number
  process.host.call(call);
}

/// A kernel without CONFIG_CHECKPOINT_RESTORE cannot be told.
void show_memory(Process& process) {
  const ImageLayout& image = process.image;
  MemoryMap map{.code_start = image.code_start,
                .code_end = image.code_end,
                .data_start = image.data_start,
                .data_end = image.data_end,
                .brk_start = process.memory->brk_start(),
                .brk_end = process.memory->brk_start(),
                .stack_start = image.stack_start,
                .arguments_start = image.arguments_start,
                .arguments_end = image.arguments_end,
                .environment_start = image.environment_start,
                .environment_end = image.environment_end,
                .auxv = reinterpret_cast<u64>(process.auxv.data()),
                .auxv_bytes = static_cast<u32>(process.auxv.size() * sizeof(u64)),
                .exe_fd = ~u32{0}};
  host::HostCall call;
  call.number = __NR_prctl;
  call.args = {PR_SET_MM, PR_SET_MM_MAP, reinterpret_cast<u64>(&map), sizeof map, 0};
  call.checked_args = 0b01011;
  process.host.call(call);
}

}  // namespace

void show_program(Process& process, int program_fd) {
  if (program_descriptor(process) < 0) return;  // what the host would be told of is another program
  keep_program_file(process, program_fd);
  show_memory(process);
}

bool find_others_program(const Process& process, std::string_view proc_path, std::vector<char>& path,
                         std::vector<char>& target) {
  constexpr std::string_view kStart = "/proc/", kEnd = "/exe";
  const int descriptor = program_descriptor(process);
  if (descriptor < 0 || !proc_path.starts_with(kStart) || !proc_path.ends_with(kEnd)) return false;
  const std::string_view number =
      proc_path.substr(kStart.size(), proc_path.size() - kStart.size() - kEnd.size());
  if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) return false;
  path = descriptor_path(number, descriptor);
  target = read_link(process, path);
  return !target.empty();
}

void show_changes(Process& process, bool settled) {
  Process& owner = process.owner();
  const ShownState state{.changes = owner.changes_to_show,
                         .map_changes = owner.memory->changes(),
                         .blocked = owner.leader().blocked,
                         .next_task_id = owner.next_task_id,
                         .tasks = owner.tasks.size()};
  if (state == owner.shown || !owner.host.wants_view(settled)) return;
  const int descriptor = view_descriptor(owner);
  if (descriptor < 0) return;
  owner.shown = state;
  std::vector<u8> bytes;
  encode(view_of(owner), bytes);
  owner.host.show_view(descriptor, bytes);
}

bool shows_itself(const Process& process, i32 pid) {
  if (view_descriptor(process) < 0) return false;
  const std::vector<char> target = read_link(process, view_path(process, pid));
  return std::string_view(target.data(), target.size()) == host::kShownViewLink;
}

std::optional<ProcessView> look_at(Process& process, i32 pid) {
  constexpr int kLooksMost = 100;
  if (!shows_itself(process, pid)) return std::nullopt;
  const std::vector<char> path = view_path(process, pid);
  for (int look = 0; look < kLooksMost; ++look) {
    const std::vector<char> head = read_host_file(process, path.data(), kViewHeaderBytes);
    const u64 size_bytes = view_bytes({reinterpret_cast<const u8*>(head.data()), head.size()});
    const std::vector<char> all = read_host_file(process, path.data(), size_bytes);
    if (all.empty()) break;
    if (auto view = decode_view({reinterpret_cast<const u8*>(all.data()), all.size()})) return view;
  }
  return std::nullopt;
}

}  // namespace orrery::kernel
