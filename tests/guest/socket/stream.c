// A stream over the loopback: accept, names of both ends, shutdown, half-closed reads.
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

static void loopback_stream(void) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM, 0),
      on = 1;
  if (server < 0) SKIP("no IPv4");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer, name;
  socklen_t length = sizeof address, peer_length = sizeof peer, name_length = sizeof name;
  CHECK_EQ(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  CHECK_EQ(bind(server, (void*)&address, sizeof address), 0);
  CHECK_EQ(getsockname(server, (void*)&address, &length), 0);
  CHECK_EQ(listen(server, 1), 0);
  CHECK_EQ(connect(client, (void*)&address, sizeof address), 0);
  int accepted = (int)syscall(SYS_accept, server, &peer, &peer_length);
  CHECK(accepted >= 0);
  CHECK_EQ(getsockname(client, (void*)&name, &name_length), 0);
  CHECK_EQ(name.sin_port, peer.sin_port);
  CHECK_EQ(syscall(SYS_getpeername, accepted, &name, &name_length), 0);
  CHECK_EQ(name.sin_port, peer.sin_port);
  name_length = 4;
  CHECK_EQ(getpeername(accepted, (void*)&name, &name_length), 0);
  CHECK_EQ(name_length, sizeof name);  // how long it is, though only four bytes came
  char data[100000], got[4096];
  memset(data, 'd', sizeof data);
  CHECK_EQ(send(client, data, 5000, MSG_NOSIGNAL), 5000);
  long total = 0;
  while (total < 5000) {
    long bytes = recv(accepted, got, sizeof got, 0);
    CHECK(bytes > 0);
    total += bytes;
  }
  CHECK_EQ(total, 5000);
  CHECK_EQ(shutdown(client, SHUT_WR), 0);
  CHECK_EQ(recv(accepted, got, sizeof got, 0), 0);
  CHECK_EQ(close(accepted), 0);
  close(server);
  CHECK_ERRNO(accept(99, NULL, NULL), EBADF);
  int refused = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(connect(refused, (void*)&address, sizeof address), ECONNREFUSED);
}

int main(void) {
  RUN(loopback_stream);
  return 0;
}
