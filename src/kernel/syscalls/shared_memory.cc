// shmget, shmat, shmdt and shmctl, as ipc/shm.c has them, for one process. The segments are the machine's own
// and their ids unknown outside, so that a server outside (X's MIT-SHM) fails to attach and its client sends
// pictures through the socket instead. A key that a process outside has already made a segment for cannot be
// joined: that is refused with EACCES and one line.
#include <asm/unistd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "kernel/dispatch.h"
#include "kernel/memory_limits.h"
#include "kernel/shared_segments.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/time_values.h"
#include "memory/layout.h"

namespace orrery::kernel {
namespace {

namespace layout = memory::layout;
using memory::Region;

// Ids are far above those that the host gives out, so that none can be mistaken for one of the host's.
constexpr i32 kFirstId = 0x7fff'0000;
constexpr u64 kSegmentBytesMost = 64 * layout::kGiB;
constexpr u64 kSegmentsMost = 4096;  // SHMMNI
constexpr u64 kUnlimited = ~u64{0} - (u64{1} << 24);
constexpr u32 kPermissionBits = 0777;
constexpr int kExecute = 0100000;  // SHM_EXEC
constexpr u32 kDestroyed = 01000, kLocked = 02000;
constexpr int kStatAny = 15;                                          // SHM_STAT_ANY
constexpr u32 kReadAny = 0444, kWriteAny = 0222, kExecuteAny = 0111;  // S_IRUGO, S_IWUGO, S_IXUGO

/// struct shmid64_ds.
struct SegmentState {
  i32 key;
  u32 uid, gid, creator_uid, creator_gid, mode;
  u64 sequence;
  u64 unused[2];
  u64 size_bytes;
  u64 attached_time, detached_time, changed_time;
  i32 creator_pid, last_pid;
  u64 attachments;
  u64 unused2[2];
};
static_assert(sizeof(SegmentState) == sizeof(shmid_ds));

/// ipcperms: whether the process has all the access that `wanted` asks for, by the bits of any of its
/// classes.
bool may_access(const Call& call, const SharedSegment& segment, u32 wanted) {
  const Credentials& who = call.process.credentials;
  if (who.euid == 0) return true;  // CAP_IPC_OWNER
  u32 granted = segment.mode;
  if (who.euid == segment.uid || who.euid == segment.creator_uid)
    granted >>= 6;
  else if (who.egid == segment.gid || who.egid == segment.creator_gid)
    granted >>= 3;
  return ((wanted >> 6 | wanted >> 3 | wanted) & ~granted & 7) == 0;
}

/// ipcctl_obtain_check: root, the owner and the maker may change a segment.
bool may_change(const Call& call, const SharedSegment& segment) {
  const u32 euid = call.process.credentials.euid;
  return euid == 0 || euid == segment.uid || euid == segment.creator_uid;
}

u64 now_seconds(Call& call) { return static_cast<u64>(host_clock(call, kClockRealtime).seconds); }

u64 attachments(Call& call, const SharedSegment& segment) {
  u64 count = 0;
  for (const Region& region : call.space().regions()) count += region.object == segment.object ? 1 : 0;
  return count;
}

/// Removed segments go with their last attachment, however that went.
void destroy_unused(Call& call) {
  SharedSegments& segments = call.process.segments;
  std::erase_if(segments.all, [&](const SharedSegment& segment) {
    if ((segment.mode & kDestroyed) == 0 || attachments(call, segment) != 0) return false;
    (void)call.host().unmap(segment.bytes_at, page_ceil(segment.size_bytes));
    return true;
  });
  if (segments.all.empty()) segments.next_address = 0;
}

/// Whether a process outside has a segment of this key.
bool exists_outside(Call& call, u64 key) {
  host::HostCall ask;
  ask.number = __NR_shmget;
  ask.args = {key, 0, 0};
  return call.host().call(ask) != -ENOENT;
}

i64 create(Call& call, i32 key, u64 size_bytes, u32 flags) {
  if (size_bytes == 0) return -EINVAL;
  if (size_bytes > kSegmentBytesMost || (flags & SHM_HUGETLB) != 0) return -ENOMEM;
  SharedSegments& segments = call.process.segments;
  if (segments.all.size() >= kSegmentsMost) return -ENOSPC;
  const u64 bytes = page_ceil(size_bytes);
  const u64 at = segments.next_address == 0 ? layout::kSegments.start : segments.next_address;
  if (bytes > layout::kSegments.end - at) return -ENOMEM;
  const i64 error = call.host().map({.address = at,
                                     .size_bytes = bytes,
                                     .protection = PROT_READ | PROT_WRITE,
                                     .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE});
  if (error != 0) return error;
  segments.next_address = at + bytes;
  const Credentials& who = call.process.credentials;
  segments.all.push_back({.id = kFirstId + segments.made++,
                          .key = key,
                          .size_bytes = size_bytes,
                          .bytes_at = at,
                          .object = call.space().new_object(),
                          .uid = who.euid,
                          .gid = who.egid,
                          .creator_uid = who.euid,
                          .creator_gid = who.egid,
                          .mode = flags & kPermissionBits,
                          .creator_pid = call.process.id.value,
                          .changed_time = now_seconds(call)});
  return segments.all.back().id;
}

i64 find_by_key(Call& call, i32 key, u64 size_bytes, u32 flags) {
  for (const SharedSegment& segment : call.process.segments.all) {
    if (segment.key != key) continue;
    if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0) return -EEXIST;
    if (size_bytes > segment.size_bytes) return -EINVAL;
    return may_access(call, segment, flags) ? segment.id : -EACCES;
  }
  if (exists_outside(call, call.args[0])) {
    if (first_report(call.process, call.row.number))
      call.process.say(
          "shmget: the segment belongs to processes outside, whose writes are not recorded: EACCES");
    return -EACCES;
  }
  return (flags & IPC_CREAT) != 0 ? create(call, key, size_bytes, flags) : -ENOENT;
}

bool is_free(Call& call, u64 start, u64 bytes) {
  if (start + bytes < start) return false;
  const Region* const next = call.space().find_at_or_above(start);
  return next == nullptr || next->start >= start + bytes;
}

i64 attach(Call& call, SharedSegment& segment, u64 address, bool fixed, int protection) {
  const u64 bytes = page_ceil(segment.size_bytes);
  const Text name = std::move(Text().add("/SYSV").hex(static_cast<u32>(segment.key), 8).add(" (deleted)"));
  const std::string_view shown = name.view();
  const u32 file = call.space().add_file(
      {.path = {shown.begin(), shown.end()}, .device_minor = 1, .inode = static_cast<u64>(segment.id)});
  const i64 at = call.space().mmap({.address = address,
                                    .size_bytes = bytes,
                                    .protection = protection,
                                    .flags = MAP_SHARED | MAP_ANONYMOUS | (fixed ? MAP_FIXED : 0),
                                    .file = file,
                                    .file_writable = (protection & PROT_WRITE) != 0,
                                    .shown_from = segment.bytes_at,
                                    .object = segment.object});
  if (at < 0) return report_refusal(call, at);
  segment.attached_time = now_seconds(call);
  segment.last_pid = call.process.id.value;
  return at;
}

/// Unmaps the segment's pages that lie where an attachment at `address` put them. False if there are none.
bool detach(Call& call, const SharedSegment& segment, u64 address) {
  const u64 end = address + page_ceil(segment.size_bytes);
  bool found = false;
  for (u64 at = address; at < end;) {
    const Region* const region = call.space().find_at_or_above(at);
    if (region == nullptr || region->start >= end) break;
    const Region piece = *region;
    at = piece.end;
    if (piece.object != segment.object || piece.offset != piece.start - address) continue;
    found = call.space().munmap(piece.start, piece.size_bytes()) == 0 || found;
  }
  return found;
}

SegmentState state_of(Call& call, const SharedSegment& segment) {
  return {.key = segment.key,
          .uid = segment.uid,
          .gid = segment.gid,
          .creator_uid = segment.creator_uid,
          .creator_gid = segment.creator_gid,
          .mode = segment.mode,
          .sequence = 0,
          .unused = {},
          .size_bytes = segment.size_bytes,
          .attached_time = segment.attached_time,
          .detached_time = segment.detached_time,
          .changed_time = segment.changed_time,
          .creator_pid = segment.creator_pid,
          .last_pid = segment.last_pid,
          .attachments = attachments(call, segment),
          .unused2 = {}};
}

i64 set_state(Call& call, SharedSegment& segment, const SegmentState& wanted) {
  if (wanted.uid == ~u32{0} || wanted.gid == ~u32{0}) return -EINVAL;
  segment.uid = wanted.uid;
  segment.gid = wanted.gid;
  segment.mode = (segment.mode & ~kPermissionBits) | (wanted.mode & kPermissionBits);
  segment.changed_time = now_seconds(call);
  return 0;
}

/// Whoever removes a segment that is in use takes its key away: nobody finds it any more.
i64 remove(Call& call, SharedSegment& segment) {
  segment.mode |= kDestroyed;
  segment.key = IPC_PRIVATE;
  destroy_unused(call);
  return 0;
}

/// Locked pages stay in memory, which the machine's do anyhow as far as it can see; only the mark is kept.
i64 lock(Call& call, SharedSegment& segment, bool locks) {
  apply_memory_limits(call.process);
  if (!may_change(call, segment)) return -EPERM;
  if (locks && call.space().limits().locked_bytes == 0) return -EPERM;
  segment.mode = locks ? segment.mode | kLocked : segment.mode & ~kLocked;
  return 0;
}

u64 highest_index(const SharedSegments& segments) {
  return segments.all.empty() ? 0 : segments.all.size() - 1;
}

i64 tell_limits(Call& call) {
  const struct {
    u64 most, least, count, per_process, total;
    u64 unused[4];
  } limits{kUnlimited, 1, kSegmentsMost, kSegmentsMost, kUnlimited, {}};
  return call.space().write_value(call.args[2], limits)
             ? static_cast<i64>(highest_index(call.process.segments))
             : -EFAULT;
}

i64 tell_usage(Call& call) {
  struct {
    i32 used, padding;
    u64 total_pages, resident_pages, swapped_pages, attempts, successes;
  } usage{};
  for (const SharedSegment& segment : call.process.segments.all) {
    ++usage.used;
    usage.total_pages += page_ceil(segment.size_bytes) / kPageBytes;
  }
  return call.space().write_value(call.args[2], usage)
             ? static_cast<i64>(highest_index(call.process.segments))
             : -EFAULT;
}

i64 tell_by_index(Call& call) {
  const SharedSegments& segments = call.process.segments;
  const auto index = static_cast<std::size_t>(call.fd(0));
  if (call.fd(0) < 0 || index >= segments.all.size()) return -EINVAL;
  const SharedSegment& segment = segments.all[index];
  if (call.fd(1) != kStatAny && !may_access(call, segment, kReadAny)) return -EACCES;
  return call.space().write_value(call.args[2], state_of(call, segment)) ? segment.id : -EFAULT;
}

}  // namespace

