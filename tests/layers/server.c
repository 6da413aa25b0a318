// A server whose requests take known times: each byte that comes says what its thread does before it answers.
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t shared_state = PTHREAD_MUTEX_INITIALIZER;
static volatile int holds;

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}
static void sleep_ms(int ms) {
  struct timespec t = {0, ms * 1000000L};
  nanosleep(&t, 0);
}
static void compute_ms(int ms) {
  for (long end = now() + ms * 1000000L; now() < end;)
    for (volatile int i = 0; i < 1000; ++i) {
    }
}
static void* hold_lock(void* unused) {
  pthread_mutex_lock(&shared_state);
  holds = 1;
  sleep_ms(30);
  pthread_mutex_unlock(&shared_state);
  return unused;
}
static void sync_file(void) {
  char block[4096] = "data";
  int fd = open("server.data", O_CREAT | O_RDWR | O_TRUNC, 0600);
  for (int i = 0; i < 16; ++i)
    if (write(fd, block, sizeof block) != sizeof block || fsync(fd) != 0) abort();
  close(fd);
}
static void ring(int number) { (void)number; }
// As PostgreSQL waits for a lock: in a poll for the signal of who had it, from which an alarm calls it away.
static void wait_for_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  sigprocmask(SIG_BLOCK, &set, 0);
  signal(SIGALRM, ring);
  struct epoll_event event = {.events = EPOLLIN};
  struct signalfd_siginfo came;
  int signals = signalfd(-1, &set, 0), poll = epoll_create1(0);
  epoll_ctl(poll, EPOLL_CTL_ADD, signals, &event);
  if (fork() == 0) {
    sleep_ms(40);
    kill(getppid(), SIGURG);
    _exit(0);
  }
  struct itimerval alarm = {.it_value.tv_usec = 20000};
  setitimer(ITIMER_REAL, &alarm, 0);
  while (epoll_wait(poll, &event, 1, -1) != 1) {
  }
  if (read(signals, &came, sizeof came) != sizeof came) abort();
  wait(0);
  close(signals);
  close(poll);
}
static void handle(char what) {
  pthread_t holder;
  switch (what) {
    case 's':
      return sleep_ms(20);
    case 'c':
      return compute_ms(20);
    case 'd':
      return sync_file();
    case 'l':
      holds = 0;
      pthread_create(&holder, 0, hold_lock, 0);
      while (!holds) sched_yield();
      pthread_mutex_lock(&shared_state);
      pthread_mutex_unlock(&shared_state);
      pthread_join(holder, 0);
      return;
    case 'w':
      return wait_for_signal();
  }
}
static int listen_at(struct sockaddr_in* address) {
  socklen_t size = sizeof *address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->sin_port = 0;
  if (bind(fd, (struct sockaddr*)address, size) != 0 || listen(fd, 8) != 0) abort();
  getsockname(fd, (struct sockaddr*)address, &size);
  return fd;
}
// One request at a time; the last two come together, so that the second waits until the first is done.
static void client(struct sockaddr_in address) {
  int fds[2];
  char answer;
  for (int i = 0; i < 2; ++i) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fds[i], (struct sockaddr*)&address, sizeof address) != 0) _exit(1);
  }
  for (const char* what = "scdlw"; *what != 0; ++what) {
    long from = now();
    if (write(fds[0], what, 1) != 1 || read(fds[0], &answer, 1) != 1) _exit(1);
    dprintf(1, "request %c %ld\n", *what, now() - from);
    sleep_ms(5);
  }
  if (write(fds[0], "s", 1) != 1 || write(fds[1], "e", 1) != 1) _exit(1);
  if (read(fds[0], &answer, 1) != 1 || read(fds[1], &answer, 1) != 1) _exit(1);
  _exit(0);
}
int main(void) {
  struct sockaddr_in address = {0};
  int listener = listen_at(&address), poll = epoll_create1(0), open_sockets = 0, first = 1;
  if (fork() == 0) client(address);
  for (int i = 0; i < 2; ++i) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = accept(listener, 0, 0)};
    epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
    ++open_sockets;
  }
  while (open_sockets > 0) {
    struct epoll_event events[8];
    if (!first) sleep_ms(3);  // lets both of the last two come
    first = 0;
    int count = epoll_wait(poll, events, 8, -1);
    for (int i = 0; i < count; ++i) {
      char what;
      if (read(events[i].data.fd, &what, 1) == 1) {
        handle(what);
        if (write(events[i].data.fd, "!", 1) != 1) abort();
      } else {
        epoll_ctl(poll, EPOLL_CTL_DEL, events[i].data.fd, 0);
        close(events[i].data.fd);
        --open_sockets;
      }
    }
  }
  unlink("server.data");
  return 0;
}
