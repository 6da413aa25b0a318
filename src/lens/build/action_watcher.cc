// One row a system call. What a call did is written down when it has returned: its bytes are still in the
// program's memory, whichever way they went. Only what it takes away (a mapping, the memory before an exec)
// is looked at before.
#include "lens/build/action_watcher.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

namespace orrery::lens::build {
namespace {

constexpr u64 kPathBytesMost = 4096;
constexpr u64 kVectorsMost = 1024;

int fd_of(u64 argument) { return static_cast<int>(argument); }

class ActionWatcher final : public Watcher {
 public:
  ActionWatcher(const Recording& recording, const TreeProcess& process, Journal& journal)
      : recording_(recording), process_(process), journal_(journal) {}

  void begin(ReplaySession& session, const Instant&) override {
    note_action({.time_ns = recording_.since_begin(process_.start_ns)});
    for (const elf::MappedRegion& region : session.regions()) shares_ |= is_shared(region);
  }
  void enter(ReplaySession& session, const WalkedCall& walked) override;
  void leave(ReplaySession& session, const WalkedCall& walked) override;
  void end(ReplaySession& session, const Instant&) override { store(session, 0, ~u64{0}); }

  // --- rows of the table: the call has succeeded ---
  void open(ReplaySession& session, const Call& call) {
    open_at(session, call, AT_FDCWD, 0, call.arguments[1]);
  }
  void creat(ReplaySession& session, const Call& call) {
    open_at(session, call, AT_FDCWD, 0, O_CREAT | O_WRONLY | O_TRUNC);
  }
  void openat(ReplaySession& session, const Call& call) {
    open_at(session, call, fd_of(call.arguments[0]), 1, call.arguments[2]);
  }
  void openat2(ReplaySession& session, const Call& call) {
    u64 flags = 0;
    session.read_value(call.arguments[2], flags);
    open_at(session, call, fd_of(call.arguments[0]), 1, flags);
  }
  void close(ReplaySession&, const Call& call) {
    note_action(
        {.kind = ActionKind::close, .fd = fd_of(call.arguments[0]), .to_fd = fd_of(call.arguments[0])});
  }
  void close_range(ReplaySession&, const Call& call) {
    constexpr u64 kFdMost = 0x7fff'ffff;
    const bool only_mark = (call.arguments[2] & CLOSE_RANGE_CLOEXEC) != 0;
    note_action({.kind = only_mark ? ActionKind::close_on_exec : ActionKind::close,
                 .fd = fd_of(std::min(call.arguments[0] & ~u32{0}, kFdMost)),
                 .to_fd = fd_of(std::min(call.arguments[1] & ~u32{0}, kFdMost)),
                 .flags = 1});
  }
  void dup(ReplaySession&, const Call& call) { duplicate(call, 0); }
  void dup3(ReplaySession&, const Call& call) { duplicate(call, call.arguments[2]); }
  void fcntl(ReplaySession&, const Call& call) {
    const int fd = fd_of(call.arguments[0]);
    if (call.arguments[1] == F_DUPFD) duplicate(call, 0);
    if (call.arguments[1] == F_DUPFD_CLOEXEC) duplicate(call, O_CLOEXEC);
    if (call.arguments[1] == F_SETFD)
      note_action({.kind = ActionKind::close_on_exec,
                   .fd = fd,
                   .to_fd = fd,
                   .flags = call.arguments[2] & FD_CLOEXEC});
  }
  void chdir(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::change_directory, .fd = AT_FDCWD, .path = call.path});
  }
  void fchdir(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::change_directory, .fd = fd_of(call.arguments[0])});
  }
  void lseek(ReplaySession&, const Call& call) {
    note_action(
        {.kind = ActionKind::seek, .fd = fd_of(call.arguments[0]), .offset = static_cast<u64>(call.result)});
  }
  void read(ReplaySession& session, const Call& call) {
    transfer(session, call, ActionKind::read, kPosition);
  }
  void pread(ReplaySession& session, const Call& call) {
    transfer(session, call, ActionKind::read, call.arguments[3]);
  }
  void readv(ReplaySession& session, const Call& call) {
    vectors(session, call, ActionKind::read, kPosition);
  }
  void preadv(ReplaySession& session, const Call& call) {
    vectors(session, call, ActionKind::read, call.arguments[3]);
  }
  void write(ReplaySession& session, const Call& call) {
    transfer(session, call, ActionKind::write, kPosition);
  }
  void pwrite(ReplaySession& session, const Call& call) {
    transfer(session, call, ActionKind::write, call.arguments[3]);
  }
  void writev(ReplaySession& session, const Call& call) {
    vectors(session, call, ActionKind::write, kPosition);
  }
  void pwritev(ReplaySession& session, const Call& call) {
    vectors(session, call, ActionKind::write, call.arguments[3]);
  }
  void truncate(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::resize, .size = call.arguments[1], .path = call.path});
  }
  void ftruncate(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::resize, .fd = fd_of(call.arguments[0]), .size = call.arguments[1]});
  }
  void fallocate(ReplaySession&, const Call& call) {
    if (call.arguments[1] != 0) return;  // the size stays
    note_action({.kind = ActionKind::grow,
                 .fd = fd_of(call.arguments[0]),
                 .size = call.arguments[2] + call.arguments[3]});
  }
  void rename(ReplaySession& session, const Call& call) {
    two_paths(session, call, ActionKind::rename, false);
  }
  void renameat(ReplaySession& session, const Call& call) {
    two_paths(session, call, ActionKind::rename, true);
  }
  void link(ReplaySession& session, const Call& call) { two_paths(session, call, ActionKind::link, false); }
  void linkat(ReplaySession& session, const Call& call) { two_paths(session, call, ActionKind::link, true); }
  void unlink(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::remove, .fd = AT_FDCWD, .path = call.path});
  }
  void unlinkat(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::remove, .fd = fd_of(call.arguments[0]), .path = call.path});
  }
  void sendfile(ReplaySession& session, const Call& call) {
    copy(call, {.fd = fd_of(call.arguments[1]),
                .to_fd = fd_of(call.arguments[0]),
                .offset = moved_offset(session, call, 2)});
  }
  void copy_file_range(ReplaySession& session, const Call& call) {
    copy(call, {.fd = fd_of(call.arguments[0]),
                .to_fd = fd_of(call.arguments[2]),
                .offset = moved_offset(session, call, 1),
                .to_offset = moved_offset(session, call, 3)});
  }
  void fstat(ReplaySession& session, const Call& call) {
    told_size(session, call.arguments[0], call.arguments[1]);
  }
  void newfstatat(ReplaySession& session, const Call& call) {
    if (call.path.empty()) told_size(session, call.arguments[0], call.arguments[2]);
  }
  void statx(ReplaySession& session, const Call& call) {
    struct statx status {};
    if (!call.path.empty() || !session.read_value(call.arguments[4], status)) return;
    if (S_ISREG(status.stx_mode))
      note_action({.kind = ActionKind::stat, .fd = fd_of(call.arguments[0]), .size = status.stx_size});
  }
  void mmap(ReplaySession& session, const Call& call) {
    if ((call.arguments[3] & MAP_ANONYMOUS) != 0) return;
    const u64 address = static_cast<u64>(call.result);
    const elf::MappedRegion* region = session.find_region(address);
    if (region != nullptr) shares_ |= is_shared(*region) || (region->flags & MAP_SHARED) != 0;
    note_action({.kind = ActionKind::map,
                 .fd = fd_of(call.arguments[4]),
                 .flags = call.arguments[3],
                 .offset = call.arguments[5],
                 .size = call.arguments[1],
                 .address = address,
                 .from_loader = call.from_loader,
                 .to_path = region != nullptr ? region->kept_file : ""});
  }
  void munmap(ReplaySession&, const Call& call) {
    note_action({.kind = ActionKind::unmap, .size = call.arguments[1], .address = call.arguments[0]});
  }
  void exec(ReplaySession&, const Call&) {
    shares_ = false;
    note_action({.kind = ActionKind::exec});
  }

 private:
  static bool is_shared(const elf::MappedRegion& region) {
    return (region.flags & MAP_SHARED) != 0 && (region.protection & PROT_WRITE) != 0 &&
           region.path.starts_with('/');
  }

  void note_action(FileAction action) {
    action.process = process_.process;
    action.event = event_;
    if (action.time_ns == 0) action.time_ns = time_ns_;
    journal_.add(std::move(action));
  }

  void open_at(ReplaySession& session, const Call& call, int directory, u64 path_argument, u64 flags) {
    note_action({.kind = ActionKind::open,
                 .fd = directory,
                 .to_fd = static_cast<int>(call.result),
                 .flags = flags,
                 .from_loader = call.from_loader,
                 .path = session.read_string(call.arguments[path_argument], kPathBytesMost)});
  }

  void duplicate(const Call& call, u64 flags) {
    note_action({.kind = ActionKind::duplicate,
                 .fd = fd_of(call.arguments[0]),
                 .to_fd = static_cast<int>(call.result),
                 .flags = flags & O_CLOEXEC});
  }

  void transfer(ReplaySession& session, const Call& call, ActionKind kind, u64 offset) {
    const u64 size = static_cast<u64>(call.result);
    note_action({.kind = kind,
                 .fd = fd_of(call.arguments[0]),
                 .offset = offset,
                 .size = size,
                 .data = journal_.spool().add(session, call.arguments[1], size)});
  }

  /// readv, writev and their like: a piece a vector.
  void vectors(ReplaySession& session, const Call& call, ActionKind kind, u64 offset) {
    u64 left = static_cast<u64>(call.result);
    for (u64 i = 0; left != 0 && i < std::min(call.arguments[2], kVectorsMost); ++i) {
      u64 vector[2] = {};
      if (!session.read_value(call.arguments[1] + i * sizeof vector, vector)) return;
      const u64 size = std::min(vector[1], left);
      note_action({.kind = kind,
                   .fd = fd_of(call.arguments[0]),
                   .offset = offset,
                   .size = size,
                   .data = journal_.spool().add(session, vector[0], size)});
      if (offset != kPosition) offset += size;
      left -= size;
    }
  }

  void two_paths(ReplaySession& session, const Call& call, ActionKind kind, bool at) {
    const auto& arguments = call.arguments;
    note_action({.kind = kind,
                 .fd = at ? fd_of(arguments[0]) : AT_FDCWD,
                 .to_fd = at ? fd_of(arguments[2]) : AT_FDCWD,
                 .flags = at ? arguments[4] : 0,
                 .path = session.read_string(arguments[at ? 1 : 0], kPathBytesMost),
                 .to_path = session.read_string(arguments[at ? 3 : 1], kPathBytesMost)});
  }

  void copy(const Call& call, FileAction action) {
    action.kind = ActionKind::copy;
    action.size = static_cast<u64>(call.result);
    note_action(action);
  }

  /// Where a copy began, whose argument is an offset that the call has moved on.
  static u64 moved_offset(ReplaySession& session, const Call& call, u64 argument) {
    u64 offset = 0;
    if (call.arguments[argument] == 0 || !session.read_value(call.arguments[argument], offset))
      return kPosition;
    return offset - static_cast<u64>(call.result);
  }

  void told_size(ReplaySession& session, u64 fd, u64 status_at) {
    struct stat status {};
    if (session.read_value(status_at, status) && S_ISREG(status.st_mode))
      note_action({.kind = ActionKind::stat, .fd = fd_of(fd), .size = static_cast<u64>(status.st_size)});
  }

  /// What shared, writable mappings hold in these addresses.
  void store(ReplaySession& session, u64 start, u64 end) {
    if (!shares_) return;
    for (const elf::MappedRegion& region : session.regions()) {
      if (!is_shared(region)) continue;
      const u64 from = std::max(start, region.start), to = std::min(end, region.end);
      if (from >= to) continue;
      note_action({.kind = ActionKind::stored,
                   .address = from,
                   .data = journal_.spool().add(session, from, to - from)});
    }
  }

  const Recording& recording_;
  const TreeProcess& process_;
  Journal& journal_;
  bool shares_ = false;  ///< it may have a shared, writable mapping of a file
  u64 time_ns_ = 0, event_ = 0;
};

