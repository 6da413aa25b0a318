// Makes, moves, shares and closes descriptors in every way, and sends bytes through them; at each checkpoint
// it prints the descriptors that it has, as /proc/self/fd lists them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int good, const char* what) {
  if (good) return;
  perror(what);
  exit(1);
}

/// "name pid: 0 1 2 5", to standard output.
__attribute__((noinline)) void checkpoint(const char* name) {
  char line[512];
  int size = snprintf(line, sizeof line, "%s %d:", name, getpid());
  DIR* const directory = opendir("/proc/self/fd");
  need(directory != NULL, "opendir");
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;)
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory))
      size += snprintf(line + size, sizeof line - (size_t)size, " %s", entry->d_name);
  closedir(directory);
  line[size++] = '\n';
  need(write(1, line, (size_t)size) == size, "write");
}

static void files(void) {
  static char bytes[4096];
  const int out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0600);
  need(out >= 0, "open");
  need(write(out, bytes, 1000) == 1000, "write");
  const struct iovec vectors[2] = {{bytes, 24}, {bytes + 100, 76}};
  need(writev(out, vectors, 2) == 100, "writev");
  need(pread(out, bytes, sizeof bytes, 100) == 1000, "pread");
  const int copy = dup(out), high = fcntl(out, F_DUPFD_CLOEXEC, 40);
  need(copy >= 0 && high == 40, "dup");
  need(write(high, bytes, 11) == 11, "write");
  close(out);
  checkpoint("files");
  const int to = open("to", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  lseek(copy, 0, SEEK_SET);
  need(sendfile(to, copy, NULL, 5000) == 1111, "sendfile");
  dup2(to, copy);  // what was copy is closed
  checkpoint("replaced");
  need(close_range(30, 50, 0) == 0, "close_range");
}

static void sockets(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  need(bind(listener, (struct sockaddr*)&address, size) == 0 && listen(listener, 5) == 0, "listen");
  need(getsockname(listener, (struct sockaddr*)&address, &size) == 0, "getsockname");
  const pid_t child = fork();
  if (child == 0) {
    close(listener);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    char answer[64];
    usleep(50000);
    need(connect(client, (struct sockaddr*)&address, size) == 0, "connect");
    need(send(client, "question", 8, 0) == 8, "send");
    need(recv(client, answer, 30, MSG_WAITALL) == 30, "recv");
    checkpoint("client");
    _exit(0);
  }
  struct sockaddr_in peer;
  const int server = accept4(listener, (struct sockaddr*)&peer, &size, SOCK_CLOEXEC);
  char question[64];
  need(server >= 0 && read(server, question, sizeof question) == 8, "accept");
  need(write(server, "an answer of some thirty bytes", 30) == 30, "write");
  need(waitpid(child, NULL, 0) == child, "waitpid");
  checkpoint("server");
}

/// A descriptor goes to another process by a message.
static void passed(void) {
  int ends[2];
  need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  char byte = 'x';
  struct iovec vector = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  const pid_t child = fork();
  if (child == 0) {
    need(recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    checkpoint("receiver");
    _exit(0);
  }
  const int memory = memfd_create("passed", 0);
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(header), &memory, sizeof memory);
  need(sendmsg(ends[1], &message, 0) == 1, "sendmsg");
  need(waitpid(child, NULL, 0) == child, "waitpid");
}

int main(int count, char** arguments) {
  if (count > 1) {
    checkpoint("executed");
    return 0;
  }
  files();
  sockets();
  passed();
  int pipes[2];
  need(pipe2(pipes, O_CLOEXEC) == 0, "pipe2");
  need(epoll_create1(0) >= 0 && eventfd(0, EFD_CLOEXEC) >= 0 && timerfd_create(CLOCK_MONOTONIC, 0) >= 0,
       "others");
  checkpoint("last");
  execl("/proc/self/exe", arguments[0], "again", (char*)NULL);
  return 1;
}
