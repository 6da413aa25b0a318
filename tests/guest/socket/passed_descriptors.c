// Descriptors that a message brings back to the program itself: they are the same open files.
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"

static int pass(int fd) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  char byte = 'b', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  CHECK_EQ(sendmsg(ends[0], &message, 0), 1);
  memset(control, 0, sizeof control);
  CHECK_EQ(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), 1);
  header = CMSG_FIRSTHDR(&message);
  CHECK(header != NULL && header->cmsg_type == SCM_RIGHTS);
  int got = -1;
  memcpy(&got, CMSG_DATA(header), sizeof got);
  CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
  close(ends[0]);
  close(ends[1]);
  return got;
}

static void a_pipe_end(void) {
  int ends[2];
  char text[6] = "";
  CHECK_EQ(pipe(ends), 0);
  const int writer = pass(ends[1]);
  CHECK_EQ(write(writer, "words", 5), 5);
  CHECK_EQ(read(ends[0], text, 5), 5);
  CHECK_EQ(strcmp(text, "words"), 0);
  close(ends[1]);
  close(writer);
  CHECK_EQ(read(ends[0], text, 5), 0);
  close(ends[0]);
}

static void a_file_and_its_position(void) {
  char name[] = "passed.XXXXXX";
  const int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  CHECK_EQ(write(fd, "some words", 10), 10);
  const int got = pass(fd);
  CHECK_EQ(lseek(got, 0, SEEK_CUR), 10);
  CHECK_EQ(lseek(got, 5, SEEK_SET), 5);
  char text[6] = "";
  CHECK_EQ(read(fd, text, 5), 5);
  CHECK_EQ(strcmp(text, "words"), 0);
  const char* view = mmap(NULL, 10, PROT_READ, MAP_PRIVATE, got, 0);
  CHECK_EQ(memcmp(view, "some words", 10), 0);
  close(fd);
  close(got);
}

static void memory_of_the_program_itself(void) {
  const int fd = (int)syscall(SYS_memfd_create, "own", 0);
  CHECK_EQ(ftruncate(fd, 4096), 0);
  const int got = pass(fd);
  char* one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, got, 0);
  CHECK(one != MAP_FAILED);
  const char* other = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(other != MAP_FAILED);
  strcpy(one, "seen");
  CHECK_EQ(strcmp(other, "seen"), 0);
  CHECK_EQ(pwrite(got, "S", 1, 0), 1);
  CHECK_EQ(strcmp(other, "Seen"), 0);
  close(got);
  close(fd);
}

static void several_messages_at_once(void) {
  int ends[2], fds[2] = {open("/dev/null", O_RDONLY), open("/dev/zero", O_RDONLY)};
  CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
  char bytes[2], control[2][CMSG_SPACE(sizeof(int))];
  struct iovec vectors[2];
  struct mmsghdr messages[2];
  memset(messages, 0, sizeof messages);
  memset(control, 0, sizeof control);
  for (int i = 0; i < 2; ++i) {
    vectors[i] = (struct iovec){&bytes[i], 1};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i],
                                          .msg_controllen = sizeof control[i]};
    struct cmsghdr* header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fds[i], sizeof(int));
  }
  CHECK_EQ(sendmmsg(ends[0], messages, 2, 0), 2);
  memset(control, 0, sizeof control);
  CHECK_EQ(recvmmsg(ends[1], messages, 2, 0, NULL), 2);
  char byte = 'x';
  for (int i = 0; i < 2; ++i) {
    int got = -1;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr)), sizeof got);
    CHECK(got > fds[1]);
    CHECK_EQ(read(got, &byte, 1), i);
    close(got);
  }
  CHECK_EQ(byte, 0);
}

int main(void) {
  RUN(a_pipe_end);
  RUN(a_file_and_its_position);
  RUN(memory_of_the_program_itself);
  RUN(several_messages_at_once);
  return 0;
}