struct Row {
  u64 number;
  void (ActionWatcher::*did)(ReplaySession&, const Call&);
};

constexpr Row kRows[] = {
    {__NR_open, &ActionWatcher::open},
    {__NR_creat, &ActionWatcher::creat},
    {__NR_openat, &ActionWatcher::openat},
    {__NR_openat2, &ActionWatcher::openat2},
    {__NR_close, &ActionWatcher::close},
    {__NR_close_range, &ActionWatcher::close_range},
    {__NR_dup, &ActionWatcher::dup},
    {__NR_dup2, &ActionWatcher::dup},
    {__NR_dup3, &ActionWatcher::dup3},
    {__NR_fcntl, &ActionWatcher::fcntl},
    {__NR_chdir, &ActionWatcher::chdir},
    {__NR_fchdir, &ActionWatcher::fchdir},
    {__NR_lseek, &ActionWatcher::lseek},
    {__NR_read, &ActionWatcher::read},
    {__NR_pread64, &ActionWatcher::pread},
    {__NR_readv, &ActionWatcher::readv},
    {__NR_preadv, &ActionWatcher::preadv},
    {__NR_preadv2, &ActionWatcher::preadv},
    {__NR_write, &ActionWatcher::write},
    {__NR_pwrite64, &ActionWatcher::pwrite},
    {__NR_writev, &ActionWatcher::writev},
    {__NR_pwritev, &ActionWatcher::pwritev},
    {__NR_pwritev2, &ActionWatcher::pwritev},
    {__NR_truncate, &ActionWatcher::truncate},
    {__NR_ftruncate, &ActionWatcher::ftruncate},
    {__NR_fallocate, &ActionWatcher::fallocate},
    {__NR_rename, &ActionWatcher::rename},
    {__NR_renameat, &ActionWatcher::renameat},
    {__NR_renameat2, &ActionWatcher::renameat},
    {__NR_link, &ActionWatcher::link},
    {__NR_linkat, &ActionWatcher::linkat},
    {__NR_unlink, &ActionWatcher::unlink},
    {__NR_unlinkat, &ActionWatcher::unlinkat},
    {__NR_sendfile, &ActionWatcher::sendfile},
    {__NR_copy_file_range, &ActionWatcher::copy_file_range},
    {__NR_fstat, &ActionWatcher::fstat},
    {__NR_newfstatat, &ActionWatcher::newfstatat},
    {__NR_statx, &ActionWatcher::statx},
    {__NR_mmap, &ActionWatcher::mmap},
    {__NR_munmap, &ActionWatcher::munmap},
    {__NR_execve, &ActionWatcher::exec},
    {__NR_execveat, &ActionWatcher::exec},
};

