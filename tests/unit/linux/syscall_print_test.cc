// The printer, on calls whose memory is this test's own.
#include "linux/syscall_print.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>
#include <string>

#include "linux/syscall_table.h"

namespace orrery::abi {
namespace {

/// All of this process is readable except the first page.
class OwnMemory final : public MemoryReader {
 public:
  std::size_t read(u64 address, std::span<u8> out) const override {
    if (address < 4096) return 0;
    std::memcpy(out.data(), reinterpret_cast<const void*>(address), out.size());
    return out.size();
  }
};

template <class T>
u64 word(T value) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<u64>(value);
  else
    return static_cast<u64>(value);
}

template <class... T>
std::string printed(std::string_view name, i64 result, T... values) {
  std::array<u64, 6> args{word(values)...};
  Text out;
  print_syscall(*find_syscall(name), args, result, OwnMemory{}, out);
  return std::string(out.view());
}

TEST(SyscallPrint, ReadsAndWrites) {
  const char text[] = "hello\n\"world\"\x01";
  EXPECT_EQ(printed("write", 6, 1, text, 6), "write(1, \"hello\\n\", 6) = 6");
  EXPECT_EQ(printed("write", -EBADF, 9, text, sizeof text),
            "write(9, \"hello\\n\\\"world\\\"\\1\\0\", 15) = -1 EBADF (Bad file descriptor)");
  EXPECT_EQ(printed("read", 5, 3, text, 4096), "read(3, \"hello\", 4096) = 5");
  EXPECT_EQ(printed("read", 0, 3, text, 4096), "read(3, \"\", 4096) = 0");
  EXPECT_EQ(printed("read", -EFAULT, 3, 8, 10), "read(3, 0x8, 10) = -1 EFAULT (Bad address)");
  const std::string many(100, 'x');
  EXPECT_EQ(printed("write", 100, 1, many.c_str(), 100),
            "write(1, \"" + std::string(32, 'x') + "\"..., 100) = 100");
}

TEST(SyscallPrint, OpensFiles) {
  EXPECT_EQ(printed("openat", 3, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0666),
            "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
  EXPECT_EQ(printed("open", -ENOENT, "x", O_WRONLY | O_CREAT | O_TRUNC, 0644),
            "open(\"x\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such file or directory)");
  struct stat status = {};
  status.st_mode = S_IFREG | 0755;
  status.st_size = 42;
  EXPECT_EQ(printed("fstat", 0, 3, &status), "fstat(3, {st_mode=S_IFREG|0755, st_size=42, ...}) = 0");
  EXPECT_EQ(printed("access", -EACCES, "/", R_OK | X_OK),
            "access(\"/\", X_OK|R_OK) = -1 EACCES (Permission denied)");
  EXPECT_EQ(printed("lseek", 10, 3, -5, SEEK_END), "lseek(3, -5, SEEK_END) = 10");
}

TEST(SyscallPrint, ShowsModes) {
  EXPECT_EQ(printed("umask", 022, 0), "umask(000) = 022");
  EXPECT_EQ(printed("chmod", 0, 0, 0755), "chmod(NULL, 0755) = 0");
}

TEST(SyscallPrint, ShowsMemoryCalls) {
  EXPECT_EQ(
      printed("mmap", 0x7f0000001000, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000");
  EXPECT_EQ(printed("mprotect", 0, 0x1000, 4096, PROT_NONE), "mprotect(0x1000, 4096, PROT_NONE) = 0");
}

TEST(SyscallPrint, ShowsStructures) {
  const timespec second{1, 500};
  EXPECT_EQ(printed("nanosleep", -516, &second, 0),
            "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)");
  const rlimit limit{1024, RLIM_INFINITY};
  EXPECT_EQ(printed("prlimit64", 0, 0, RLIMIT_NOFILE, 0, &limit),
            "prlimit64(0, RLIMIT_NOFILE, NULL, {rlim_cur=1024, rlim_max=RLIM64_INFINITY}) = 0");
  pollfd entries[2] = {{0, POLLIN, POLLIN}, {5, POLLOUT, 0}};
  EXPECT_EQ(printed("poll", 1, entries, 2, -1),
            "poll([{fd=0, events=POLLIN, revents=POLLIN}, {fd=5, events=POLLOUT}], 2, -1) = 1");
  epoll_event events[2] = {{EPOLLIN | EPOLLHUP, {.u64 = 7}}, {}};
  EXPECT_EQ(printed("epoll_wait", 1, 4, events, 2, 0),
            "epoll_wait(4, [{events=EPOLLIN|EPOLLHUP, data=0x7}], 2, 0) = 1");
  const int pair[2] = {3, 4};
  EXPECT_EQ(printed("pipe2", 0, pair, O_CLOEXEC), "pipe2([3, 4], O_RDONLY|O_CLOEXEC) = 0");
  u64 set = u64{1} << (SIGINT - 1) | u64{1} << (SIGCHLD - 1);
  EXPECT_EQ(printed("rt_sigprocmask", 0, SIG_BLOCK, &set, 0, 8),
            "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0");
  const winsize window{24, 80, 0, 0};
  EXPECT_EQ(printed("ioctl", 0, 1, TIOCGWINSZ, &window),
            "ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0");
  EXPECT_EQ(printed("ioctl", -ENOTTY, 1, TCGETS, 16),
            "ioctl(1, TCGETS, 0x10) = -1 ENOTTY (Inappropriate ioctl for device)");
}

TEST(SyscallPrint, ShowsVectorsAndAddresses) {
  char one[] = "abc", two[] = "defg";
  const iovec vectors[2] = {{one, 3}, {two, 4}};
  EXPECT_EQ(printed("writev", 7, 1, vectors, 2),
            "writev(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"defg\", iov_len=4}], 2) = 7");
  EXPECT_EQ(printed("readv", 4, 1, vectors, 2),
            "readv(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"d\", iov_len=4}], 2) = 4");
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(80);
  address.sin_addr.s_addr = htonl(0x7f000001);
  EXPECT_EQ(printed("connect", 0, 3, &address, sizeof address),
            "connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0");
  sockaddr_un name = {AF_UNIX, "/run/x"};
  EXPECT_EQ(printed("bind", 0, 3, &name, 9), "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 9) = 0");
}

TEST(SyscallPrint, UnknownNumbers) {
  Text out;
  print_unknown_syscall(777, {1, 2}, -ENOSYS, out);
  EXPECT_EQ(out.view(), "syscall_777(0x1, 0x2, 0x0, 0x0, 0x0, 0x0) = -1 ENOSYS (Function not implemented)");
}

TEST(SyscallPrint, SurvivesEveryRowWithWildArguments) {
  for (const SyscallRow& row : syscall_rows()) {
    if (row.name == nullptr) continue;
    for (const i64 result : {i64{0}, i64{5}, i64{-EFAULT}, i64{-512}}) {
      Text out;
      print_syscall(row, {1, 2, 3, 4, 5, 6}, result, OwnMemory{}, out);
      EXPECT_EQ(out.view().substr(0, std::string_view(row.name).size()), row.name);
    }
  }
}

}  // namespace
}  // namespace orrery::abi