i64 sys_shmget(Call& call) {
  destroy_unused(call);
  const auto key = static_cast<i32>(call.args[0]);
  const auto flags = static_cast<u32>(call.args[2]);
  if (key == IPC_PRIVATE) return create(call, key, call.args[1], flags);
  return find_by_key(call, key, call.args[1], flags);
}

/// do_shmat.
i64 sys_shmat(Call& call) {
  destroy_unused(call);
  const int flags = call.fd(2);
  const bool replaces = (flags & SHM_REMAP) != 0, fixed = call.args[1] != 0;
  u64 address = call.args[1];
  if (call.fd(0) < 0 || (address % kPageBytes != 0 && (flags & SHM_RND) == 0)) return -EINVAL;
  address = page_floor(address);
  if (address == 0 && replaces) return -EINVAL;
  SharedSegment* const segment = call.process.segments.find(call.fd(0));
  if (segment == nullptr) return -EINVAL;
  int protection = PROT_READ;
  u32 wanted = kReadAny;
  if ((flags & SHM_RDONLY) == 0) protection |= PROT_WRITE, wanted |= kWriteAny;
  if ((flags & kExecute) != 0) protection |= PROT_EXEC, wanted |= kExecuteAny;
  if (!may_access(call, *segment, wanted)) return -EACCES;
  if (address != 0 && !replaces && !is_free(call, address, page_ceil(segment->size_bytes))) return -EINVAL;
  apply_memory_limits(call.process);
  return attach(call, *segment, address, fixed, protection);
}

