// One row a system call; a new call that makes, moves or closes descriptors is one row more. What a call did
// is written down when it has returned, its answers being in the program's memory then.
#include "lens/io/descriptor_watcher.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "lens/io/descriptor_history.h"
#include "lens/io/socket_address.h"
#include "linux/syscall_table.h"

namespace orrery::lens::io {
namespace {

constexpr u64 kPathBytesMost = 4096;
constexpr u64 kAddressBytesMost = sizeof(sockaddr_storage);
constexpr u64 kControlBytesMost = 64 * 1024;
constexpr u64 kMessagesMost = 1024;

int fd_of(u64 argument) { return static_cast<int>(argument); }

class DescriptorWatcher final : public Watcher {
 public:
  DescriptorWatcher(const Recording& recording, const TreeProcess& process, DescriptorSink& journal)
      : recording_(recording), process_(process), journal_(journal) {}

  const CallSet* calls() const override;
  bool wants_notes() const override { return true; }
  void note(const kernel::ScheduleNote& told, u64 time_ns) override;
  void begin(ReplaySession& session, const Instant&) override {
    session_ = &session;
    const u64 start_ns = recording_.since_begin(process_.start_ns);
    now_ = {.event = 0, .begin_ns = start_ns, .time_ns = start_ns};
    note({.kind = ActionKind::begin});
  }
  void enter(ReplaySession&, const WalkedCall& walked) override;
  void leave(ReplaySession& session, const WalkedCall& walked) override;
  void end(ReplaySession&, const Instant& at) override {
    now_ = {
        .task = at.task, .event = at.event, .ticks = at.ticks, .begin_ns = at.time_ns, .time_ns = at.time_ns};
    note({.kind = ActionKind::end});
  }

