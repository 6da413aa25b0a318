// The table. Numbers and names are those of arch/x86/entry/syscalls/syscall_64.tbl of Linux 6.12; argument
// names and directions follow the man pages and the SYSCALL_DEFINEs. A call is
//   forwarded  when the host's answer is right for the guest: it acts on files, sockets, clocks or
//              identities that guest and host share. Everything needed to do so stands in the row.
//   answered   by a handler of the guest kernel when it concerns what the machine owns: memory, tasks,
//              signals, the descriptor table, limits, or needs arguments read by command.
//   refused    with the errno of a kernel that was built or locked down without it, so that programs
//              take their fallback.
// Restart rules come from the kernel's sources and signal(7).
#include "linux/syscall_table.h"

#include <cerrno>

namespace orrery::abi {
namespace {

constexpr StructInfo kStructs[] = {
    {"bytes", 0},       {"int", 4},          {"unsigned int", 4},
    {"u64", 8},         {"pointer", 8},      {"timespec", 16},
    {"timeval", 16},    {"timezone", 8},     {"itimerval", 32},
    {"itimerspec", 32}, {"utimbuf", 16},     {"timex", 208},
    {"stat", 144},      {"statfs", 120},     {"statx", 256},
    {"utsname", 390},   {"sysinfo", 112},    {"rlimit", 16},
    {"rusage", 144},    {"tms", 32},         {"sigset", 8},
    {"sigaction", 32},  {"siginfo", 128},    {"stack_t", 24},
    {"sigevent", 64},   {"pollfd", 8},       {"epoll_event", 12},
    {"fd_set", 0},      {"int[2]", 8},       {"iovec", 16},
    {"msghdr", 56},     {"mmsghdr", 64},     {"sockaddr", 0},
    {"flock", 32},      {"open_how", 24},    {"clone_args", 88},
    {"sched_param", 4}, {"sched_attr", 56},  {"cap_header", 8},
    {"cap_data", 24},   {"futex_waitv", 24}, {"robust_list_head", 24},
    {"mq_attr", 64},    {"termios", 36},     {"winsize", 8},
    {"file_handle", 0}, {"ustat", 32},
};
static_assert(std::size(kStructs) == static_cast<std::size_t>(Struct::count));

constexpr u32 bytes_of(Struct structure) { return kStructs[static_cast<std::size_t>(structure)].size_bytes; }

// --- plain values ---
constexpr Arg value(const char* name, ArgKind kind) {
  Arg arg;
  arg.name = name;
  arg.kind = kind;
  return arg;
}
constexpr Arg dec(const char* name) { return value(name, ArgKind::decimal); }
constexpr Arg lng(const char* name) { return value(name, ArgKind::long_decimal); }
constexpr Arg size(const char* name) { return value(name, ArgKind::size); }
constexpr Arg hex(const char* name) { return value(name, ArgKind::hexadecimal); }
constexpr Arg mode(const char* name = "mode") { return value(name, ArgKind::mode); }
constexpr Arg fd(const char* name = "fd") { return value(name, ArgKind::fd); }
constexpr Arg dirfd(const char* name = "dirfd") { return value(name, ArgKind::directory_fd); }
constexpr Arg pid(const char* name = "pid") { return value(name, ArgKind::pid); }
constexpr Arg uid(const char* name) { return value(name, ArgKind::user_id); }
constexpr Arg sig(const char* name = "sig") { return value(name, ArgKind::signal); }
constexpr Arg addr(const char* name = "addr") { return value(name, ArgKind::address); }
constexpr Arg flags(const char* name, Flags table) {
  Arg arg = value(name, ArgKind::flags);
  arg.flags = table;
  return arg;
}

// --- what is pointed to ---
constexpr Arg pointer(const char* name, Direction direction, SizeRule rule, u8 size_arg, Written written) {
  Arg arg = value(name, ArgKind::buffer);
  arg.direction = direction;
  arg.rule = rule;
  arg.size_arg = size_arg;
  arg.size_bytes = 1;
  arg.written = written;
  return arg;
}
constexpr Arg text(const char* name, ArgKind kind) {
  Arg arg = pointer(name, Direction::in, SizeRule::c_string, 0, Written::on_success);
  arg.kind = kind;
  return arg;
}
constexpr Arg path(const char* name = "pathname") { return text(name, ArgKind::path); }
constexpr Arg str(const char* name) { return text(name, ArgKind::string); }
constexpr Arg in_bytes(const char* name, u8 size_arg) {
  return pointer(name, Direction::in, SizeRule::argument, size_arg, Written::on_success);
}
constexpr Arg out_bytes(const char* name, u8 size_arg) {
  return pointer(name, Direction::out, SizeRule::argument, size_arg, Written::result_bytes);
}
constexpr Arg out_whole(const char* name, u8 size_arg) {
  return pointer(name, Direction::out, SizeRule::argument, size_arg, Written::on_success);
}
constexpr Arg structure(const char* name, Direction direction, Struct type, Written written) {
  Arg arg = pointer(name, direction, SizeRule::fixed, 0, written);
  arg.kind = ArgKind::structure;
  arg.structure = type;
  arg.size_bytes = bytes_of(type);
  return arg;
}
constexpr Arg in(const char* name, Struct type) {
  return structure(name, Direction::in, type, Written::on_success);
}
constexpr Arg out(const char* name, Struct type) {
  return structure(name, Direction::out, type, Written::on_success);
}
constexpr Arg in_out(const char* name, Struct type) {
  return structure(name, Direction::in_out, type, Written::always);
}
/// Written even when the call fails (a remainder, a record of variable length inside a fixed frame).
constexpr Arg out_always(const char* name, Struct type) {
  return structure(name, Direction::out, type, Written::always);
}
constexpr Arg items(Arg arg, u8 size_arg) {
  arg.rule = SizeRule::items;
  arg.size_arg = size_arg;
  return arg;
}
constexpr Arg in_items(const char* name, Struct type, u8 count) { return items(in(name, type), count); }
constexpr Arg in_out_items(const char* name, Struct type, u8 count) {
  return items(in_out(name, type), count);
}
constexpr Arg out_items(const char* name, Struct type, u8 count) {
  Arg arg = items(out(name, type), count);
  arg.written = Written::result_items;
  return arg;
}
constexpr Arg sized(Arg arg, u32 size_bytes) {
  arg.size_bytes = size_bytes;
  return arg;
}
constexpr Arg two(const char* name, Struct type) { return sized(in(name, type), 2 * bytes_of(type)); }
constexpr Arg vectors(const char* name, Direction direction, u8 count) {
  Arg arg = pointer(name, direction, SizeRule::io_vectors, count, Written::result_bytes);
  arg.kind = ArgKind::structure;
  arg.structure = Struct::iovec;
  arg.size_bytes = bytes_of(Struct::iovec);
  return arg;
}
constexpr Arg in_vectors(const char* name, u8 count) { return vectors(name, Direction::in, count); }
constexpr Arg out_vectors(const char* name, u8 count) { return vectors(name, Direction::out, count); }
constexpr Arg message(const char* name, Direction direction) {
  Arg arg = structure(name, direction, Struct::msghdr, Written::result_bytes);
  arg.rule = SizeRule::message;
  return arg;
}
constexpr Arg messages(const char* name, Direction direction, u8 count) {
  Arg arg = structure(name, direction, Struct::mmsghdr, Written::result_items);
  arg.rule = SizeRule::messages;
  arg.size_arg = count;
  return arg;
}
constexpr Arg in_address(const char* name, u8 length) {
  Arg arg = in_bytes(name, length);
  arg.kind = ArgKind::structure;
  arg.structure = Struct::sockaddr;
  return arg;
}
/// A socket address or option whose size stands in the word that args[length] points at.
constexpr Arg by_length(const char* name, u8 length, Struct type) {
  Arg arg = pointer(name, Direction::out, SizeRule::length_pointer, length, Written::by_length);
  if (type != Struct::bytes) arg.kind = ArgKind::structure;
  arg.structure = type;
  return arg;
}
constexpr Arg out_address(const char* name, u8 length) { return by_length(name, length, Struct::sockaddr); }
constexpr Arg length(const char* name = "addrlen") { return in_out(name, Struct::u32_value); }
constexpr Arg bits(const char* name, Direction direction, u8 count) {
  Arg arg = structure(name, direction, Struct::fd_set, Written::always);
  arg.rule = SizeRule::fd_set;
  arg.size_arg = count;
  return arg;
}

// --- rows ---
using Args = std::initializer_list<Arg>;
constexpr SyscallRow row(u16 number, const char* name, Args args) {
  SyscallRow result;
  result.number = number;
  result.name = name;
  for (const Arg& arg : args) {
    result.args[result.arg_count++] = arg;
    if (arg.rule == SizeRule::length_pointer) result.length_words |= static_cast<u8>(1U << arg.size_arg);
  }
  return result;
}
constexpr SyscallRow forwarded(u16 number, const char* name, Args args) {
  SyscallRow result = row(number, name, args);
  result.answer = Answer::forward;
  result.support = Support::full;
  return result;
}
constexpr SyscallRow answered(u16 number, const char* name, Args args) {
  SyscallRow result = row(number, name, args);
  result.answer = Answer::kernel;
  result.support = Support::full;
  return result;
}
constexpr SyscallRow refused(u16 number, const char* name, int error, const char* why, Args args = {}) {
  SyscallRow result = row(number, name, args);
  result.refusal = static_cast<i16>(error);
  result.note = why;
  return result;
}

// Reasons that many rows share.
constexpr const char* kNeverBuilt = "not part of any current x86-64 kernel";
constexpr const char* kMachineWide = "changes the host, not the guest";
constexpr const char* kUnrecordable = "results arrive in memory without a system call";
constexpr const char* kBesides =
    "what shares memory beside its maker shares files and directory too, and does not fork or execute; no "
    "new "
    "namespaces";
constexpr const char* kWords = "EINVAL towards standard output and error, whose bytes must be seen";
constexpr const char* kOwnSegments =
    "segments are the machine's own and end with it; a key that is in use outside is EACCES";
constexpr const char* kRealScheduler = "acts on the host's scheduler, which does not order guest tasks";

constexpr ResultKind kFd = ResultKind::fd;
constexpr ResultKind kAddress = ResultKind::address;

// clang-format off
constexpr SyscallRow kListed[] = {
  answered(0, "read", {fd(), out_bytes("buf", 2), size("count")}).blocks(Restart::if_sa_restart),
  answered(1, "write", {fd(), in_bytes("buf", 2), size("count")}).blocks(Restart::if_sa_restart),
  answered(2, "open", {path(), flags("flags", Flags::open), mode()}).returns(kFd).blocks(Restart::if_sa_restart),
  answered(3, "close", {fd()}),
  answered(4, "stat", {path(), out("statbuf", Struct::stat)}),
  answered(5, "fstat", {fd(), out("statbuf", Struct::stat)}),
  answered(6, "lstat", {path(), out("statbuf", Struct::stat)}),
  answered(7, "poll", {in_out_items("fds", Struct::pollfd, 1), size("nfds"), dec("timeout")}).blocks(Restart::block),
  answered(8, "lseek", {fd(), lng("offset"), flags("whence", Flags::whence)}),
  answered(9, "mmap", {addr(), size("length"), flags("prot", Flags::protection), flags("flags", Flags::map), fd(), hex("offset")}).partial("devices, and memory that programs outside can write, are ENODEV").returns(kAddress),
  answered(10, "mprotect", {addr(), size("len"), flags("prot", Flags::protection)}),
  answered(11, "munmap", {addr(), size("length")}),
  answered(12, "brk", {addr()}).returns(kAddress),
  answered(13, "rt_sigaction", {sig("signum"), in("act", Struct::sigaction), out("oldact", Struct::sigaction), size("sigsetsize")}),
  answered(14, "rt_sigprocmask", {flags("how", Flags::signal_how), in("set", Struct::sigset), out("oldset", Struct::sigset), size("sigsetsize")}),
  answered(15, "rt_sigreturn", {}).returns(ResultKind::nothing),
  answered(16, "ioctl", {fd(), flags("request", Flags::ioctl), hex("argp")}).blocks(Restart::if_sa_restart)
      .partial("requests in the ioctl table, and unknown ones whose number tells direction and size"),
  answered(17, "pread64", {fd(), out_bytes("buf", 2), size("count"), lng("offset")}).blocks(Restart::if_sa_restart),
  answered(18, "pwrite64", {fd(), in_bytes("buf", 2), size("count"), lng("offset")}).blocks(Restart::if_sa_restart),
  answered(19, "readv", {fd(), out_vectors("iov", 2), dec("iovcnt")}).blocks(Restart::if_sa_restart),
  answered(20, "writev", {fd(), in_vectors("iov", 2), dec("iovcnt")}).blocks(Restart::if_sa_restart),
  forwarded(21, "access", {path(), flags("mode", Flags::access)}),
  answered(22, "pipe", {out("pipefd", Struct::fd_pair)}),
  answered(23, "select", {dec("nfds"), bits("readfds", Direction::in_out, 0), bits("writefds", Direction::in_out, 0), bits("exceptfds", Direction::in_out, 0), in_out("timeout", Struct::timeval)}).blocks(Restart::no_handler),
  answered(24, "sched_yield", {}),
  answered(25, "mremap", {addr("old_address"), size("old_size"), size("new_size"), flags("flags", Flags::remap), addr("new_address")}).returns(kAddress),
  answered(26, "msync", {addr(), size("length"), flags("flags", Flags::sync)}),
  answered(27, "mincore", {addr(), size("length"), addr("vec")}),
  answered(28, "madvise", {addr(), size("length"), flags("advice", Flags::advise)}),
  answered(29, "shmget", {dec("key"), size("size"), hex("shmflg")}).partial(kOwnSegments),
  answered(30, "shmat", {dec("shmid"), addr("shmaddr"), hex("shmflg")}).partial(kOwnSegments).returns(kAddress),
  answered(31, "shmctl", {dec("shmid"), dec("cmd"), addr("buf")}).partial(kOwnSegments),
  answered(32, "dup", {fd("oldfd")}).returns(kFd),
  answered(33, "dup2", {fd("oldfd"), fd("newfd")}).returns(kFd),
  answered(34, "pause", {}).blocks(Restart::no_handler),
  answered(35, "nanosleep", {in("req", Struct::timespec), out_always("rem", Struct::timespec)}).blocks(Restart::block),
  answered(36, "getitimer", {flags("which", Flags::itimer), out("curr_value", Struct::itimerval)}),
  answered(37, "alarm", {dec("seconds")}),
  answered(38, "setitimer", {flags("which", Flags::itimer), in("new_value", Struct::itimerval), out("old_value", Struct::itimerval)}),
  answered(39, "getpid", {}),
  answered(40, "sendfile", {fd("out_fd"), fd("in_fd"), in_out("offset", Struct::u64_value), size("count")}).blocks(Restart::if_sa_restart),
  forwarded(41, "socket", {flags("domain", Flags::socket_family), flags("type", Flags::socket_type), dec("protocol")}).returns(kFd),
  forwarded(42, "connect", {fd("sockfd"), in_address("addr", 2), dec("addrlen")}).blocks(Restart::if_sa_restart),
  forwarded(43, "accept", {fd("sockfd"), out_address("addr", 2), length()}).returns(kFd).blocks(Restart::if_sa_restart),
  forwarded(44, "sendto", {fd("sockfd"), in_bytes("buf", 2), size("len"), flags("flags", Flags::message), in_address("dest_addr", 5), dec("addrlen")}).blocks(Restart::if_sa_restart),
  forwarded(45, "recvfrom", {fd("sockfd"), out_bytes("buf", 2), size("len"), flags("flags", Flags::message), out_address("src_addr", 5), length()}).blocks(Restart::if_sa_restart),
  answered(46, "sendmsg", {fd("sockfd"), message("msg", Direction::in), flags("flags", Flags::message)}).blocks(Restart::if_sa_restart),
  answered(47, "recvmsg", {fd("sockfd"), message("msg", Direction::out), flags("flags", Flags::message)}).blocks(Restart::if_sa_restart),
  forwarded(48, "shutdown", {fd("sockfd"), flags("how", Flags::shutdown)}),
  forwarded(49, "bind", {fd("sockfd"), in_address("addr", 2), dec("addrlen")}),
  forwarded(50, "listen", {fd("sockfd"), dec("backlog")}),
  forwarded(51, "getsockname", {fd("sockfd"), out_address("addr", 2), length()}),
  forwarded(52, "getpeername", {fd("sockfd"), out_address("addr", 2), length()}),
  answered(53, "socketpair", {flags("domain", Flags::socket_family), flags("type", Flags::socket_type), dec("protocol"), out("sv", Struct::fd_pair)}),
  forwarded(54, "setsockopt", {fd("sockfd"), flags("level", Flags::socket_level), flags("optname", Flags::socket_option), in_bytes("optval", 4), dec("optlen")})
      .partial("pointers inside option values (packet filters, TCP_ZEROCOPY_RECEIVE) are not followed"),
  forwarded(55, "getsockopt", {fd("sockfd"), flags("level", Flags::socket_level), flags("optname", Flags::socket_option), by_length("optval", 4, Struct::bytes), length("optlen")})
      .partial("pointers inside option values are not followed"),
  answered(56, "clone", {flags("flags", Flags::clone), addr("stack"), addr("parent_tid"), addr("child_tid"), addr("tls")}).partial(kBesides),
  answered(57, "fork", {}),
  answered(58, "vfork", {}).partial("all tasks of the parent wait for the child, not only the caller"),
  answered(59, "execve", {path(), addr("argv"), addr("envp")}),
  answered(60, "exit", {dec("status")}).returns(ResultKind::nothing),
  answered(61, "wait4", {pid(), out("wstatus", Struct::i32_value), flags("options", Flags::wait), out("rusage", Struct::rusage)}).blocks(Restart::if_sa_restart),
  answered(62, "kill", {pid(), sig()}),
  forwarded(63, "uname", {out("buf", Struct::utsname)}),
  forwarded(64, "semget", {dec("key"), dec("nsems"), hex("semflg")}),
  forwarded(65, "semop", {dec("semid"), sized(in_items("sops", Struct::bytes, 2), 6), size("nsops")}).blocks(Restart::never),
  answered(66, "semctl", {dec("semid"), dec("semnum"), dec("cmd"), hex("arg")}).partial("IPC_INFO and SEM_STAT are missing"),
  answered(67, "shmdt", {addr("shmaddr")}),
  forwarded(68, "msgget", {dec("key"), hex("msgflg")}),
  answered(69, "msgsnd", {dec("msqid"), addr("msgp"), size("msgsz"), hex("msgflg")}).blocks(Restart::no_handler),
  answered(70, "msgrcv", {dec("msqid"), addr("msgp"), size("msgsz"), lng("msgtyp"), hex("msgflg")}).blocks(Restart::no_handler),
  answered(71, "msgctl", {dec("msqid"), dec("cmd"), addr("buf")}).partial("IPC_RMID, IPC_STAT and IPC_SET only"),
  answered(72, "fcntl", {fd(), flags("cmd", Flags::fcntl), hex("arg")}).blocks(Restart::if_sa_restart),
  forwarded(73, "flock", {fd(), flags("operation", Flags::flock)}).blocks(Restart::if_sa_restart),
  forwarded(74, "fsync", {fd()}),
  forwarded(75, "fdatasync", {fd()}),
  forwarded(76, "truncate", {path(), lng("length")}),
  forwarded(77, "ftruncate", {fd(), lng("length")}),
  answered(78, "getdents", {fd(), out_bytes("dirp", 2), size("count")}),
  forwarded(79, "getcwd", {out_bytes("buf", 1), size("size")}),
  answered(80, "chdir", {path()}),
  answered(81, "fchdir", {fd()}),
  forwarded(82, "rename", {path("oldpath"), path("newpath")}),
  forwarded(83, "mkdir", {path(), mode()}),
  forwarded(84, "rmdir", {path()}),
  answered(85, "creat", {path(), mode()}).returns(kFd).blocks(Restart::if_sa_restart),
  forwarded(86, "link", {path("oldpath"), path("newpath")}),
  forwarded(87, "unlink", {path()}),
  forwarded(88, "symlink", {str("target"), path("linkpath")}),
  answered(89, "readlink", {path(), out_bytes("buf", 2), size("bufsiz")}),
  forwarded(90, "chmod", {path(), mode()}),
  forwarded(91, "fchmod", {fd(), mode()}),
  forwarded(92, "chown", {path(), uid("owner"), uid("group")}),
  forwarded(93, "fchown", {fd(), uid("owner"), uid("group")}),
  forwarded(94, "lchown", {path(), uid("owner"), uid("group")}),
  answered(95, "umask", {mode("mask")}),
  forwarded(96, "gettimeofday", {out("tv", Struct::timeval), out("tz", Struct::timezone)}),
  answered(97, "getrlimit", {flags("resource", Flags::resource), out("rlim", Struct::rlimit)}),
  forwarded(98, "getrusage", {flags("who", Flags::usage), out("usage", Struct::rusage)}),
  forwarded(99, "sysinfo", {out("info", Struct::sysinfo)}),
  forwarded(100, "times", {out("buf", Struct::tms)}).returns(ResultKind::clock_ticks),
  answered(101, "ptrace", {dec("request"), pid(), addr(), addr("data")}).partial("between processes that share their memory: attach, read, continue, detach; else EPERM"),
  forwarded(102, "getuid", {}),
  forwarded(103, "syslog", {dec("type"), out_bytes("bufp", 2), dec("len")}),
  forwarded(104, "getgid", {}),
  answered(105, "setuid", {uid("uid")}),
  answered(106, "setgid", {uid("gid")}),
  forwarded(107, "geteuid", {}),
  forwarded(108, "getegid", {}),
  answered(109, "setpgid", {pid(), pid("pgid")}),
  answered(110, "getppid", {}),
  forwarded(111, "getpgrp", {}),
  answered(112, "setsid", {}),
  answered(113, "setreuid", {uid("ruid"), uid("euid")}),
  answered(114, "setregid", {uid("rgid"), uid("egid")}),
  forwarded(115, "getgroups", {dec("size"), out_items("list", Struct::u32_value, 0)}),
  forwarded(116, "setgroups", {dec("size"), in_items("list", Struct::u32_value, 0)}),
  answered(117, "setresuid", {uid("ruid"), uid("euid"), uid("suid")}),
  forwarded(118, "getresuid", {out("ruid", Struct::u32_value), out("euid", Struct::u32_value), out("suid", Struct::u32_value)}),
  answered(119, "setresgid", {uid("rgid"), uid("egid"), uid("sgid")}),
  forwarded(120, "getresgid", {out("rgid", Struct::u32_value), out("egid", Struct::u32_value), out("sgid", Struct::u32_value)}),
  forwarded(121, "getpgid", {pid()}),
  forwarded(122, "setfsuid", {uid("fsuid")}),
  forwarded(123, "setfsgid", {uid("fsgid")}),
  forwarded(124, "getsid", {pid()}),
  forwarded(125, "capget", {in_out("hdrp", Struct::cap_header), out_always("datap", Struct::cap_data)}),
  forwarded(126, "capset", {in_out("hdrp", Struct::cap_header), in("datap", Struct::cap_data)}),
  answered(127, "rt_sigpending", {out("set", Struct::sigset), size("sigsetsize")}),
  answered(128, "rt_sigtimedwait", {in("set", Struct::sigset), out("info", Struct::siginfo), in("timeout", Struct::timespec), size("sigsetsize")}).blocks(Restart::never),
  answered(129, "rt_sigqueueinfo", {pid("tgid"), sig(), in("info", Struct::siginfo)}),
  answered(130, "rt_sigsuspend", {in("mask", Struct::sigset), size("sigsetsize")}).blocks(Restart::no_handler),
  answered(131, "sigaltstack", {in("ss", Struct::stack), out("old_ss", Struct::stack)}),
  forwarded(132, "utime", {path("filename"), in("times", Struct::utimbuf)}),
  forwarded(133, "mknod", {path(), mode(), hex("dev")}),
  refused(134, "uselib", ENOSYS, kNeverBuilt, {path("library")}),
  answered(135, "personality", {flags("persona", Flags::personality)}).partial("the value is kept, but address layout and READ_IMPLIES_EXEC stay as they are"),
  forwarded(136, "ustat", {hex("dev"), out("ubuf", Struct::ustat)}),
  forwarded(137, "statfs", {path(), out("buf", Struct::statfs)}),
  forwarded(138, "fstatfs", {fd(), out("buf", Struct::statfs)}),
  refused(139, "sysfs", ENOSYS, "obsolete; its arguments depend on the option", {dec("option")}),
  answered(140, "getpriority", {flags("which", Flags::priority), dec("who")}),
  answered(141, "setpriority", {flags("which", Flags::priority), dec("who"), dec("prio")}).partial(kRealScheduler),
  answered(142, "sched_setparam", {pid(), in("param", Struct::sched_param)}).partial(kRealScheduler),
  answered(143, "sched_getparam", {pid(), out("param", Struct::sched_param)}),
  answered(144, "sched_setscheduler", {pid(), flags("policy", Flags::scheduler), in("param", Struct::sched_param)}).partial(kRealScheduler),
  answered(145, "sched_getscheduler", {pid()}),
  forwarded(146, "sched_get_priority_max", {flags("policy", Flags::scheduler)}),
  forwarded(147, "sched_get_priority_min", {flags("policy", Flags::scheduler)}),
  answered(148, "sched_rr_get_interval", {pid(), out("tp", Struct::timespec)}),
  answered(149, "mlock", {addr(), size("len")}),
  answered(150, "munlock", {addr(), size("len")}),
  answered(151, "mlockall", {flags("flags", Flags::lock_all)}),
  answered(152, "munlockall", {}),
  refused(153, "vhangup", EPERM, kMachineWide),
  refused(154, "modify_ldt", ENOSYS, "segments of 16-bit programs; CONFIG_MODIFY_LDT_SYSCALL off", {dec("func"), addr("ptr"), size("bytecount")}),
  refused(155, "pivot_root", EPERM, kMachineWide, {path("new_root"), path("put_old")}),
  refused(156, "_sysctl", ENOSYS, kNeverBuilt),
  answered(157, "prctl", {flags("option", Flags::prctl), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")})
      .partial("names, dumpable, no_new_privs, subreaper, death signal, timer slack, capabilities, THP; others EINVAL"),
  answered(158, "arch_prctl", {flags("code", Flags::arch_prctl), hex("addr")}).partial("FS and GS bases; CPUID faulting and shadow stacks EINVAL"),
  forwarded(159, "adjtimex", {in_out("buf", Struct::timex)}),
  answered(160, "setrlimit", {flags("resource", Flags::resource), in("rlim", Struct::rlimit)}),
  forwarded(161, "chroot", {path()}).partial("the guest's view of /proc stays that of the machine"),
  forwarded(162, "sync", {}),
  refused(163, "acct", EPERM, kMachineWide, {path("filename")}),
  forwarded(164, "settimeofday", {in("tv", Struct::timeval), in("tz", Struct::timezone)}),
  forwarded(165, "mount", {str("source"), path("target"), str("filesystemtype"), flags("mountflags", Flags::mount), str("data")}).partial("data is taken to be a string"),
  forwarded(166, "umount2", {path("target"), flags("flags", Flags::umount)}),
  refused(167, "swapon", EPERM, kMachineWide, {path(), hex("swapflags")}),
  refused(168, "swapoff", EPERM, kMachineWide, {path()}),
  refused(169, "reboot", EPERM, kMachineWide, {hex("magic"), hex("magic2"), flags("op", Flags::reboot), addr("arg")}),
  forwarded(170, "sethostname", {in_bytes("name", 1), size("len")}),
  forwarded(171, "setdomainname", {in_bytes("name", 1), size("len")}),
  refused(172, "iopl", EPERM, "guest code runs without port access", {dec("level")}),
  refused(173, "ioperm", EPERM, "guest code runs without port access", {hex("from"), size("num"), dec("turn_on")}),
  refused(174, "create_module", ENOSYS, kNeverBuilt),
  refused(175, "init_module", EPERM, kMachineWide, {addr("module_image"), size("len"), str("param_values")}),
  refused(176, "delete_module", EPERM, kMachineWide, {str("name"), hex("flags")}),
  refused(177, "get_kernel_syms", ENOSYS, kNeverBuilt),
  refused(178, "query_module", ENOSYS, kNeverBuilt),
  refused(179, "quotactl", ENOSYS, "its last argument depends on the command", {hex("cmd"), path("special"), dec("id"), addr()}),
  refused(180, "nfsservctl", ENOSYS, kNeverBuilt),
  refused(181, "getpmsg", ENOSYS, kNeverBuilt),
  refused(182, "putpmsg", ENOSYS, kNeverBuilt),
  refused(183, "afs_syscall", ENOSYS, kNeverBuilt),
  refused(184, "tuxcall", ENOSYS, kNeverBuilt),
  refused(185, "security", ENOSYS, kNeverBuilt),
  answered(186, "gettid", {}),
  forwarded(187, "readahead", {fd(), lng("offset"), size("count")}),
  forwarded(188, "setxattr", {path(), str("name"), in_bytes("value", 3), size("size"), flags("flags", Flags::extended_attribute)}),
  forwarded(189, "lsetxattr", {path(), str("name"), in_bytes("value", 3), size("size"), flags("flags", Flags::extended_attribute)}),
  forwarded(190, "fsetxattr", {fd(), str("name"), in_bytes("value", 3), size("size"), flags("flags", Flags::extended_attribute)}),
  forwarded(191, "getxattr", {path(), str("name"), out_bytes("value", 3), size("size")}),
  forwarded(192, "lgetxattr", {path(), str("name"), out_bytes("value", 3), size("size")}),
  forwarded(193, "fgetxattr", {fd(), str("name"), out_bytes("value", 3), size("size")}),
  forwarded(194, "listxattr", {path(), out_bytes("list", 2), size("size")}),
  forwarded(195, "llistxattr", {path(), out_bytes("list", 2), size("size")}),
  forwarded(196, "flistxattr", {fd(), out_bytes("list", 2), size("size")}),
  forwarded(197, "removexattr", {path(), str("name")}),
  forwarded(198, "lremovexattr", {path(), str("name")}),
  forwarded(199, "fremovexattr", {fd(), str("name")}),
  answered(200, "tkill", {pid("tid"), sig()}),
  forwarded(201, "time", {out("tloc", Struct::u64_value)}),
  answered(202, "futex", {addr("uaddr"), flags("op", Flags::futex), dec("val"), hex("timeout"), addr("uaddr2"), hex("val3")}).blocks(Restart::if_sa_restart)
      .partial("no FUTEX_WAIT_REQUEUE_PI; of memory shared with other processes only within this one"),
  answered(203, "sched_setaffinity", {pid(), size("cpusetsize"), in_bytes("mask", 1)}).partial("the guest has one CPU"),
  answered(204, "sched_getaffinity", {pid(), size("cpusetsize"), out_bytes("mask", 1)}).partial("the guest has one CPU"),
  refused(205, "set_thread_area", ENOSYS, kNeverBuilt),
  refused(206, "io_setup", ENOSYS, kUnrecordable, {dec("nr_events"), addr("ctx_idp")}),
  refused(207, "io_destroy", ENOSYS, kUnrecordable, {addr("ctx_id")}),
  refused(208, "io_getevents", ENOSYS, kUnrecordable, {addr("ctx_id"), lng("min_nr"), lng("nr"), addr("events"), addr("timeout")}),
  refused(209, "io_submit", ENOSYS, kUnrecordable, {addr("ctx_id"), lng("nr"), addr("iocbpp")}),
  refused(210, "io_cancel", ENOSYS, kUnrecordable, {addr("ctx_id"), addr("iocb"), addr("result")}),
  refused(211, "get_thread_area", ENOSYS, kNeverBuilt),
  refused(212, "lookup_dcookie", ENOSYS, kNeverBuilt),
  forwarded(213, "epoll_create", {dec("size")}).returns(kFd),
  refused(214, "epoll_ctl_old", ENOSYS, kNeverBuilt),
  refused(215, "epoll_wait_old", ENOSYS, kNeverBuilt),
  refused(216, "remap_file_pages", ENOSYS, "deprecated; pages of one mapping would lie out of order", {addr(), size("size"), hex("prot"), hex("pgoff"), hex("flags")}),
  answered(217, "getdents64", {fd(), out_bytes("dirp", 2), size("count")}),
  answered(218, "set_tid_address", {addr("tidptr")}),
  answered(219, "restart_syscall", {}).blocks(Restart::block),
  forwarded(220, "semtimedop", {dec("semid"), sized(in_items("sops", Struct::bytes, 2), 6), size("nsops"), in("timeout", Struct::timespec)}).blocks(Restart::never),
  forwarded(221, "fadvise64", {fd(), lng("offset"), size("len"), flags("advice", Flags::advice)}),
  answered(222, "timer_create", {flags("clockid", Flags::clock), in("sevp", Struct::sigevent), out("timerid", Struct::i32_value)}),
  answered(223, "timer_settime", {dec("timerid"), flags("flags", Flags::timer_set), in("new_value", Struct::itimerspec), out("old_value", Struct::itimerspec)}),
  answered(224, "timer_gettime", {dec("timerid"), out("curr_value", Struct::itimerspec)}),
  answered(225, "timer_getoverrun", {dec("timerid")}),
  answered(226, "timer_delete", {dec("timerid")}),
  forwarded(227, "clock_settime", {flags("clockid", Flags::clock), in("tp", Struct::timespec)}),
  forwarded(228, "clock_gettime", {flags("clockid", Flags::clock), out("tp", Struct::timespec)}),
  forwarded(229, "clock_getres", {flags("clockid", Flags::clock), out("res", Struct::timespec)}),
  answered(230, "clock_nanosleep", {flags("clockid", Flags::clock), flags("flags", Flags::timer_set), in("request", Struct::timespec), out_always("remain", Struct::timespec)}).blocks(Restart::block),
  answered(231, "exit_group", {dec("status")}).returns(ResultKind::nothing),
  answered(232, "epoll_wait", {fd("epfd"), out_items("events", Struct::epoll_event, 2), dec("maxevents"), dec("timeout")}).blocks(Restart::never),
  forwarded(233, "epoll_ctl", {fd("epfd"), flags("op", Flags::epoll_control), fd(), in("event", Struct::epoll_event)}),
  answered(234, "tgkill", {pid("tgid"), pid("tid"), sig()}),
  forwarded(235, "utimes", {path("filename"), two("times", Struct::timeval)}),
  refused(236, "vserver", ENOSYS, kNeverBuilt),
  answered(237, "mbind", {addr(), size("len"), dec("mode"), addr("nodemask"), size("maxnode"), hex("flags")}).partial("the guest has one node"),
  answered(238, "set_mempolicy", {dec("mode"), addr("nodemask"), size("maxnode")}).partial("the guest has one node"),
  answered(239, "get_mempolicy", {addr("mode"), addr("nodemask"), size("maxnode"), addr(), hex("flags")}).partial("the guest has one node"),
  forwarded(240, "mq_open", {str("name"), flags("oflag", Flags::open), mode(), in("attr", Struct::mq_attr)}).returns(kFd),
  forwarded(241, "mq_unlink", {str("name")}),
  forwarded(242, "mq_timedsend", {fd("mqdes"), in_bytes("msg_ptr", 2), size("msg_len"), dec("msg_prio"), in("abs_timeout", Struct::timespec)}).blocks(Restart::if_sa_restart),
  forwarded(243, "mq_timedreceive", {fd("mqdes"), out_bytes("msg_ptr", 2), size("msg_len"), out("msg_prio", Struct::u32_value), in("abs_timeout", Struct::timespec)}).blocks(Restart::if_sa_restart),
  forwarded(244, "mq_notify", {fd("mqdes"), in("sevp", Struct::sigevent)}).partial("SIGEV_THREAD's cookie is not followed"),
  forwarded(245, "mq_getsetattr", {fd("mqdes"), in("newattr", Struct::mq_attr), out("oldattr", Struct::mq_attr)}),
  refused(246, "kexec_load", EPERM, kMachineWide),
  answered(247, "waitid", {flags("idtype", Flags::id_type), pid("id"), out("infop", Struct::siginfo), flags("options", Flags::wait_id), out("rusage", Struct::rusage)}).blocks(Restart::if_sa_restart),
  forwarded(248, "add_key", {str("type"), str("description"), in_bytes("payload", 3), size("plen"), dec("keyring")}),
  forwarded(249, "request_key", {str("type"), str("description"), str("callout_info"), dec("dest_keyring")}),
  answered(250, "keyctl", {flags("operation", Flags::key), hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")}).partial("commands without buffers; others EOPNOTSUPP"),
  forwarded(251, "ioprio_set", {dec("which"), dec("who"), hex("ioprio")}),
  forwarded(252, "ioprio_get", {dec("which"), dec("who")}),
  forwarded(253, "inotify_init", {}).returns(kFd),
  forwarded(254, "inotify_add_watch", {fd(), path(), flags("mask", Flags::inotify_mask)}),
  forwarded(255, "inotify_rm_watch", {fd(), dec("wd")}),
  refused(256, "migrate_pages", ENOSYS, "no NUMA in the guest"),
  answered(257, "openat", {dirfd(), path(), flags("flags", Flags::open), mode()}).returns(kFd).blocks(Restart::if_sa_restart),
  forwarded(258, "mkdirat", {dirfd(), path(), mode()}),
  forwarded(259, "mknodat", {dirfd(), path(), mode(), hex("dev")}),
  forwarded(260, "fchownat", {dirfd(), path(), uid("owner"), uid("group"), flags("flags", Flags::at)}),
  forwarded(261, "futimesat", {dirfd(), path(), two("times", Struct::timeval)}),
  answered(262, "newfstatat", {dirfd(), path(), out("statbuf", Struct::stat), flags("flags", Flags::at)}),
  forwarded(263, "unlinkat", {dirfd(), path(), flags("flags", Flags::at)}),
  forwarded(264, "renameat", {dirfd("olddirfd"), path("oldpath"), dirfd("newdirfd"), path("newpath")}),
  forwarded(265, "linkat", {dirfd("olddirfd"), path("oldpath"), dirfd("newdirfd"), path("newpath"), flags("flags", Flags::at)}),
  forwarded(266, "symlinkat", {str("target"), dirfd("newdirfd"), path("linkpath")}),
  answered(267, "readlinkat", {dirfd(), path(), out_bytes("buf", 3), size("bufsiz")}),
  forwarded(268, "fchmodat", {dirfd(), path(), mode()}),
  forwarded(269, "faccessat", {dirfd(), path(), flags("mode", Flags::access)}),
  answered(270, "pselect6", {dec("nfds"), bits("readfds", Direction::in_out, 0), bits("writefds", Direction::in_out, 0), bits("exceptfds", Direction::in_out, 0), in_out("timeout", Struct::timespec), hex("sigmask")}).blocks(Restart::no_handler),
  answered(271, "ppoll", {in_out_items("fds", Struct::pollfd, 1), size("nfds"), in_out("tmo_p", Struct::timespec), in("sigmask", Struct::sigset), size("sigsetsize")}).blocks(Restart::no_handler),
  answered(272, "unshare", {flags("flags", Flags::clone)}).partial("no new namespaces: EPERM"),
  answered(273, "set_robust_list", {addr("head"), size("len")}),
  answered(274, "get_robust_list", {pid(), out("head_ptr", Struct::pointer), out("len_ptr", Struct::u64_value)}),
  answered(275, "splice", {fd("fd_in"), in_out("off_in", Struct::u64_value), fd("fd_out"), in_out("off_out", Struct::u64_value), size("len"), flags("flags", Flags::splice)}).blocks(Restart::if_sa_restart),
  answered(276, "tee", {fd("fd_in"), fd("fd_out"), size("len"), flags("flags", Flags::splice)}).blocks(Restart::if_sa_restart).partial(kWords),
  forwarded(277, "sync_file_range", {fd(), lng("offset"), size("nbytes"), flags("flags", Flags::sync_range)}),
  answered(278, "vmsplice", {fd(), in_vectors("iov", 2), size("nr_segs"), flags("flags", Flags::splice)}).blocks(Restart::if_sa_restart)
      .partial("the bytes are copied: what is changed in the pages later does not reach the reader"),
  answered(279, "move_pages", {pid(), size("count"), addr("pages"), addr("nodes"), addr("status"), hex("flags")}).partial("a machine of one node; of the process itself only"),
  forwarded(280, "utimensat", {dirfd(), path(), two("times", Struct::timespec), flags("flags", Flags::at)}),
  answered(281, "epoll_pwait", {fd("epfd"), out_items("events", Struct::epoll_event, 2), dec("maxevents"), dec("timeout"), in("sigmask", Struct::sigset), size("sigsetsize")}).blocks(Restart::never),
  answered(282, "signalfd", {fd(), in("mask", Struct::sigset), size("sizemask")}).returns(kFd),
  forwarded(283, "timerfd_create", {flags("clockid", Flags::clock), flags("flags", Flags::timer_fd)}).returns(kFd),
  forwarded(284, "eventfd", {dec("initval")}).returns(kFd),
  forwarded(285, "fallocate", {fd(), flags("mode", Flags::fallocate), lng("offset"), lng("len")}),
  forwarded(286, "timerfd_settime", {fd(), flags("flags", Flags::timer_set), in("new_value", Struct::itimerspec), out("old_value", Struct::itimerspec)}),
  forwarded(287, "timerfd_gettime", {fd(), out("curr_value", Struct::itimerspec)}),
  forwarded(288, "accept4", {fd("sockfd"), out_address("addr", 2), length(), flags("flags", Flags::socket_type)}).returns(kFd).blocks(Restart::if_sa_restart),
  answered(289, "signalfd4", {fd(), in("mask", Struct::sigset), size("sizemask"), flags("flags", Flags::signal_fd)}).returns(kFd),
  forwarded(290, "eventfd2", {dec("initval"), flags("flags", Flags::event_fd)}).returns(kFd),
  forwarded(291, "epoll_create1", {flags("flags", Flags::epoll_create)}).returns(kFd),
  answered(292, "dup3", {fd("oldfd"), fd("newfd"), flags("flags", Flags::open)}).returns(kFd),
  answered(293, "pipe2", {out("pipefd", Struct::fd_pair), flags("flags", Flags::open)}),
  forwarded(294, "inotify_init1", {flags("flags", Flags::inotify)}).returns(kFd),
  answered(295, "preadv", {fd(), out_vectors("iov", 2), dec("iovcnt"), lng("pos_l"), lng("pos_h")}).blocks(Restart::if_sa_restart),
  answered(296, "pwritev", {fd(), in_vectors("iov", 2), dec("iovcnt"), lng("pos_l"), lng("pos_h")}).blocks(Restart::if_sa_restart),
  answered(297, "rt_tgsigqueueinfo", {pid("tgid"), pid("tid"), sig(), in("info", Struct::siginfo)}),
  refused(298, "perf_event_open", EACCES, "counters would count the engine; perf_event_paranoid 3", {addr("attr"), pid(), dec("cpu"), fd("group_fd"), hex("flags")}),
  answered(299, "recvmmsg", {fd("sockfd"), messages("msgvec", Direction::out, 2), dec("vlen"), flags("flags", Flags::message), in_out("timeout", Struct::timespec)}).blocks(Restart::if_sa_restart),
  refused(300, "fanotify_init", EPERM, "would report the engine's own accesses", {hex("flags"), hex("event_f_flags")}),
  refused(301, "fanotify_mark", EPERM, "would report the engine's own accesses", {fd("fanotify_fd"), hex("flags"), hex("mask"), dirfd(), path()}),
  answered(302, "prlimit64", {pid(), flags("resource", Flags::resource), in("new_limit", Struct::rlimit), out("old_limit", Struct::rlimit)}),
  answered(303, "name_to_handle_at", {dirfd(), path(), addr("handle"), out("mount_id", Struct::i32_value), flags("flags", Flags::at)}),
  answered(304, "open_by_handle_at", {fd("mount_fd"), addr("handle"), flags("flags", Flags::open)}).returns(kFd),
  forwarded(305, "clock_adjtime", {flags("clk_id", Flags::clock), in_out("buf", Struct::timex)}),
  forwarded(306, "syncfs", {fd()}),
  answered(307, "sendmmsg", {fd("sockfd"), messages("msgvec", Direction::in, 2), dec("vlen"), flags("flags", Flags::message)}).blocks(Restart::if_sa_restart),
  refused(308, "setns", EPERM, "the machine stays in its namespaces", {fd(), hex("nstype")}),
  answered(309, "getcpu", {out("cpu", Struct::u32_value), out("node", Struct::u32_value), addr("tcache")}),
  answered(310, "process_vm_readv", {pid(), out_vectors("local_iov", 2), size("liovcnt"), addr("remote_iov"), size("riovcnt"), hex("flags")}),
  answered(311, "process_vm_writev", {pid(), in_vectors("local_iov", 2), size("liovcnt"), addr("remote_iov"), size("riovcnt"), hex("flags")}),
  forwarded(312, "kcmp", {pid("pid1"), pid("pid2"), dec("type"), hex("idx1"), hex("idx2")}).partial("KCMP_EPOLL_TFD is not known"),
  refused(313, "finit_module", EPERM, kMachineWide, {fd(), str("param_values"), hex("flags")}),
  answered(314, "sched_setattr", {pid(), in("attr", Struct::sched_attr), hex("flags")}).partial(kRealScheduler),
  answered(315, "sched_getattr", {pid(), out_whole("attr", 2), size("size"), hex("flags")}),
  forwarded(316, "renameat2", {dirfd("olddirfd"), path("oldpath"), dirfd("newdirfd"), path("newpath"), flags("flags", Flags::rename)}),
  answered(317, "seccomp", {flags("operation", Flags::seccomp), hex("flags"), addr("args")}).partial("no listeners; the calls that a vDSO answers natively pass every filter"),
  forwarded(318, "getrandom", {out_bytes("buf", 1), size("buflen"), flags("flags", Flags::random)}).blocks(Restart::if_sa_restart),
  answered(319, "memfd_create", {str("name"), flags("flags", Flags::memfd)}).returns(kFd),
  refused(320, "kexec_file_load", EPERM, kMachineWide),
  refused(321, "bpf", EPERM, "kernel.unprivileged_bpf_disabled", {dec("cmd"), addr("attr"), size("size")}),
  answered(322, "execveat", {dirfd(), path(), addr("argv"), addr("envp"), flags("flags", Flags::at)}),
  refused(323, "userfaultfd", ENOSYS, "faults belong to the address-space manager", {hex("flags")}),
  answered(324, "membarrier", {flags("cmd", Flags::membarrier), hex("flags"), dec("cpu_id")}),
  answered(325, "mlock2", {addr(), size("len"), hex("flags")}),
  answered(326, "copy_file_range", {fd("fd_in"), in_out("off_in", Struct::u64_value), fd("fd_out"), in_out("off_out", Struct::u64_value), size("len"), hex("flags")}),
  answered(327, "preadv2", {fd(), out_vectors("iov", 2), dec("iovcnt"), lng("pos_l"), lng("pos_h"), flags("flags", Flags::read_write)}).blocks(Restart::if_sa_restart),
  answered(328, "pwritev2", {fd(), in_vectors("iov", 2), dec("iovcnt"), lng("pos_l"), lng("pos_h"), flags("flags", Flags::read_write)}).blocks(Restart::if_sa_restart),
  answered(329, "pkey_mprotect", {addr(), size("len"), flags("prot", Flags::protection), dec("pkey")}).partial("key -1 only"),
  refused(330, "pkey_alloc", ENOSPC, "protection keys are hidden from the guest", {hex("flags"), hex("access_rights")}),
  refused(331, "pkey_free", EINVAL, "protection keys are hidden from the guest", {dec("pkey")}),
  answered(332, "statx", {dirfd(), path(), flags("flags", Flags::at), flags("mask", Flags::stat_mask), out("statxbuf", Struct::statx)}),
  refused(333, "io_pgetevents", ENOSYS, kUnrecordable),
  answered(334, "rseq", {addr("rseq"), size("rseq_len"), hex("flags"), hex("sig")}).partial("ENOSYS, as before Linux 4.18: programs read the CPU number with getcpu"),
  refused(335, "uretprobe", ENOSYS, "for the kernel's own trampolines"),
  answered(424, "pidfd_send_signal", {fd("pidfd"), sig(), in("info", Struct::siginfo), hex("flags")}).partial("descriptors of the process itself only"),
  refused(425, "io_uring_setup", ENOSYS, kUnrecordable, {dec("entries"), addr("params")}),
  refused(426, "io_uring_enter", ENOSYS, kUnrecordable),
  refused(427, "io_uring_register", ENOSYS, kUnrecordable),
  forwarded(428, "open_tree", {dirfd(), path("filename"), hex("flags")}).returns(kFd),
  forwarded(429, "move_mount", {dirfd("from_dirfd"), path("from_pathname"), dirfd("to_dirfd"), path("to_pathname"), hex("flags")}),
  forwarded(430, "fsopen", {str("fs_name"), hex("flags")}).returns(kFd),
  refused(431, "fsconfig", ENOSYS, "its value depends on the command", {fd("fs_fd"), dec("cmd"), str("key"), addr("value"), dec("aux")}),
  forwarded(432, "fsmount", {fd("fs_fd"), hex("flags"), hex("attr_flags")}).returns(kFd),
  forwarded(433, "fspick", {dirfd(), path(), hex("flags")}).returns(kFd),
  forwarded(434, "pidfd_open", {pid(), hex("flags")}).returns(kFd),
  answered(435, "clone3", {in_bytes("cl_args", 1), size("size")}).partial(kBesides),
  answered(436, "close_range", {dec("first"), dec("last"), flags("flags", Flags::close_range)}),
  answered(437, "openat2", {dirfd(), path(), in_bytes("how", 3), size("size")}).returns(kFd).blocks(Restart::if_sa_restart),
  answered(438, "pidfd_getfd", {fd("pidfd"), fd("targetfd"), hex("flags")}).returns(kFd),
  forwarded(439, "faccessat2", {dirfd(), path(), flags("mode", Flags::access), flags("flags", Flags::at)}),
  answered(440, "process_madvise", {fd("pidfd"), addr("iovec"), size("vlen"), flags("advice", Flags::advise), hex("flags")}).partial("the process itself only"),
  answered(441, "epoll_pwait2", {fd("epfd"), out_items("events", Struct::epoll_event, 2), dec("maxevents"), in("timeout", Struct::timespec), in("sigmask", Struct::sigset), size("sigsetsize")}).blocks(Restart::never),
  forwarded(442, "mount_setattr", {dirfd(), path(), flags("flags", Flags::at), in_bytes("uattr", 4), size("usize")}),
  refused(443, "quotactl_fd", ENOSYS, "its last argument depends on the command"),
  refused(444, "landlock_create_ruleset", ENOSYS, "a host rule set would bind the engine too"),
  refused(445, "landlock_add_rule", ENOSYS, "a host rule set would bind the engine too"),
  refused(446, "landlock_restrict_self", ENOSYS, "a host rule set would bind the engine too"),
  refused(447, "memfd_secret", ENOSYS, "the engine could not read such memory", {hex("flags")}),
  refused(448, "process_mrelease", ENOSYS, "would act on host processes", {fd("pidfd"), hex("flags")}),
  answered(449, "futex_waitv", {in_items("waiters", Struct::futex_waitv, 1), dec("nr_futexes"), hex("flags"), in("timeout", Struct::timespec), flags("clockid", Flags::clock)}).blocks(Restart::if_sa_restart)
      .partial("of memory shared with other processes only within this one"),
  refused(450, "set_mempolicy_home_node", ENOSYS, "no NUMA in the guest"),
  forwarded(451, "cachestat", {fd(), sized(in("cstat_range", Struct::u64_value), 16), sized(out("cstat", Struct::u64_value), 40), hex("flags")}),
  forwarded(452, "fchmodat2", {dirfd(), path(), mode(), flags("flags", Flags::at)}),
  refused(453, "map_shadow_stack", EOPNOTSUPP, "shadow stacks are hidden from the guest", {addr(), size("size"), hex("flags")}),
  answered(454, "futex_wake", {addr("uaddr"), hex("mask"), dec("nr"), hex("flags")}),
  answered(455, "futex_wait", {addr("uaddr"), size("val"), hex("mask"), hex("flags"), in("timeout", Struct::timespec), flags("clockid", Flags::clock)}).blocks(Restart::if_sa_restart),
  answered(456, "futex_requeue", {sized(in("waiters", Struct::futex_waitv), 48), hex("flags"), dec("nr_wake"), dec("nr_requeue")}),
  answered(457, "statmount", {addr("req"), out_whole("buf", 2), size("bufsize"), hex("flags")}),
  answered(458, "listmount", {addr("req"), out_items("mnt_ids", Struct::u64_value, 2), size("nr_mnt_ids"), hex("flags")}),
  forwarded(459, "lsm_get_self_attr", {dec("attr"), by_length("ctx", 2, Struct::bytes), length("size"), hex("flags")}),
  forwarded(460, "lsm_set_self_attr", {dec("attr"), in_bytes("ctx", 2), size("size"), hex("flags")}),
  forwarded(461, "lsm_list_modules", {by_length("ids", 1, Struct::bytes), length("size"), hex("flags")}),
  answered(462, "mseal", {addr(), size("len"), hex("flags")}),
};
// clang-format on

/// Rows by number; a gap keeps its number and has no name.
consteval std::array<SyscallRow, kSyscallCount> by_number() {
  std::array<SyscallRow, kSyscallCount> rows{};
  for (std::size_t number = 0; number < rows.size(); ++number) rows[number].number = static_cast<u16>(number);
  for (const SyscallRow& listed : kListed) rows[listed.number] = listed;
  return rows;
}

constexpr std::array<SyscallRow, kSyscallCount> kRows = by_number();

/// What forward.cc and the printer rely on.
consteval bool rows_are_sound() {
  std::size_t named = 0;
  for (const SyscallRow& checked : kRows) named += checked.name != nullptr ? 1 : 0;
  if (named != std::size(kListed)) return false;  // a number stands twice
  for (const SyscallRow& checked : kRows) {
    for (const Arg& arg : checked.args) {
      const bool reads_argument = arg.rule == SizeRule::argument || arg.rule == SizeRule::items ||
                                  arg.rule == SizeRule::length_pointer || arg.rule == SizeRule::io_vectors ||
                                  arg.rule == SizeRule::messages || arg.rule == SizeRule::fd_set;
      if (reads_argument && arg.size_arg >= checked.arg_count) return false;
      if (arg.is_pointer() != (arg.rule != SizeRule::none)) return false;
      if (arg.kind == ArgKind::flags && arg.flags == Flags::none) return false;
      if (arg.rule == SizeRule::fixed && arg.size_bytes == 0) return false;
    }
    const bool refuses = checked.answer == Answer::refuse;
    if (checked.name != nullptr && refuses != (checked.support == Support::refused)) return false;
    if (checked.name != nullptr && refuses != (checked.refusal != 0)) return false;
    if (checked.support == Support::partial && checked.note[0] == 0) return false;
  }
  return true;
}
static_assert(rows_are_sound());

}  // namespace

const StructInfo& struct_info(Struct structure) { return kStructs[static_cast<std::size_t>(structure)]; }

std::span<const SyscallRow> syscall_rows() { return kRows; }

const SyscallRow* find_syscall(u64 number) {
  return number < kRows.size() && kRows[number].name != nullptr ? &kRows[number] : nullptr;
}

const SyscallRow* find_syscall(std::string_view name) {
  for (const SyscallRow& candidate : kRows)
    if (candidate.name != nullptr && name == candidate.name) return &candidate;
  return nullptr;
}

}  // namespace orrery::abi
