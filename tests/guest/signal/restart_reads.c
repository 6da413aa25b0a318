// Reads that wait, of everything that can be read, and what a signal does to them.
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>

#include "interrupt.h"

static int in = -1, out = -1;  // what is read, and where its other end is
static char bytes[64];

static void forget(void) {
  if (in >= 0) close(in);
  if (out >= 0 && out != in) close(out);
  in = out = -1;
}

static void make_pipe(void) {
  int ends[2];
  forget();
  CHECK_EQ(pipe(ends), 0);
  in = ends[0], out = ends[1];
}

static void make_sockets(int type) {
  int ends[2];
  forget();
  CHECK_EQ(socketpair(AF_UNIX, type, 0, ends), 0);
  in = ends[0], out = ends[1];
}
static void make_stream(void) { make_sockets(SOCK_STREAM); }
static void make_datagram(void) { make_sockets(SOCK_DGRAM); }
static void make_stream_with_timeout(void) {
  const struct timeval timeout = {20, 0};
  make_stream();
  CHECK_EQ(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
}

static void make_event(void) { forget(), in = out = eventfd(0, 0); }
static void make_timer(void) { forget(), in = timerfd_create(CLOCK_MONOTONIC, 0); }
static void make_signals(void) {
  sigset_t set;
  forget();
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  in = signalfd(-1, &set, 0);
}
static void make_watch(void) {
  forget();
  in = inotify_init1(0);
  CHECK(inotify_add_watch(in, ".", IN_CREATE) >= 0);
}

static void make_terminal(int reads_master) {
  int master, slave;
  forget();
  CHECK_EQ(openpty(&master, &slave, NULL, NULL, NULL), 0);
  struct termios raw;
  CHECK_EQ(tcgetattr(slave, &raw), 0);
  cfmakeraw(&raw);
  CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
  in = reads_master ? master : slave, out = reads_master ? slave : master;
}
static void make_slave(void) { make_terminal(0); }
static void make_master(void) { make_terminal(1); }

static void put_byte(void) { CHECK_EQ(write(out, "x", 1), 1); }
static void put_event(void) {
  const uint64_t one = 1;
  CHECK_EQ(write(out, &one, 8), 8);
}
static void arm_timer(void) {
  const struct itimerspec soon = {{0, 0}, {0, 1}};
  CHECK_EQ(timerfd_settime(in, 0, &soon, NULL), 0);
}
static void send_signal(void) { CHECK_EQ(kill(getpid(), SIGUSR2), 0); }
static void make_file(void) {
  unlink("new");
  close(creat("new", 0600));
}

static char many[4096];

static long do_read(void) { return outcome(read(in, many, sizeof many)); }
static long do_readv(void) {
  const struct iovec parts[2] = {{bytes, 1}, {many, 8}};
  return outcome(readv(in, parts, 2));
}
static long do_preadv2(void) {
  const struct iovec part = {bytes, 8};
  return outcome(preadv2(in, &part, 1, -1, 0));
}
static long do_recv(void) { return outcome(recv(in, bytes, sizeof bytes, 0)); }
static long do_recvfrom(void) {
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  return outcome(recvfrom(in, bytes, sizeof bytes, 0, (void*)&from, &length));
}
static long do_recvmsg(void) {
  struct iovec part = {bytes, 8};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  return outcome(recvmsg(in, &message, 0));
}
static long do_recvmmsg(void) {
  struct iovec part = {bytes, 8};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  return outcome(recvmmsg(in, &message, 1, 0, NULL));
}
static long do_peek(void) { return outcome(recv(in, bytes, sizeof bytes, MSG_PEEK)); }

static int other[2] = {-1, -1};
static void make_two_pipes(void) {
  make_pipe();
  if (other[0] < 0) CHECK_EQ(pipe(other), 0);
}
static long do_splice(void) { return outcome(splice(in, NULL, other[1], NULL, 8, 0)); }
static long do_tee(void) { return outcome(tee(in, other[1], 8, 0)); }

static const struct waiting_call reads[] = {
    {"read of a pipe", make_pipe, do_read, put_byte, 1},
    {"readv of a pipe", make_pipe, do_readv, put_byte, 1},
    {"preadv2 of a pipe", make_pipe, do_preadv2, put_byte, 1},
    {"read of a socket", make_stream, do_read, put_byte, 1},
    {"read of an eventfd", make_event, do_read, put_event, 8},
    {"read of a timerfd", make_timer, do_read, arm_timer, 8},
    {"read of a signalfd", make_signals, do_read, send_signal, sizeof(struct signalfd_siginfo)},
    {"read of an inotify", make_watch, do_read, make_file, sizeof(struct inotify_event) + 16},
    {"read of a terminal", make_slave, do_read, put_byte, 1},
    {"read of a terminal's master", make_master, do_read, put_byte, 1},
    {"recv", make_stream, do_recv, put_byte, 1},
    {"recv that peeks", make_stream, do_peek, put_byte, 1},
    {"recvfrom", make_datagram, do_recvfrom, put_byte, 1},
    {"recvmsg", make_datagram, do_recvmsg, put_byte, 1},
    {"recvmmsg", make_datagram, do_recvmmsg, put_byte, 1},
    {"splice", make_two_pipes, do_splice, put_byte, 1},
    {"tee", make_two_pipes, do_tee, put_byte, 1},
    {"read with SO_RCVTIMEO", make_stream_with_timeout, do_read, NULL, 0},
    {"readv with SO_RCVTIMEO", make_stream_with_timeout, do_readv, NULL, 0},
    {"recv with SO_RCVTIMEO", make_stream_with_timeout, do_recv, NULL, 0},
    {"recvmsg with SO_RCVTIMEO", make_stream_with_timeout, do_recvmsg, NULL, 0},
};

int main(void) {
  run_rows(reads, sizeof reads / sizeof *reads);
  return 0;
}