  // --- rows of the table: what the call did; of those that want no success, also if it failed ---
  void open(ReplaySession& session, const Call& call) { open_file(session, call, 0, call.arguments[1]); }
  void creat(ReplaySession& session, const Call& call) { open_file(session, call, 0, O_CREAT); }
  void openat(ReplaySession& session, const Call& call) { open_file(session, call, 1, call.arguments[2]); }
  void openat2(ReplaySession& session, const Call& call) {
    u64 flags = 0;
    session.read_value(call.arguments[2], flags);
    open_file(session, call, 1, flags);
  }
  void pipe(ReplaySession& session, const Call& call) { pair(session, call, 0, "pipe", 0); }
  void pipe2(ReplaySession& session, const Call& call) { pair(session, call, 0, "pipe", call.arguments[1]); }
  void socketpair(ReplaySession& session, const Call& call) {
    pair(session, call, 3, socket_kind(call.arguments[0], call.arguments[1]), call.arguments[1]);
  }
  void socket(ReplaySession&, const Call& call) {
    open_as(call, socket_kind(call.arguments[0], call.arguments[1]), "", call.arguments[1]);
  }
  void epoll(ReplaySession&, const Call& call) { open_as(call, "epoll", "", 0); }
  void epoll1(ReplaySession&, const Call& call) { open_as(call, "epoll", "", call.arguments[0]); }
  void eventfd(ReplaySession&, const Call& call) { open_as(call, "eventfd", "", 0); }
  void eventfd2(ReplaySession&, const Call& call) { open_as(call, "eventfd", "", call.arguments[1]); }
  void timerfd(ReplaySession&, const Call& call) { open_as(call, "timerfd", "", call.arguments[1]); }
  void signalfd(ReplaySession&, const Call& call) {
    if (fd_of(call.arguments[0]) < 0) open_as(call, std::string(kSignalDescriptor), "", 0);
  }
  void signalfd4(ReplaySession&, const Call& call) {
    if (fd_of(call.arguments[0]) < 0) open_as(call, std::string(kSignalDescriptor), "", call.arguments[3]);
  }
  void inotify(ReplaySession&, const Call& call) { open_as(call, "inotify", "", 0); }
  void inotify1(ReplaySession&, const Call& call) { open_as(call, "inotify", "", call.arguments[0]); }
  void memfd(ReplaySession& session, const Call& call) {
    open_as(call, "memfd", session.read_string(call.arguments[0], kPathBytesMost),
            (call.arguments[1] & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
  }
  void pidfd(ReplaySession&, const Call& call) {
    open_as(call, "pidfd", "process " + std::to_string(fd_of(call.arguments[0])), O_CLOEXEC);
  }
  void pidfd_getfd(ReplaySession&, const Call& call) {
    open_as(call, "taken", "taken from another process", O_CLOEXEC);
  }
  void accept(ReplaySession& session, const Call& call) { accepted(session, call, 0); }
  void accept4(ReplaySession& session, const Call& call) { accepted(session, call, call.arguments[3]); }
  void connect(ReplaySession& session, const Call& call) {
    note({.kind = ActionKind::connect,
          .fd = fd_of(call.arguments[0]),
          .failed = call.failed() && call.error() != EINPROGRESS && call.error() != EINTR,
          .peer = address_at(session, call.arguments[1], call.arguments[2])});
  }
  void bind(ReplaySession& session, const Call& call) {
    note({.kind = ActionKind::name_sockets,
          .fd = fd_of(call.arguments[0]),
          .local = address_at(session, call.arguments[1], call.arguments[2])});
  }
  void getsockname(ReplaySession& session, const Call& call) {
    note({.kind = ActionKind::name_sockets,
          .fd = fd_of(call.arguments[0]),
          .local = answered_address(session, call.arguments[1], call.arguments[2])});
  }
  void getpeername(ReplaySession& session, const Call& call) {
    note({.kind = ActionKind::name_sockets,
          .fd = fd_of(call.arguments[0]),
          .peer = answered_address(session, call.arguments[1], call.arguments[2])});
  }
  void dup(ReplaySession&, const Call& call) { duplicate(call, 0); }
  void dup3(ReplaySession&, const Call& call) { duplicate(call, call.arguments[2]); }
  void fcntl(ReplaySession&, const Call& call) {
    if (call.arguments[1] == F_DUPFD) duplicate(call, 0);
    if (call.arguments[1] == F_DUPFD_CLOEXEC) duplicate(call, O_CLOEXEC);
    if (call.arguments[1] == F_SETFD)
      mark(call.arguments[0], call.arguments[0], (call.arguments[2] & FD_CLOEXEC) != 0);
  }
  void close(ReplaySession&, const Call& call) { close_these(call.arguments[0], call.arguments[0]); }
  void close_range(ReplaySession&, const Call& call) {
    if ((call.arguments[2] & CLOSE_RANGE_CLOEXEC) != 0)
      mark(call.arguments[0], call.arguments[1], true);
    else
      close_these(call.arguments[0], call.arguments[1]);
  }
  void exec(ReplaySession&, const Call&) { note({.kind = ActionKind::exec}); }
  void read(ReplaySession&, const Call& call) { transfer(TransferKind::read, call.arguments[0], call); }
  void write(ReplaySession&, const Call& call) { transfer(TransferKind::write, call.arguments[0], call); }
  void recvmsg(ReplaySession& session, const Call& call) {
    transfer(TransferKind::read, call.arguments[0], call);
    if (!call.failed()) passed(session, call.arguments[1], call.arguments[2]);
  }
  void recvmmsg(ReplaySession& session, const Call& call) { messages(session, call, TransferKind::read); }
  void sendmmsg(ReplaySession& session, const Call& call) { messages(session, call, TransferKind::write); }
  void sendfile(ReplaySession&, const Call& call) {
    transfer(TransferKind::read, call.arguments[1], call);
    transfer(TransferKind::write, call.arguments[0], call);
  }
  void splice(ReplaySession&, const Call& call) {
    transfer(TransferKind::read, call.arguments[0], call);
    transfer(TransferKind::write, call.arguments[2], call);
  }
  void tee(ReplaySession&, const Call& call) {
    transfer(TransferKind::read, call.arguments[0], call);
    transfer(TransferKind::write, call.arguments[1], call);
  }
  void wait(ReplaySession&, const Call& call) { transfer(TransferKind::wait, call.arguments[0], call); }

 private:
  void note(DescriptorAction action) {
    action.process = process_.process;
    action.task = now_.task;
    action.event = now_.event;
    action.ticks = now_.ticks;
    action.begin_ns = now_.begin_ns;
    action.time_ns = now_.time_ns;
    action.call = now_.call;
    journal_.add(std::move(action));
  }

  void open_as(const Call& call, std::string kind, std::string name, u64 flags) {
    note({.kind = ActionKind::open,
          .to_fd = static_cast<int>(call.result),
          .close_on_exec = (flags & O_CLOEXEC) != 0,
          .file_kind = std::move(kind),
          .name = std::move(name)});
  }

  void open_file(ReplaySession& session, const Call& call, std::size_t path_argument, u64 flags) {
    open_as(call, (flags & O_DIRECTORY) != 0 ? "directory" : "file",
            session.read_string(call.arguments[path_argument], kPathBytesMost), flags);
  }

  void pair(ReplaySession& session, const Call& call, std::size_t argument, const std::string& kind,
            u64 flags) {
    i32 ends[2] = {-1, -1};
    if (!session.read_value(call.arguments[argument], ends)) return;
    for (const i32 end : ends)
      note({.kind = ActionKind::open,
            .to_fd = end,
            .close_on_exec = (flags & O_CLOEXEC) != 0,
            .file_kind = kind,
            .name = kind != "pipe"   ? "one of a pair"
                    : end == ends[0] ? "its reading end"
                                     : "its writing end"});
  }

  void accepted(ReplaySession& session, const Call& call, u64 flags) {
    note({.kind = ActionKind::accept,
          .fd = fd_of(call.arguments[0]),
          .to_fd = static_cast<int>(call.result),
          .close_on_exec = (flags & SOCK_CLOEXEC) != 0,
          .peer = answered_address(session, call.arguments[1], call.arguments[2])});
  }

  void duplicate(const Call& call, u64 flags) {
    note({.kind = ActionKind::duplicate,
          .fd = fd_of(call.arguments[0]),
          .to_fd = static_cast<int>(call.result),
          .close_on_exec = (flags & O_CLOEXEC) != 0});
  }

  static int bounded(u64 fd) { return static_cast<int>(std::min<u64>(static_cast<u32>(fd), 0x7fff'ffff)); }
  void mark(u64 first, u64 last, bool close_on_exec) {
    note({.kind = ActionKind::mark,
          .fd = bounded(first),
          .to_fd = bounded(last),
          .close_on_exec = close_on_exec});
  }
  void close_these(u64 first, u64 last) {
    note({.kind = ActionKind::close, .fd = bounded(first), .to_fd = bounded(last)});
  }

  void transfer(TransferKind kind, u64 fd, const Call& call) {
    add_transfer(kind, fd, call, call.failed() ? 0 : static_cast<u64>(call.result));
  }

  void add_transfer(TransferKind kind, u64 fd, const Call& call, u64 bytes) {
    journal_.add(Transfer{.begin_ns = now_.begin_ns,
                          .time_ns = now_.time_ns,
                          .bytes = bytes,
                          .event = now_.event,
                          .process = process_.process,
                          .task = now_.task,
                          .fd = fd_of(fd),
                          .number = static_cast<u16>(call.number),
                          .kind = kind,
                          .failed = call.failed()});
  }

  void messages(ReplaySession& session, const Call& call, TransferKind kind) {
    u64 bytes = 0;
    const u64 count = call.failed() ? 0 : std::min(static_cast<u64>(call.result), kMessagesMost);
    for (u64 i = 0; i < count; ++i) {
      mmsghdr message{};
      const u64 at = call.arguments[1] + i * sizeof message;
      if (!session.read_value(at, message)) break;
      bytes += message.msg_len;
      if (kind == TransferKind::read) passed(session, at, call.arguments[3]);
    }
    add_transfer(kind, call.arguments[0], call, bytes);
  }

  /// Descriptors that came with a message (SCM_RIGHTS, cmsg(3)).
  void passed(ReplaySession& session, u64 message_at, u64 flags) {
    msghdr message{};
    if (!session.read_value(message_at, message) || message.msg_controllen == 0) return;
    std::vector<u8> control(std::min<u64>(message.msg_controllen, kControlBytesMost));
    control.resize(session.read(reinterpret_cast<u64>(message.msg_control), control));
    for (std::size_t at = 0; at + sizeof(cmsghdr) <= control.size();) {
      cmsghdr header;
      std::memcpy(&header, control.data() + at, sizeof header);
      const std::size_t end = std::min(control.size(), at + header.cmsg_len);
      if (header.cmsg_len < sizeof header) return;
      if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS)
        for (std::size_t fd_at = at + CMSG_LEN(0); fd_at + sizeof(i32) <= end; fd_at += sizeof(i32)) {
          i32 fd = -1;
          std::memcpy(&fd, control.data() + fd_at, sizeof fd);
          note({.kind = ActionKind::open,
                .to_fd = fd,
                .close_on_exec = (flags & MSG_CMSG_CLOEXEC) != 0,
                .file_kind = "passed",
                .name = "passed by a message"});
        }
      at += CMSG_ALIGN(header.cmsg_len);
    }
  }

  static std::string address_at(ReplaySession& session, u64 address, u64 size) {
    std::vector<u8> bytes(std::min(size & ~u32{0}, kAddressBytesMost));
    bytes.resize(session.read(address, bytes));
    return address_text(bytes);
  }
  static std::string answered_address(ReplaySession& session, u64 address, u64 size_at) {
    u32 size = 0;
    return address != 0 && session.read_value(size_at, size) ? address_at(session, address, size) : "";
  }

  struct Entered {
    std::array<u64, 6> arguments{};
    u64 event = 0, ticks = 0, time_ns = 0;
  };

  const Recording& recording_;
  const TreeProcess& process_;
  DescriptorSink& journal_;
  ReplaySession* session_ = nullptr;
  DescriptorAction now_;          ///< what every action of the call says
  std::map<i32, Entered> noted_;  ///< the calls that tasks are in
};

struct Row {
  u64 number;
  void (DescriptorWatcher::*did)(ReplaySession&, const Call&);
  bool also_failed = false;
  bool needs_memory = true;  ///< false: number, arguments and result tell all, so no stop is needed
};

using W = DescriptorWatcher;
constexpr Row kRows[] = {
    {__NR_open, &W::open},
    {__NR_creat, &W::creat},
    {__NR_openat, &W::openat},
    {__NR_openat2, &W::openat2},
    {__NR_pipe, &W::pipe},
    {__NR_pipe2, &W::pipe2},
    {__NR_socketpair, &W::socketpair},
    {__NR_socket, &W::socket, false, false},
    {__NR_epoll_create, &W::epoll, false, false},
    {__NR_epoll_create1, &W::epoll1, false, false},
    {__NR_eventfd, &W::eventfd, false, false},
    {__NR_eventfd2, &W::eventfd2, false, false},
    {__NR_timerfd_create, &W::timerfd, false, false},
    {__NR_signalfd, &W::signalfd, false, false},
    {__NR_signalfd4, &W::signalfd4, false, false},
    {__NR_inotify_init, &W::inotify, false, false},
    {__NR_inotify_init1, &W::inotify1, false, false},
    {__NR_memfd_create, &W::memfd},
    {__NR_pidfd_open, &W::pidfd, false, false},
    {__NR_pidfd_getfd, &W::pidfd_getfd, false, false},
    {__NR_accept, &W::accept},
    {__NR_accept4, &W::accept4},
    {__NR_connect, &W::connect, true},
    {__NR_bind, &W::bind},
    {__NR_getsockname, &W::getsockname},
    {__NR_getpeername, &W::getpeername},
    {__NR_dup, &W::dup, false, false},
    {__NR_dup2, &W::dup, false, false},
    {__NR_dup3, &W::dup3, false, false},
    {__NR_fcntl, &W::fcntl, false, false},
    {__NR_close, &W::close, false, false},
    {__NR_close_range, &W::close_range, false, false},
    {__NR_execve, &W::exec},
    {__NR_execveat, &W::exec},
    {__NR_read, &W::read, true, false},
    {__NR_pread64, &W::read, true, false},
    {__NR_readv, &W::read, true, false},
    {__NR_preadv, &W::read, true, false},
    {__NR_preadv2, &W::read, true, false},
    {__NR_recvfrom, &W::read, true, false},
    {__NR_recvmsg, &W::recvmsg, true},
    {__NR_recvmmsg, &W::recvmmsg, true},
    {__NR_write, &W::write, true, false},
    {__NR_pwrite64, &W::write, true, false},
    {__NR_writev, &W::write, true, false},
    {__NR_pwritev, &W::write, true, false},
    {__NR_pwritev2, &W::write, true, false},
    {__NR_sendto, &W::write, true, false},
    {__NR_sendmsg, &W::write, true, false},
    {__NR_sendmmsg, &W::sendmmsg, true},
    {__NR_sendfile, &W::sendfile, true, false},
    {__NR_copy_file_range, &W::splice, true, false},
    {__NR_splice, &W::splice, true, false},
    {__NR_tee, &W::tee, true, false},
    {__NR_getdents, &W::read, true, false},
    {__NR_getdents64, &W::read, true, false},
    {__NR_epoll_wait, &W::wait, true, false},
    {__NR_epoll_pwait, &W::wait, true, false},
    {__NR_epoll_pwait2, &W::wait, true, false},
    {__NR_fsync, &W::wait, true, false},
    {__NR_fdatasync, &W::wait, true, false},
    {__NR_flock, &W::wait, true, false},
};

using RowTable = std::array<const Row*, CallSet().size()>;

/// Every call of a run is looked for.
constexpr RowTable kRowsByNumber = [] {
  RowTable table{};
  for (const Row& row : kRows) table[row.number] = &row;
  return table;
}();

const Row* find_row(u64 number) { return number < kRowsByNumber.size() ? kRowsByNumber[number] : nullptr; }

constexpr u64 kMakesProcess[] = {__NR_fork, __NR_vfork, __NR_clone, __NR_clone3};

const CallSet* DescriptorWatcher::calls() const {
  static const CallSet kWanted = [] {
    CallSet wanted;
    for (const Row& row : kRows)
      if (row.needs_memory) wanted.set(row.number);
    for (const u64 number : kMakesProcess) wanted.set(number);
    return wanted;
  }();
  return &kWanted;
}

void DescriptorWatcher::note(const kernel::ScheduleNote& told, u64 time_ns) {
  using kernel::ScheduleStep;
  if (told.step != ScheduleStep::call && told.step != ScheduleStep::returned) return;
  const Row* const row = find_row(told.number);
  if (row == nullptr || row->needs_memory) return;
  Entered& entered = noted_[told.task];
  if (told.step == ScheduleStep::call) {
    std::copy(std::begin(told.words), std::end(told.words), entered.arguments.begin());
    entered.event = told.event;
    entered.ticks = told.ticks;
    entered.time_ns = time_ns;
    return;
  }
  const Call call{.number = told.number,
                  .arguments = entered.arguments,
                  .returned = true,
                  .result = static_cast<i64>(told.words[0])};
  if (call.failed() && !row->also_failed) return;
  now_ = {.task = told.task,
          .event = entered.event,
          .ticks = entered.ticks,
          .begin_ns = entered.time_ns,
          .time_ns = time_ns};
  if (!row->also_failed) now_.call = abi::find_syscall(told.number)->name;
  (this->*row->did)(*session_, call);
}

void DescriptorWatcher::enter(ReplaySession&, const WalkedCall& walked) {
  const Call& call = walked.call;
  const bool is_fork = call.number == __NR_fork || call.number == __NR_vfork || call.number == __NR_clone3 ||
                       (call.number == __NR_clone && (call.arguments[0] & CLONE_THREAD) == 0);
  if (!is_fork) return;
  now_ = {.task = walked.entry.task,
          .event = walked.entry.event,
          .ticks = walked.entry.ticks,
          .begin_ns = walked.entry.time_ns,
          .time_ns = walked.entry.time_ns,
          .call = call.name};
  note({.kind = ActionKind::fork});
}

void DescriptorWatcher::leave(ReplaySession& session, const WalkedCall& walked) {
  const Call& call = walked.call;
  if (!call.returned) return;
  const Row* const row = find_row(call.number);
  if (row == nullptr || !row->needs_memory || (call.failed() && !row->also_failed)) return;
  now_ = {.task = walked.entry.task,
          .event = walked.entry.event,
          .ticks = walked.entry.ticks,
          .begin_ns = walked.entry.time_ns,
          .time_ns = walked.exit.time_ns,
          .call = call.name};
  (this->*row->did)(session, call);
}

}  // namespace

std::unique_ptr<Watcher> watch_descriptors(const Recording& recording, const TreeProcess& process,
                                           DescriptorSink& journal) {
  return std::make_unique<DescriptorWatcher>(recording, process, journal);
}

}  // namespace orrery::lens::io
