// Arrays and vectors that end where memory ends: how much of them takes effect, and with which result.
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "check.h"

#define PAGE 4096UL

static char* end;
static int file, pair[2], pipes[2];

static char* edge(void) {
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
  return at + PAGE;
}

static void reads_of_a_file(void) {
  CHECK_EQ(pread(file, end - 6, 10, 0), 6);
  CHECK_EQ(memcmp(end - 6, "012345", 6), 0);
  CHECK_ERRNO(pread(file, end, 10, 0), EFAULT);
  CHECK_EQ(pread(file, end, 10, 100), 0);  // nothing to copy at the end of the file
  CHECK_EQ(pread(file, end, 0, 0), 0);
  struct iovec parts[3] = {{end - 2, 2}, {end - 4, 4}, {end - 1, 3}};
  CHECK_EQ(preadv(file, parts, 3, 0), 7);
  CHECK_EQ(memcmp(end - 4, "2346", 4), 0);
  parts[1].iov_base = end;
  CHECK_EQ(preadv(file, parts, 3, 0), 2);
}

static void writes_to_a_file(void) {
  const int fd = (int)syscall(SYS_memfd_create, "written", 0);
  memcpy(end - 6, "abcdef", 6);
  CHECK_EQ(pwrite(fd, end - 6, 10, 0), 6);
  CHECK_ERRNO(pwrite(fd, end, 10, 0), EFAULT);
  struct iovec parts[2] = {{end - 3, 3}, {end - 2, 5}};
  CHECK_EQ(pwritev(fd, parts, 2, 0), 5);
  char got[8];
  CHECK_EQ(pread(fd, got, 8, 0), 6);
  CHECK_EQ(memcmp(got, "defeff", 6), 0);
  close(fd);
}

static void the_array_of_vectors(void) {
  struct iovec* parts = (struct iovec*)end - 2;
  char one[4], two[4];
  parts[0] = (struct iovec){one, 4};
  parts[1] = (struct iovec){two, 4};
  CHECK_EQ(preadv(file, parts, 2, 0), 8);
  CHECK_ERRNO(preadv(file, parts, 3, 0), EFAULT);
  CHECK_ERRNO(preadv(file, parts, 1025, 0), EINVAL);
  CHECK_EQ(preadv(file, parts, 0, 0), 0);
  parts[1].iov_len = (size_t)-1;
  CHECK_ERRNO(preadv(file, parts, 2, 0), EINVAL);
  parts[0].iov_len = SSIZE_MAX, parts[1].iov_len = SSIZE_MAX;
  parts[0].iov_base = one;
  CHECK_ERRNO(preadv(-1, parts, 2, 0), EBADF);
}

static void pipes_take_all_or_nothing(void) {
  memset(end - 10, 'p', 10);
  CHECK_ERRNO(write(pipes[1], end - 10, 20), EFAULT);
  int waiting = 9;
  CHECK_EQ(write(pipes[1], "0123456789", 10), 10);
  CHECK_ERRNO(read(pipes[0], end, 5), EFAULT);
  const ssize_t got = read(pipes[0], end - 4, 10);
  CHECK(got == 4 || (got == -1 && errno == EFAULT));
  char rest[64];
  fcntl(pipes[0], F_SETFL, O_NONBLOCK);
  while (read(pipes[0], rest, sizeof rest) > 0) {
  }
  fcntl(pipes[0], F_SETFL, 0);
  (void)waiting;
}

static void sockets(void) {
  CHECK_EQ(send(pair[0], "0123456789", 10, 0), 10);
  CHECK_ERRNO(recv(pair[1], end, 4, MSG_DONTWAIT), EFAULT);
  const ssize_t got = recv(pair[1], end - 4, 10, MSG_DONTWAIT);
  CHECK(got == 4 || (got == -1 && errno == EFAULT));
  char rest[64];
  while (recv(pair[1], rest, sizeof rest, MSG_DONTWAIT) > 0) {
  }
  CHECK_ERRNO(send(pair[0], end - 4, 10, 0), EFAULT);
  CHECK_ERRNO(recv(pair[1], rest, sizeof rest, MSG_DONTWAIT), EAGAIN);
}

static void messages(void) {
  struct iovec part = {(char[8]){0}, 8};
  struct msghdr* header = (struct msghdr*)end - 1;
  *header = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  CHECK_EQ(sendmsg(pair[0], header, 0), 8);
  CHECK_EQ(recvmsg(pair[1], header, 0), 8);
  CHECK_ERRNO(sendmsg(pair[0], (struct msghdr*)(end - 40), 0), EFAULT);
  CHECK_ERRNO(recvmsg(pair[1], (struct msghdr*)(end - 40), MSG_DONTWAIT), EFAULT);
  struct msghdr plain = {.msg_iov = (struct iovec*)(end - 8), .msg_iovlen = 1};
  CHECK_ERRNO(sendmsg(pair[0], &plain, 0), EFAULT);
  plain = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_control = end - 4, .msg_controllen = 16};
  CHECK_ERRNO(sendmsg(pair[0], &plain, 0), EFAULT);
  plain = (struct msghdr){.msg_iov = &part, .msg_iovlen = 2000};
  CHECK_ERRNO(sendmsg(pair[0], &plain, 0), EMSGSIZE);
  struct mmsghdr* two = (struct mmsghdr*)end - 2;
  for (int i = 0; i < 2; ++i) two[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  CHECK_EQ(sendmmsg(pair[0], two, 2, 0), 2);
  CHECK_EQ(recvmmsg(pair[1], two, 1, 0, NULL), 1);
  CHECK_EQ(two[0].msg_len, 8);
  CHECK_EQ(sendmmsg(pair[0], two, 3, 0), 2);  // the third is not there
  CHECK_ERRNO(sendmmsg(pair[0], (struct mmsghdr*)end, 1, 0), EFAULT);
  char rest[64];
  while (recv(pair[1], rest, sizeof rest, MSG_DONTWAIT) > 0) {
  }
}

