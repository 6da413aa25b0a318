// Entries are made and found by whoever has the turn, so the turn is the table's lock; they are left without
// it by processes that end. So whoever enters may find that the last user has just left.
//
// A process that was killed leaves its entries behind. They do no harm as long as the file lives: whoever
// maps it next goes on from the copy that was kept, to which all stores of a replay have been made. Another
// file could have come to the same inode since; the time of its birth tells, where the file system has one.
#include "host/shared_files.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "host/raw_syscall.h"
#include "host/turns.h"

namespace orrery::host {
namespace {

constexpr int kSignal = 64;  ///< the one by which quanta end (live_host.h)
constexpr u64 kCallToShare = 0x6f72'7279'7368'6172;
constexpr i64 kLookAgainNs = 1'000'000;
constexpr int kLooksMost = 2000;  ///< who does not take its signal for so long is not running

/// siginfo_t of rt_tgsigqueueinfo(2).
struct QueuedInfo {
  i32 number = kSignal, error = 0, code = SI_QUEUE, padding = 0;
  i32 pid = 0;
  u32 uid = 0;
  u64 value = kCallToShare;
  u8 rest[96] = {};
};
static_assert(sizeof(QueuedInfo) == 128);

i32 own_pid() { return static_cast<i32>(raw_syscall(__NR_getpid)); }

}  // namespace

bool SharedFiles::identify(int directory, const char* path, Identity& identity) {
  struct statx status {};
  const i64 result =
      raw_syscall(__NR_statx, directory, path, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status);
  if (result < 0) return false;
  identity.device = u64{status.stx_dev_major} << 32 | status.stx_dev_minor;
  identity.inode = status.stx_ino;
  identity.has_name = status.stx_nlink != 0;
  identity.is_regular = (status.stx_mode & S_IFMT) == S_IFREG;
  if ((status.stx_mask & STATX_BTIME) != 0)
    identity.born_ns = static_cast<u64>(status.stx_btime.tv_sec) * 1'000'000'000 + status.stx_btime.tv_nsec;
  return true;
}

bool SharedFiles::is(const trace::SharedFile& file, const Identity& identity) {
  return __atomic_load_n(&file.users, __ATOMIC_ACQUIRE) != 0 && file.inode == identity.inode &&
         file.device == identity.device && file.born_ns == identity.born_ns;
}

/// Null if nobody has an entry for it.
trace::SharedFile* SharedFiles::look_up(const Identity& identity) const {
  trace::SharedFile* const end =
      page_->files + std::min(__atomic_load_n(&page_->files_end, __ATOMIC_ACQUIRE), trace::kSharedFilesMost);
  trace::SharedFile* const file =
      std::find_if(page_->files, end, [&](const trace::SharedFile& each) { return is(each, identity); });
  return file == end ? nullptr : file;
}

const trace::SharedFile* SharedFiles::look_up(int directory, const char* path) const {
  Identity identity;
  return any() && identify(directory, path, identity) ? look_up(identity) : nullptr;
}

bool SharedFiles::wait_until_kept(const trace::SharedFile& file) const {
  for (int look = 0; look < kLooksMost; ++look) {
    if (__atomic_load_n(&file.kept, __ATOMIC_ACQUIRE) != 0) return true;
    if (__atomic_load_n(&file.users, __ATOMIC_ACQUIRE) == 0) return false;
    const __kernel_timespec pause{0, kLookAgainNs};
    raw_syscall(__NR_nanosleep, &pause, nullptr);
  }
  return false;
}

bool SharedFiles::has_entered(const trace::SharedFile& file) const {
  return std::find(entered_.begin(), entered_.end(), static_cast<u32>(&file - page_->files)) !=
         entered_.end();
}

bool SharedFiles::is_first(const trace::SharedFile& file) {
  return __atomic_load_n(&file.alone, __ATOMIC_ACQUIRE) == own_pid();
}

trace::SharedFile* SharedFiles::enter(int fd, bool writable) {
  Identity identity;
  if (page_ == nullptr || !identify(fd, "", identity)) return nullptr;
  trace::SharedFile* file = look_up(identity);
  const bool is_new = file == nullptr || !join_users(*file);
  if (is_new) {
    trace::SharedFile* const end = std::end(page_->files);
    if (writable)
      file = std::find_if(page_->files, end, [](const trace::SharedFile& each) { return each.users == 0; });
    if (!writable || file == end) return nullptr;
    *file = {.device = identity.device, .inode = identity.inode, .born_ns = identity.born_ns};
    file->alone = own_pid();
    __atomic_fetch_add(&page_->files_used, 1, __ATOMIC_RELEASE);
  }
  const auto index = static_cast<u32>(file - page_->files);
  if (is_new) __atomic_fetch_add(&file->users, 1, __ATOMIC_RELEASE);
  if (is_new && page_->files_end <= index) __atomic_store_n(&page_->files_end, index + 1, __ATOMIC_RELEASE);
  entered_.push_back(index);
  return file;
}

trace::SharedFile* SharedFiles::find(int fd) const {
  Identity identity;
  if (entered_.empty() || !identify(fd, "", identity)) return nullptr;
  for (const u32 index : entered_)
    if (is(page_->files[index], identity)) return &page_->files[index];
  return nullptr;
}

/// False: there are none any more.
bool SharedFiles::join_users(trace::SharedFile& file) {
  u32 users = __atomic_load_n(&file.users, __ATOMIC_ACQUIRE);
  while (users != 0)
    if (__atomic_compare_exchange_n(&file.users, &users, users + 1, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      return true;
  return false;
}

void SharedFiles::leave_unmapped(int fd) {
  Identity identity;
  trace::SharedFile* const file = find(fd);
  if (file == nullptr || !identify(fd, "", identity)) return;
  const bool is_last = __atomic_load_n(&file->users, __ATOMIC_ACQUIRE) == 1;
  if (identity.has_name) {
    if (is_last) __atomic_store_n(&file->kept, 0, __ATOMIC_RELEASE);
    return;
  }
  if (!is_last && is_first(*file)) return;  // who has come by waits for this process to take turns
  std::erase(entered_, static_cast<u32>(file - page_->files));
  leave(*file);
}

void SharedFiles::leave(trace::SharedFile& file) const {
  if (__atomic_sub_fetch(&file.users, 1, __ATOMIC_RELEASE) == 0)
    __atomic_fetch_sub(&page_->files_used, 1, __ATOMIC_RELEASE);
}

/// What stands for the file in the table of those that were vouched for; 0 is no file.
u64 SharedFiles::key_of(const Identity& identity) {
  const u64 words[] = {identity.device, identity.inode, identity.born_ns};
  return xxh64({reinterpret_cast<const u8*>(words), sizeof words}, 0) | 1;
}

bool SharedFiles::is_vouched_for(u64 key) const {
  const auto is_it = [&](const u64& each) { return __atomic_load_n(&each, __ATOMIC_ACQUIRE) == key; };
  return std::any_of(std::begin(page_->machine_files), std::end(page_->machine_files), is_it);
}

void SharedFiles::vouch_for(int fd) const {
  Identity identity;
  if (page_ == nullptr || !identify(fd, "", identity) || !identity.is_regular) return;
  const u64 key = key_of(identity);
  if (is_vouched_for(key)) return;
  const u32 number = __atomic_fetch_add(&page_->machine_files_made, 1, __ATOMIC_RELAXED);
  __atomic_store_n(&page_->machine_files[number % trace::kMachineFilesMost], key, __ATOMIC_RELEASE);
}

bool SharedFiles::is_machines(int fd) const {
  Identity identity;
  if (page_ == nullptr || !identify(fd, "", identity)) return false;
  return is_vouched_for(key_of(identity)) || look_up(identity) != nullptr;
}

void SharedFiles::wait_for_others(trace::SharedFile& file) const {
  const i32 self = own_pid();
  for (int look = 0; look < kLooksMost; ++look) {
    i32 other = __atomic_load_n(&file.alone, __ATOMIC_ACQUIRE);
    if (other == 0 || other == self) return;
    QueuedInfo info;
    info.pid = self;
    if (look == 0) raw_syscall(__NR_rt_tgsigqueueinfo, other, other, kSignal, &info);
    const __kernel_timespec pause{0, kLookAgainNs};
    raw_syscall(__NR_futex, &file.alone, FUTEX_WAIT, other, &pause, nullptr, 0);
    if (look % 16 == 15 && has_ended(other, fd_least_))
      __atomic_compare_exchange_n(&file.alone, &other, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  }
}

bool SharedFiles::is_call_to_share(int number, const void* siginfo) {
  QueuedInfo info;
  std::memcpy(static_cast<void*>(&info), siginfo, sizeof info);
  return number == kSignal && info.code == SI_QUEUE && info.value == kCallToShare;
}

void SharedFiles::acknowledge() const {
  for (const u32 index : entered_) {
    trace::SharedFile& file = page_->files[index];
    i32 self = own_pid();
    if (__atomic_compare_exchange_n(&file.alone, &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
      raw_syscall(__NR_futex, &file.alone, FUTEX_WAKE, 64, nullptr, nullptr, 0);
  }
}

void SharedFiles::begin_fork() const {
  for (const u32 index : entered_) __atomic_fetch_add(&page_->files[index].users, 1, __ATOMIC_RELEASE);
}

void SharedFiles::leave_all() const {
  for (const u32 index : entered_) leave(page_->files[index]);
}

void SharedFiles::leave() {
  acknowledge();
  leave_all();
  entered_.clear();
}

}  // namespace orrery::host
