// The memory calls. What they mean is the address space's business (memory/address_space.h); here
// descriptors become files, refusals are said, and the few calls that ask the host about real pages
// (mincore, msync of a file) are passed on.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/text.h"
#include "kernel/dispatch.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/memory_limits.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/open_file.h"
#include "kernel/syscalls/outside_memory.h"
#include "memory/linux_memory.h"

namespace orrery::kernel {
namespace {

using memory::AddressSpace;
using memory::Region;

constexpr u64 kStatxAppendOnly = 0x20;  // STATX_ATTR_APPEND

bool is_shared(const AddressSpace::MmapArguments& arguments) {
  return (arguments.flags & MAP_TYPE) != MAP_PRIVATE;
}

/// Terminals and memory devices, which no program expects to map, go without a word.
i64 refuse_device(Call& call, const OpenFileStatus& status, const std::vector<char>& path) {
  constexpr u32 kMemory = 1, kTerminal = 4, kConsole = 5, kPseudoFirst = 136, kPseudoLast = 143;
  const u32 major = status.special_major;
  const bool expected = major == kMemory || major == kTerminal || major == kConsole ||
                        (major >= kPseudoFirst && major <= kPseudoLast);
  if (!expected) {
    Text words;
    words.add("mmap: ENODEV for ").add({path.data(), path.size()});
    call.process.say(words.add(": what a device writes to memory cannot be recorded").view());
  }
  return -ENODEV;
}

i64 refuse_outside(Call& call, const std::vector<char>& path) {
  Text words;
  words.add("mmap: ENODEV for ").add({path.data(), path.size()});
  words.add(": programs outside the machine may write to that memory, which cannot be recorded");
  call.process.say(words.view());
  return -ENODEV;
}

/// Fills in what mmap must know of the file behind the descriptor.
i64 describe_file(Call& call, AddressSpace::MmapArguments& arguments) {
  const i64 flags = open_file_flags(call, arguments.fd);
  if (flags < 0) return flags;
  if (call.process.fds->proc_file(arguments.fd) != nullptr) return -ENODEV;  // what proc's files answer
  OpenFileStatus status{};
  if (const i64 error = open_file_status(call, arguments.fd, status); error < 0) return error;
  std::vector<char> path = open_file_path(call, arguments.fd);
  const std::string_view shown(path.data(), path.size());
  if (status.is_device() && shown != "/dev/zero") return refuse_device(call, status, path);
  const i64 access = flags & O_ACCMODE;
  if (is_shared(arguments) && is_written_outside(call, arguments.fd, status, access == O_RDWR))
    return refuse_outside(call, path);
  arguments.file_readable = access != O_WRONLY;
  arguments.file_writable = access != O_RDONLY;
  arguments.file_append_only = (status.attributes & kStatxAppendOnly) != 0;
  arguments.file_size_bytes = status.size_bytes;
  if (is_shared(arguments) && !status.is_device()) {
    const bool may_change = access == O_RDWR || (status.links == 0 && !is_sealed(call, arguments.fd));
    call.process.scheduler.meet_others([&] { return call.host().meets_others(arguments.fd, may_change); });
  }
  if ((arguments.protection & PROT_EXEC) != 0)
    arguments.file_executable = !on_noexec_mount(call, arguments.fd);
  arguments.file = call.space().add_file(status.mapped_file(std::move(path)));
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