/// ksys_shmdt: what is left of the attachment that was made at this address.
i64 sys_shmdt(Call& call) {
  const u64 address = call.args[0];
  if (address % kPageBytes != 0) return -EINVAL;
  for (SharedSegment& segment : call.process.segments.all) {
    if (!detach(call, segment, address)) continue;
    segment.detached_time = now_seconds(call);
    segment.last_pid = call.process.id.value;
    destroy_unused(call);
    return 0;
  }
  return -EINVAL;
}

i64 sys_shmctl(Call& call) {
  destroy_unused(call);
  const int command = call.fd(1);
  if (command < 0 || call.fd(0) < 0) return -EINVAL;
  if (command == IPC_INFO) return tell_limits(call);
  if (command == SHM_INFO) return tell_usage(call);
  if (command == SHM_STAT || command == kStatAny) return tell_by_index(call);
  SegmentState wanted{};
  if (command == IPC_SET && !call.space().read_value(call.args[2], wanted)) return -EFAULT;
  SharedSegment* const segment = call.process.segments.find(call.fd(0));
  if (segment == nullptr) return -EINVAL;
  switch (command) {
    case IPC_STAT:
      if (!may_access(call, *segment, kReadAny)) return -EACCES;
      return call.space().write_value(call.args[2], state_of(call, *segment)) ? 0 : -EFAULT;
    case IPC_SET:
      return may_change(call, *segment) ? set_state(call, *segment, wanted) : -EPERM;
    case IPC_RMID:
      return may_change(call, *segment) ? remove(call, *segment) : -EPERM;
    case SHM_LOCK:
    case SHM_UNLOCK:
      return lock(call, *segment, command == SHM_LOCK);
    default:
      return -EINVAL;
  }
}

}  // namespace orrery::kernel