void ActionWatcher::enter(ReplaySession& session, const WalkedCall& walked) {
  const Call& call = walked.call;
  time_ns_ = walked.exit.time_ns;
  event_ = walked.entry.event;
  switch (call.number) {
    case __NR_clone:
      if ((call.arguments[0] & CLONE_THREAD) != 0) return;
      [[fallthrough]];
    case __NR_fork:
    case __NR_vfork:
    case __NR_clone3:
      return note_action({.kind = ActionKind::fork});
    case __NR_munmap:
    case __NR_mremap:
    case __NR_msync:
      return store(session, call.arguments[0], call.arguments[0] + call.arguments[1]);
    case __NR_execve:
    case __NR_execveat:
      return store(session, 0, ~u64{0});
    default:
      return;
  }
}

void ActionWatcher::leave(ReplaySession& session, const WalkedCall& walked) {
  const Call& call = walked.call;
  if (!call.returned || call.failed()) return;
  const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& each) { return each.number == call.number; });
  if (row == std::end(kRows)) return;
  time_ns_ = walked.exit.time_ns;
  event_ = walked.entry.event;
  (this->*row->did)(session, call);
}

}  // namespace

std::unique_ptr<Watcher> watch_files(const Recording& recording, const TreeProcess& process,
                                     Journal& journal) {
  return std::make_unique<ActionWatcher>(recording, process, journal);
}

}  // namespace orrery::lens::build
