// Writes that wait, and other calls that wait for the other side of something: room, a peer, a lock.
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "interrupt.h"

static int ends[2] = {-1, -1}, more[2] = {-1, -1};
static char bytes[65536];

static void forget(void) {
  for (int i = 0; i < 2; i++) {
    if (ends[i] >= 0) close(ends[i]);
    if (more[i] >= 0) close(more[i]);
    ends[i] = more[i] = -1;
  }
}

static void fill(int fd) {
  CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  for (size_t size = sizeof bytes; size != 0; size = size == 1 ? 0 : size / 2)
    while (write(fd, bytes, size) > 0) continue;
  CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
}

static void drain(int fd) {
  CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  while (read(fd, bytes, sizeof bytes) > 0) continue;
}
static void drain_first(void) { drain(ends[0]); }

static void make_full_pipe(void) {
  forget();
  CHECK_EQ(pipe(ends), 0);
  CHECK(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
  fill(ends[1]);
}
static void make_full_socket(void) {
  const int room = 4096;
  forget();
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  CHECK_EQ(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
  fill(ends[1]);
}
static void make_full_socket_with_timeout(void) {
  const struct timeval timeout = {20, 0};
  make_full_socket();
  CHECK_EQ(setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), 0);
}
static void make_full_and_filled_pipe(void) {
  make_full_pipe();
  CHECK_EQ(pipe(more), 0);
  CHECK_EQ(write(more[1], "abcdefgh", 8), 8);
}

static long do_write(void) { return outcome(write(ends[1], "x", 1)); }
static long do_writev(void) {
  const struct iovec parts[2] = {{"x", 1}, {"y", 1}};
  return outcome(writev(ends[1], parts, 2));
}
static long do_pwritev2(void) {
  const struct iovec part = {"xyz", 3};
  return outcome(pwritev2(ends[1], &part, 1, -1, 0));
}
static long do_send(void) { return outcome(send(ends[1], "x", 1, 0)); }
static long do_sendto(void) { return outcome(sendto(ends[1], "xy", 2, 0, NULL, 0)); }
static long do_sendmsg(void) {
  struct iovec part = {"xyz", 3};
  const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  return outcome(sendmsg(ends[1], &message, 0));
}
static long do_sendmmsg(void) {
  struct iovec part = {"xyz", 3};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  return outcome(sendmmsg(ends[1], &message, 1, 0));
}
static long do_splice(void) { return outcome(splice(more[0], NULL, ends[1], NULL, 8, 0)); }
static long do_sendfile(void) {
  const int file = open("file", O_RDWR | O_CREAT, 0600);
  CHECK_EQ(pwrite(file, "abcdef", 6, 0), 6);
  const long result = outcome(sendfile(ends[1], file, NULL, 6));
  close(file);
  return result;
}

// --- a listener: ends[0] listens, more[0] waits ---

static const struct sockaddr_un address = {AF_UNIX, "listener"};

static void make_listener(void) {
  forget();
  unlink("listener");
  ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(bind(ends[0], (void*)&address, sizeof address), 0);
  CHECK_EQ(listen(ends[0], 0), 0);
}
static void make_listener_with_timeout(void) {
  const struct timeval timeout = {20, 0};
  make_listener();
  CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
}
static void connect_one(void) {
  more[0] = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(connect(more[0], (void*)&address, sizeof address), 0);
}
static long accept_and_close(int fd) {
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}
static long do_accept(void) { return accept_and_close(accept(ends[0], NULL, NULL)); }
static long do_accept4(void) { return accept_and_close(accept4(ends[0], NULL, NULL, SOCK_CLOEXEC)); }

static void make_full_listener(void) {
  make_listener();
  connect_one();
  more[1] = socket(AF_UNIX, SOCK_STREAM, 0);
}
static void take_one(void) { CHECK_EQ(do_accept(), 0); }
static long do_connect(void) { return outcome(connect(more[1], (void*)&address, sizeof address)); }

// --- locks and FIFOs ---

static void make_locked_file(void) {
  forget();
  for (int i = 0; i < 2; i++) ends[i] = open("locked", O_RDWR | O_CREAT, 0600);
  CHECK_EQ(flock(ends[0], LOCK_EX), 0);
}
static void unlock_file(void) { CHECK_EQ(flock(ends[0], LOCK_UN), 0); }
static long do_flock(void) { return outcome(flock(ends[1], LOCK_SH)); }

static long change_range(int fd, int command, short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_len = 10};
  return outcome(fcntl(fd, command, &range));
}
static void make_locked_range(void) {
  forget();
  for (int i = 0; i < 2; i++) ends[i] = open("range", O_RDWR | O_CREAT, 0600);
  CHECK_EQ(change_range(ends[0], F_OFD_SETLK, F_WRLCK), 0);
}
static void unlock_range(void) { CHECK_EQ(change_range(ends[0], F_OFD_SETLK, F_UNLCK), 0); }
static long do_lock_range(void) { return change_range(ends[1], F_OFD_SETLKW, F_WRLCK); }
static void make_process_lock(void) { make_locked_range(); }
static long do_lock_range_of_process(void) { return change_range(ends[1], F_SETLKW, F_WRLCK); }

