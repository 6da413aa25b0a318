// Datagrams over loopback and between names, and what sockets say of themselves.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "check.h"

static int bound(int type, struct sockaddr_in* name) {
  const int fd = socket(AF_INET, type, 0);
  CHECK(fd >= 0);
  *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK_EQ(bind(fd, (struct sockaddr*)name, sizeof *name), 0);
  socklen_t size = sizeof *name;
  CHECK_EQ(getsockname(fd, (struct sockaddr*)name, &size), 0);
  CHECK_EQ(size, sizeof *name);
  CHECK(name->sin_port != 0);
  return fd;
}

static void cut_and_peeked_at(void) {
  struct sockaddr_in to, from, sender;
  const int receiver = bound(SOCK_DGRAM, &to), other = bound(SOCK_DGRAM, &from);
  char text[8] = "";
  CHECK_EQ(sendto(other, "a datagram", 10, 0, (struct sockaddr*)&to, sizeof to), 10);
  CHECK_EQ(recv(receiver, text, 4, MSG_PEEK), 4);
  CHECK_EQ(memcmp(text, "a da", 4), 0);
  socklen_t size = sizeof sender;
  CHECK_EQ(recvfrom(receiver, text, 4, MSG_TRUNC, (struct sockaddr*)&sender, &size), 10);
  CHECK_EQ(sender.sin_port, from.sin_port);
  CHECK_ERRNO(recv(receiver, text, 4, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(sendto(other, "", 0, 0, (struct sockaddr*)&to, sizeof to), 0);
  CHECK_EQ(recv(receiver, text, sizeof text, 0), 0);
  size = 2;  // the name is cut, its size told in full
  CHECK_EQ(getsockname(receiver, (struct sockaddr*)&sender, &size), 0);
  CHECK_EQ(size, sizeof sender);
  close(receiver);
  close(other);
}

static void nobody_listens(void) {
  struct sockaddr_in to, from;
  char text[4];
  const int gone = bound(SOCK_DGRAM, &to), fd = bound(SOCK_DGRAM, &from);
  close(gone);
  CHECK_EQ(connect(fd, (struct sockaddr*)&to, sizeof to), 0);
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  CHECK_ERRNO(recv(fd, text, sizeof text, 0), ECONNREFUSED);
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  struct pollfd entry = {fd, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 10000), 1);
  CHECK((entry.revents & POLLERR) != 0);
  int error = 0;
  socklen_t size = sizeof error;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  CHECK_EQ(error, ECONNREFUSED);
  close(fd);
  struct sockaddr_in name;
  const int closed = bound(SOCK_STREAM, &name), stream = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(connect(stream, (struct sockaddr*)&name, sizeof name), ECONNREFUSED);
  close(closed);
  close(stream);
}

static void gathered_and_scattered(void) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  struct iovec parts[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
  CHECK_EQ(sendmsg(ends[0], &message, MSG_EOR), 7);
  CHECK_EQ(send(ends[0], "next", 4, 0), 4);
  char first[2], second[3];
  struct iovec into[2] = {{first, 2}, {second, 3}};
  message = (struct msghdr){.msg_iov = into, .msg_iovlen = 2};
  CHECK_EQ(recvmsg(ends[1], &message, 0), 5);
  CHECK((message.msg_flags & MSG_TRUNC) != 0);
  CHECK_EQ(memcmp(first, "on", 2) | memcmp(second, "e t", 3), 0);
  CHECK_EQ(recvmsg(ends[1], &message, 0), 4);
  CHECK_EQ(message.msg_flags & MSG_TRUNC, 0);
  CHECK_EQ(memcmp(second, "xt", 2), 0);
  close(ends[0]);
  close(ends[1]);
}

static void broken_pipes(void) {
  int ends[2];
  signal(SIGPIPE, SIG_IGN);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  CHECK_EQ(shutdown(ends[1], SHUT_RD), 0);
  CHECK_ERRNO(send(ends[0], "x", 1, 0), EPIPE);
  CHECK_EQ(write(ends[1], "y", 1), 1);
  close(ends[1]);
  char text[2];
  CHECK_EQ(read(ends[0], text, 2), 1);
  CHECK_EQ(read(ends[0], text, 2), 0);
  CHECK_ERRNO(shutdown(ends[0], 3), EINVAL);
  close(ends[0]);
  signal(SIGPIPE, SIG_DFL);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[1]);
  CHECK_ERRNO(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(ends[0]);
}

static void names_without_files(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "orrery-guest-%d", getpid());
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
            client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(bind(listener, (struct sockaddr*)&name, size), 0);
  CHECK_ERRNO(bind(client, (struct sockaddr*)&name, size), EADDRINUSE);
  CHECK_ERRNO(connect(client, (struct sockaddr*)&name, size), ECONNREFUSED);
  CHECK_EQ(listen(listener, 1), 0);
  CHECK_EQ(connect(client, (struct sockaddr*)&name, size), 0);
  struct sockaddr_un peer;
  socklen_t got = sizeof peer;
  const int server = accept4(listener, (struct sockaddr*)&peer, &got, SOCK_NONBLOCK | SOCK_CLOEXEC);
  CHECK(server >= 0);
  CHECK_EQ(got, sizeof(sa_family_t));  // the client has no name
  CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
  CHECK((fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
  char byte;
  CHECK_ERRNO(read(server, &byte, 1), EAGAIN);
  struct ucred who = {0};
  socklen_t who_size = sizeof who;
  CHECK_EQ(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &who, &who_size), 0);
  CHECK_EQ(who.pid, getpid());
  CHECK_EQ(who.uid, geteuid());
  got = sizeof peer;
  CHECK_EQ(getpeername(client, (struct sockaddr*)&peer, &got), 0);
  CHECK_EQ(got, size);
  CHECK_EQ(memcmp(&peer, &name, size), 0);
  CHECK_ERRNO(accept4(client, NULL, NULL, 0), EINVAL);
  close(listener);
  close(server);
  close(client);
}

static void options(void) {
  struct sockaddr_in name;
  const int fd = bound(SOCK_STREAM, &name);
  int value = 0;
  socklen_t size = sizeof value;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size), 0);
  CHECK_EQ(value, SOCK_STREAM);
  value = 1;
  CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), 0);
  value = 0;
  CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  CHECK_EQ(value, 1);
  value = 4096;
  CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value), 0);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &size), 0);
  CHECK(value >= 4096);
  struct linger linger = {1, 3}, got = {0, 0};
  CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
  size = sizeof got;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size), 0);
  CHECK_EQ(got.l_linger, 3);
  size = 2;  // what does not fit is left out
  value = -1;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size), 0);
  CHECK_EQ(size, 2);
  CHECK_EQ(value & 0xffff, SOCK_STREAM);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 2), EINVAL);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof value), ENOPROTOOPT);
  CHECK_ERRNO(getsockopt(1, SOL_SOCKET, SO_TYPE, &value, &size), ENOTSOCK);
  close(fd);
}

static void a_time_limit(void) {
  int ends[2];
  char byte;
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const struct timeval brief = {0, 20000};
  CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief), 0);
  CHECK_ERRNO(read(ends[0], &byte, 1), EAGAIN);
  CHECK_EQ(write(ends[1], "b", 1), 1);
  CHECK_EQ(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  RUN(cut_and_peeked_at);
  RUN(nobody_listens);
  RUN(gathered_and_scattered);
  RUN(broken_pipes);
  RUN(names_without_files);
  RUN(options);
  RUN(a_time_limit);
  return 0;
}
