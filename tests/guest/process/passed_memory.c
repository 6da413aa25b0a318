// Memory files that one process makes and another gets over a socket: both map them and see each other's
// stores.
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

enum { kPageBytes = 4096, kRounds = 60 };

static void send_descriptor(int socket, int fd) {
  char word = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&word, 1};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  CHECK_EQ(sendmsg(socket, &header, 0), 1);
}

static int receive_descriptor(int socket) {
  char word, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&word, 1};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(recvmsg(socket, &header, 0), 1);
  int fd = -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof fd);
  return fd;
}

static atomic_int* map(int fd) {
  atomic_int* words = mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(words != MAP_FAILED);
  return words;
}

/// Passes the ball while it is `mine` modulo 2.
static void play(atomic_int* ball, int mine) {
  for (int value = mine; value < kRounds; value += 2) {
    while (atomic_load(ball) != value) sched_yield();
    atomic_store(ball, value + 1);
  }
}

/// The receiver maps it first, or the maker does.
static void passes_a_ball(int maker_maps_first) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    atomic_int* ball = map(receive_descriptor(ends[0]));
    char word = 'm';
    CHECK_EQ(write(ends[0], &word, 1), 1);
    play(ball, 1);
    _exit(0);
  }
  const int fd = memfd_create("ball", MFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, kPageBytes), 0);
  atomic_int* ball = maker_maps_first ? map(fd) : NULL;
  send_descriptor(ends[1], fd);
  char word;
  CHECK_EQ(read(ends[1], &word, 1), 1);
  if (!maker_maps_first) ball = map(fd);
  play(ball, 0);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(*ball, kRounds);
}

/// A named file that its sender has opened and never maps (a browser's fonts).
static void a_file_that_was_opened(int flags) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const int made = open("named", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK_EQ(write(made, "glyphs", 6), 6);
  CHECK_EQ(close(made), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = receive_descriptor(ends[0]);
    const char* bytes = mmap(NULL, kPageBytes, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(bytes != MAP_FAILED);
    CHECK_EQ(memcmp(bytes, "glyphs", 6), 0);
    _exit(0);
  }
  const int fd = open("named", flags);
  CHECK(fd >= 0);
  send_descriptor(ends[1], fd);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void a_file_to_read(void) { a_file_that_was_opened(O_RDONLY); }
static void a_file_to_write(void) { a_file_that_was_opened(O_RDWR); }

static void the_maker_maps_first(void) { passes_a_ball(1); }
static void the_receiver_maps_first(void) { passes_a_ball(0); }

int main(void) {
  RUN(the_maker_maps_first);
  RUN(the_receiver_maps_first);
  RUN(a_file_to_read);
  RUN(a_file_to_write);
  return 0;
}
