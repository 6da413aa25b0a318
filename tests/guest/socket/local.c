// Sockets of one process talking to itself: pairs, names, messages with descriptors, UDP on the loopback.
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "check.h"

static void messages(int pair[2]) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {"data", 4};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  int sent = open("/dev/null", O_RDONLY);
  memcpy(CMSG_DATA(header), &sent, sizeof sent);
  CHECK_EQ(sendmsg(pair[0], &message, 0), 4);
  char first[2], second[8];
  struct iovec parts[2] = {{first, 2}, {second, 8}};
  char received[CMSG_SPACE(sizeof(int))] = {0};
  struct msghdr reply = {
      .msg_iov = parts, .msg_iovlen = 2, .msg_control = received, .msg_controllen = sizeof received};
  CHECK_EQ(recvmsg(pair[1], &reply, MSG_CMSG_CLOEXEC), 4);
  CHECK_EQ(memcmp(first, "da", 2), 0);
  CHECK_EQ(memcmp(second, "ta", 2), 0);
  int got = -1;
  memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&reply)), sizeof got);
  CHECK(got > sent);
  CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
}

static void datagrams(void) {
  int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
  if (server < 0) SKIP("no IPv4");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
  socklen_t length = sizeof address, from_length = sizeof from;
  CHECK_EQ(bind(server, (void*)&address, length), 0);
  CHECK_EQ(getsockname(server, (void*)&address, &length), 0);
  CHECK(address.sin_port != 0);
  CHECK_EQ(sendto(client, "hello", 5, 0, (void*)&address, sizeof address), 5);
  char text[16];
  CHECK_EQ(recvfrom(server, text, 3, MSG_TRUNC, (void*)&from, &from_length), 5);
  CHECK_EQ(from_length, sizeof from);
  CHECK_EQ(from.sin_family, AF_INET);
  struct mmsghdr batch[2] = {0};
  struct iovec parts[2] = {{"one", 3}, {"three", 5}};
  for (int i = 0; i < 2; i++) {
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
    batch[i].msg_hdr.msg_name = &address;
    batch[i].msg_hdr.msg_namelen = sizeof address;
  }
  CHECK_EQ(sendmmsg(client, batch, 2, 0), 2);
  CHECK_EQ(batch[1].msg_len, 5);
  char in[2][8];
  struct mmsghdr arrived[2] = {0};
  struct iovec buffers[2] = {{in[0], 8}, {in[1], 8}};
  for (int i = 0; i < 2; i++) {
    arrived[i].msg_hdr.msg_iov = &buffers[i];
    arrived[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK_EQ(recvmmsg(server, arrived, 2, 0, NULL), 2);
  CHECK_EQ(arrived[0].msg_len, 3);
  CHECK_EQ(memcmp(in[1], "three", 5), 0);
  close(server);
  close(client);
}

static void local(void) {
  int pair[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  CHECK_EQ(send(pair[0], "abc", 3, 0), 3);
  int waiting = 0;
  CHECK_EQ(ioctl(pair[1], FIONREAD, &waiting), 0);
  CHECK_EQ(waiting, 3);
  char text[16];
  CHECK_EQ(recv(pair[1], text, sizeof text, MSG_PEEK), 3);
  CHECK_EQ(read(pair[1], text, sizeof text), 3);
  CHECK_ERRNO(recv(pair[1], text, sizeof text, MSG_DONTWAIT), EAGAIN);
  messages(pair);
  int type = 0;
  socklen_t length = sizeof type;
  CHECK_EQ(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &type, &length), 0);
  CHECK_EQ(type, SOCK_STREAM);
  CHECK_EQ(length, sizeof type);
  int size = 65536;
  CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  CHECK_EQ(shutdown(pair[0], SHUT_WR), 0);
  CHECK_EQ(read(pair[1], text, sizeof text), 0);

  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {AF_UNIX, "socket"}, peer;
  socklen_t peer_length = sizeof peer;
  CHECK_EQ(bind(server, (void*)&name, sizeof name), 0);
  CHECK_EQ(listen(server, 4), 0);
  CHECK_EQ(connect(client, (void*)&name, sizeof name), 0);
  int accepted = accept4(server, (void*)&peer, &peer_length, SOCK_CLOEXEC);
  CHECK(accepted >= 0);
  CHECK_EQ(peer_length, sizeof(sa_family_t));
  struct ucred who;
  length = sizeof who;
  CHECK_EQ(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
  CHECK_EQ(who.pid, getpid());
  CHECK_EQ(unlink("socket"), 0);
  CHECK_ERRNO(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void*)&name, sizeof name), ENOENT);
  CHECK_ERRNO(send(0, "x", 1, 0), ENOTSOCK);
  datagrams();
}

int main(void) {
  RUN(local);
  return 0;
}