static void addresses(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un* name = (struct sockaddr_un*)(end - 10);
  name->sun_family = AF_UNIX;
  memcpy(end - 8, "\0edge!!!", 8);
  CHECK_EQ(bind(fd, (struct sockaddr*)name, 10), 0);
  CHECK_ERRNO(bind(fd, (struct sockaddr*)name, 11), EFAULT);
  socklen_t length = 10;
  CHECK_EQ(getsockname(fd, (struct sockaddr*)(end - 10), &length), 0);
  CHECK_EQ(length, 10);
  length = 100;  // more room than there is, but the name is short
  CHECK_EQ(getsockname(fd, (struct sockaddr*)(end - 10), &length), 0);
  length = 100;
  CHECK_ERRNO(getsockname(fd, (struct sockaddr*)(end - 9), &length), EFAULT);
  length = 4;
  CHECK_EQ(getsockname(fd, (struct sockaddr*)(end - 4), &length), 0);
  CHECK_EQ(length, 10);
  CHECK_ERRNO(getsockname(fd, (struct sockaddr*)(end - 10), (socklen_t*)end), EFAULT);
  length = (socklen_t)-1;
  CHECK_ERRNO(getsockname(fd, (struct sockaddr*)(end - 10), &length), EINVAL);
  close(fd);
}

static void directories(void) {
  const int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, end, 4096), EFAULT);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, end - 10, 10), EINVAL);  // no room for one entry
  const long got = syscall(SYS_getdents64, fd, end - 200, 4096);
  CHECK(got > 0 && got <= 200);
  struct dirent64* first = (struct dirent64*)(end - 200);
  CHECK_EQ(strcmp(first->d_name, "."), 0);
  close(fd);
}

static void waiting_sets(void) {
  struct pollfd* entries = (struct pollfd*)end - 2;
  entries[0] = (struct pollfd){pipes[1], POLLOUT, 0};
  entries[1] = (struct pollfd){-1, 0, 0};
  CHECK_EQ(poll(entries, 2, 0), 1);
  CHECK_EQ(entries[0].revents, POLLOUT);
  CHECK_ERRNO(poll(entries, 3, 0), EFAULT);
  uint64_t* set = (uint64_t*)end - 1;
  *set = 1UL << pipes[1];
  CHECK_EQ(select(pipes[1] + 1, NULL, (fd_set*)set, NULL, &(struct timeval){0, 0}), 1);
  CHECK_EQ(*set, 1UL << pipes[1]);
  CHECK_ERRNO(select(pipes[1] + 1, NULL, (fd_set*)(end - 4), NULL, &(struct timeval){0, 0}), EFAULT);
  CHECK_ERRNO(select(-1, NULL, NULL, NULL, &(struct timeval){0, 0}), EINVAL);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLOUT, {.u64 = 5}};
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[1], &event), 0);
  event.events = EPOLLOUT;
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event), 0);
  CHECK_EQ(epoll_wait(epoll, (struct epoll_event*)end - 2, 10, 0), 2);
  CHECK_EQ(epoll_wait(epoll, (struct epoll_event*)end - 1, 10, 0), 1);
  CHECK_ERRNO(epoll_wait(epoll, (struct epoll_event*)end, 10, 0), EFAULT);
  CHECK_ERRNO(epoll_wait(epoll, (struct epoll_event*)end, 0, 0), EINVAL);
  close(epoll);
}

/// Bits of descriptors beyond the table are not looked at, and stay as they are.
static void select_beyond_the_table(void) {
  static uint64_t set[1024];
  memset(set, 0, sizeof set);
  set[0] = 1UL << pipes[1];
  set[1000] = 1;
  CHECK_EQ(select(65536, NULL, (fd_set*)set, NULL, &(struct timeval){0, 0}), 1);
  CHECK_EQ(set[0], 1UL << pipes[1]);
  CHECK_EQ(set[1000], 1);
  set[0] = 1UL << 50;
  CHECK_ERRNO(select(64, NULL, (fd_set*)set, NULL, &(struct timeval){0, 0}), EBADF);
}

static void strings(void) {
  memcpy(end - 2, "/", 2);
  CHECK_EQ(access(end - 2, F_OK), 0);
  memcpy(end - 2, "/x", 2);  // no NUL before the edge
  CHECK_ERRNO(access(end - 2, F_OK), EFAULT);
  CHECK_ERRNO(open(end - 2, O_RDONLY), EFAULT);
  CHECK_ERRNO(symlink("target", end - 2), EFAULT);
  CHECK_ERRNO(symlink(end - 2, "/tmp/never"), EFAULT);
  char link[8];
  CHECK_EQ(readlink("/proc/self/exe", end - 3, 3), 3);
  CHECK_EQ(end[-3], '/');
  CHECK_ERRNO(readlink("/proc/self/exe", end - 3, 4), EFAULT);
  CHECK_ERRNO(readlink("/proc/self/exe", link, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_memfd_create, end - 2, 0), EFAULT);
}

int main(void) {
  close_range(3, ~0U, 0);
  end = edge();
  file = (int)syscall(SYS_memfd_create, "edges", 0);
  CHECK_EQ(write(file, "0123456789", 10), 10);
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  RUN(reads_of_a_file);
  RUN(writes_to_a_file);
  RUN(the_array_of_vectors);
  RUN(pipes_take_all_or_nothing);
  RUN(sockets);
  RUN(messages);
  RUN(addresses);
  RUN(directories);
  RUN(waiting_sets);
  RUN(select_beyond_the_table);
  RUN(strings);
  return 0;
}