static void make_fifo(void) {
  forget();
  unlink("fifo");
  CHECK_EQ(mkfifo("fifo", 0600), 0);
}
static void open_both_ways(void) { ends[0] = open("fifo", O_RDWR); }
static long open_fifo(int flags) {
  const int fd = openat(AT_FDCWD, "fifo", flags);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}
static long do_open_to_read(void) { return open_fifo(O_RDONLY); }
static long do_open_to_write(void) { return open_fifo(O_WRONLY); }
static long do_plain_open(void) {
  const long fd = syscall(SYS_open, "fifo", O_RDONLY, 0);
  if (fd < 0) return -errno;
  close((int)fd);
  return 0;
}

static const struct waiting_call writes[] = {
    {"write to a full pipe", make_full_pipe, do_write, drain_first, 1},
    {"writev to a full pipe", make_full_pipe, do_writev, drain_first, 2},
    {"pwritev2 to a full pipe", make_full_pipe, do_pwritev2, drain_first, 3},
    {"write to a full socket", make_full_socket, do_write, drain_first, 1},
    {"send", make_full_socket, do_send, drain_first, 1},
    {"sendto", make_full_socket, do_sendto, drain_first, 2},
    {"sendmsg", make_full_socket, do_sendmsg, drain_first, 3},
    {"sendmmsg", make_full_socket, do_sendmmsg, drain_first, 1},
    {"send with SO_SNDTIMEO", make_full_socket_with_timeout, do_send, NULL, 0},
    {"write with SO_SNDTIMEO", make_full_socket_with_timeout, do_write, NULL, 0},
    {"splice to a full pipe", make_full_and_filled_pipe, do_splice, drain_first, 8},
    {"sendfile to a full pipe", make_full_pipe, do_sendfile, drain_first, 6},
    {"accept", make_listener, do_accept, connect_one, 0},
    {"accept4", make_listener, do_accept4, connect_one, 0},
    {"accept with SO_RCVTIMEO", make_listener_with_timeout, do_accept, NULL, 0},
    {"connect to a full listener", make_full_listener, do_connect, take_one, 0},
    {"flock", make_locked_file, do_flock, unlock_file, 0},
    {"F_OFD_SETLKW", make_locked_range, do_lock_range, unlock_range, 0},
    {"F_SETLKW", make_process_lock, do_lock_range_of_process, unlock_range, 0},
    {"openat of a FIFO to read", make_fifo, do_open_to_read, open_both_ways, 0},
    {"openat of a FIFO to write", make_fifo, do_open_to_write, open_both_ways, 0},
    {"open of a FIFO", make_fifo, do_plain_open, open_both_ways, 0},
};

int main(void) {
  run_rows(writes, sizeof writes / sizeof *writes);
  return 0;
}
