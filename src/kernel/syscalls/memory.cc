// The memory calls. What they mean is the address space's business (memory/address_space.h); here
// descriptors become files, refusals are said, and the few calls that ask the host about real pages
// (mincore, msync of a file) are passed on.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/text.h"
#include "kernel/dispatch.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/memory_limits.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"
#include "memory/linux_memory.h"

namespace orrery::kernel {
namespace {

using memory::AddressSpace;
using memory::Region;

constexpr u64 kPathDescriptor = 010000000;  // O_PATH
constexpr u64 kStatfsNoexec = 8;            // ST_NOEXEC in f_flags
constexpr u64 kStatxAppendOnly = 0x20;      // STATX_ATTR_APPEND

u64 argument_of(int value) { return static_cast<u64>(static_cast<i64>(value)); }

i64 descriptor_flags(Call& call, int fd) {
  if (call.process.fds->is_engine(fd)) return -EBADF;
  host::HostCall get;
  get.number = __NR_fcntl;
  get.args = {argument_of(fd), F_GETFL};
  const i64 flags = call_uninterrupted(call.process, get);
  return flags >= 0 && (static_cast<u64>(flags) & kPathDescriptor) != 0 ? -EBADF : flags;
}

/// What statx tells of an open file: identity, size, attributes.
struct FileStatus {
  u32 mask;
  u32 block_bytes;
  u64 attributes;
  u32 links, uid, gid;
  u16 mode, spare;
  u64 inode, size_bytes, blocks, attributes_mask;
  u64 times[8];
  u32 special_major, special_minor, device_major, device_minor;
  u64 rest[14];
};
static_assert(sizeof(FileStatus) == 256);

i64 file_status(Call& call, int fd, FileStatus& status) {
  static constexpr char kNoPath[] = "";
  constexpr u64 kEmptyPath = 0x1000, kBasicStats = 0x7ff;
  host::HostCall ask;
  ask.number = __NR_statx;
  ask.args = {argument_of(fd), reinterpret_cast<u64>(kNoPath), kEmptyPath, kBasicStats,
              reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01101;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call_uninterrupted(call.process, ask);
}

std::vector<char> file_path(Call& call, int fd) {
  const std::vector<char> link = Text().add("/proc/self/fd/").integer(fd).character('\0').take();
  std::vector<char> path(4096);
  host::HostCall ask;
  ask.number = __NR_readlink;
  ask.args = {reinterpret_cast<u64>(link.data()), reinterpret_cast<u64>(path.data()), path.size()};
  ask.checked_args = 0b100;
  ask.in.add({reinterpret_cast<u64>(link.data()), link.size()});
  ask.out.add({.address = reinterpret_cast<u64>(path.data()),
               .capacity_bytes = path.size(),
               .extent = host::Extent::result_bytes});
  const i64 length = call_uninterrupted(call.process, ask);
  path.resize(length > 0 ? static_cast<u64>(length) : 0);
  return path;
}

bool on_noexec_mount(Call& call, int fd) {
  struct statfs status {};
  host::HostCall ask;
  ask.number = __NR_fstatfs;
  ask.args = {argument_of(fd), reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  return call_uninterrupted(call.process, ask) == 0 &&
         (static_cast<u64>(status.f_flags) & kStatfsNoexec) != 0;
}

/// Fills in what mmap must know of the file behind the descriptor.
i64 describe_file(Call& call, AddressSpace::MmapArguments& arguments) {
  const i64 flags = descriptor_flags(call, arguments.fd);
  if (flags < 0) return flags;
  if (call.process.fds->proc_file(arguments.fd) != nullptr) return -ENODEV;  // what proc's files answer
  FileStatus status{};
  if (const i64 error = file_status(call, arguments.fd, status); error < 0) return error;
  const i64 access = flags & O_ACCMODE;
  arguments.file_readable = access != O_WRONLY;
  arguments.file_writable = access != O_RDONLY;
  arguments.file_append_only = (status.attributes & kStatxAppendOnly) != 0;
  arguments.file_size_bytes = status.size_bytes;
  if ((arguments.protection & PROT_EXEC) != 0)
    arguments.file_executable = !on_noexec_mount(call, arguments.fd);
  arguments.file = call.space().add_file({.path = file_path(call, arguments.fd),
                                          .device_major = status.device_major,
                                          .device_minor = status.device_minor,
                                          .inode = status.inode});
  return 0;
}

/// CAP_IPC_LOCK, or a limit above zero (mm/mlock.c can_do_mlock).
bool may_lock(Call& call) { return call.space().limits().locked_bytes != 0; }

i64 lock_memory(Call& call, u16 attributes) {
  apply_memory_limits(call.process);
  if (attributes != 0 && !may_lock(call)) return -EPERM;
  return call.space().lock(call.args[0], call.args[1], attributes);
}

/// Has the host write the dirty pages of a shared file mapping back.
i64 sync_on_host(Call& call, u64 start, u64 end) {
  host::HostCall sync;
  sync.number = __NR_msync;
  sync.args = {start, end - start, MS_SYNC};
  return call_uninterrupted(call.process, sync);
}

}  // namespace

i64 report_refusal(Call& call, i64 result) {
  const auto refusal = call.space().take_refusal();
  if (refusal && first_report(call.process, call.row.number))
    call.process.say(Text()
                         .add(call.row.name)
                         .add(": ENOMEM for ")
                         .hex(refusal->start)
                         .add("-")
                         .hex(refusal->end)
                         .add(": the machine itself lies there")
                         .view());
  return result;
}

i64 sys_mmap(Call& call) {
  AddressSpace::MmapArguments arguments{.address = call.args[0],
                                        .size_bytes = call.args[1],
                                        .protection = call.fd(2),
                                        .flags = call.fd(3),
                                        .fd = call.fd(4),
                                        .offset = call.args[5]};
  if (arguments.offset % kPageBytes != 0) return -EINVAL;
  apply_memory_limits(call.process);
  if ((arguments.flags & MAP_ANONYMOUS) == 0)
    if (const i64 error = describe_file(call, arguments); error < 0) return error;
  return report_refusal(call, call.space().mmap(arguments));
}

i64 sys_munmap(Call& call) { return call.space().munmap(call.args[0], call.args[1]); }

i64 sys_mprotect(Call& call) {
  apply_memory_limits(call.process);
  return report_refusal(call, call.space().mprotect(call.args[0], call.args[1], call.fd(2)));
}

/// Without protection keys only key -1 exists, which is mprotect.
i64 sys_pkey_mprotect(Call& call) {
  if (call.fd(3) == -1) return sys_mprotect(call);
  if (call.args[0] % kPageBytes != 0) return -EINVAL;
  return call.args[1] == 0 ? 0 : -EINVAL;
}

i64 sys_brk(Call& call) {
  apply_memory_limits(call.process);
  return call.space().brk(call.args[0]);
}

i64 sys_mremap(Call& call) {
  apply_memory_limits(call.process);
  const i64 result = call.space().mremap(call.args[0], call.args[1], call.args[2], call.fd(3), call.args[4]);
  return report_refusal(call, result);
}

i64 sys_madvise(Call& call) { return call.space().madvise(call.args[0], call.args[1], call.fd(2)); }

i64 sys_mlock(Call& call) { return lock_memory(call, memory::kLocked); }
i64 sys_munlock(Call& call) { return lock_memory(call, 0); }

i64 sys_mlock2(Call& call) {
  const int flags = call.fd(2);
  if ((flags & ~1 /* MLOCK_ONFAULT */) != 0) return -EINVAL;
  return lock_memory(call, flags == 0 ? memory::kLocked : memory::kLocked | memory::kLockedOnFault);
}

i64 sys_mlockall(Call& call) {
  apply_memory_limits(call.process);
  const int flags = call.fd(0);
  if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 || flags == MCL_ONFAULT)
    return -EINVAL;
  if (!may_lock(call)) return -EPERM;
  const bool too_much = call.space().usage().mapped_bytes > call.space().limits().locked_bytes;
  if ((flags & MCL_CURRENT) != 0 && too_much) return -ENOMEM;
  call.space().lock_all(flags);
  return 0;
}

i64 sys_munlockall(Call& call) {
  call.space().lock_all(0);
  return 0;
}

/// mm/msync.c. Only a shared file mapping has something to write, and only MS_SYNC waits for it.
i64 sys_msync(Call& call) {
  const int flags = call.fd(2);
  const u64 start = call.args[0];
  constexpr int kBoth = MS_ASYNC | MS_SYNC;
  if ((flags & ~(kBoth | MS_INVALIDATE)) != 0 || start % kPageBytes != 0 || (flags & kBoth) == kBoth)
    return -EINVAL;
  const u64 end = start + page_ceil(call.args[1]);
  if (end < start) return -ENOMEM;
  i64 result = 0;
  for (u64 reached = start; reached < end;) {
    const Region* const region = call.space().find_at_or_above(reached);
    if (region == nullptr || region->start >= end) return -ENOMEM;
    if (region->start > reached) result = -ENOMEM;  // a hole: the rest is still written
    if ((flags & MS_INVALIDATE) != 0 && region->has(memory::kLocked)) return -EBUSY;
    const u64 from = std::max(reached, region->start), to = std::min(end, region->end);
    reached = region->end;
    if ((flags & MS_SYNC) != 0 && region->shared() && region->file != 0)
      if (const i64 error = sync_on_host(call, from, to); error < 0) return error;
  }
  return result;
}

namespace {

/// Which pages are in memory is chance: the host's answer is recorded. What is on paper has none.
i64 residency(Call& call, u64 start, u64 end, u64 vector) {
  const u64 page_count = (end - start) / kPageBytes;
  const Region& region = *call.space().find(start);
  if (region.on_paper) {
    const std::vector<u8> none(page_count);
    return call.space().write(vector, none) ? 0 : -EFAULT;
  }
  CallBuilder builder(call, __NR_mincore);
  builder.value(0, start);
  builder.value(1, end - start);
  builder.out(2, vector, page_count, host::Extent::whole_on_success);
  return builder.perform();
}

}  // namespace

/// mm/mincore.c: region by region, until one is missing.
i64 sys_mincore(Call& call) {
  const u64 start = call.args[0], vector = call.args[2];
  if (start % kPageBytes != 0) return -EINVAL;
  if (start > memory::kTaskSize || call.args[1] > memory::kTaskSize - start) return -ENOMEM;
  const u64 end = start + page_ceil(call.args[1]);
  if (vector > memory::kTaskSize || (end - start) / kPageBytes > memory::kTaskSize - vector) return -EFAULT;
  for (u64 reached = start; reached < end;) {
    const Region* const region = call.space().find(reached);
    if (region == nullptr) return -ENOMEM;
    const u64 to = std::min(end, region->end);
    const i64 error = residency(call, reached, to, vector + (reached - start) / kPageBytes);
    if (error < 0) return error;
    reached = to;
  }
  return 0;
}

i64 sys_mseal(Call& call) {
  if (call.args[2] != 0) return -EINVAL;
  return call.space().mseal(call.args[0], call.args[1]);
}

}  // namespace orrery::kernel
