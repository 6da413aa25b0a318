// A thread that sleeps in a system call holds up no other, and what it waits for wakes it. Signals go to the
// thread they are for.
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "check.h"

static pthread_t thread;
static int pipes[2];
static volatile int began;

static void start(void* (*body)(void*)) {
  began = 0;
  CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
  while (!began) sched_yield();
  usleep(5000);
}
static long join(void) {
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  return (long)result;
}
static void open_pipe(void) { CHECK_EQ(pipe(pipes), 0); }
static void close_pipe(void) {
  close(pipes[0]);
  close(pipes[1]);
}

static void* read_pipe(void* unused) {
  char bytes[16];
  began = 1;
  return (void*)read(pipes[0], bytes, sizeof bytes);
}
static void reads(void) {
  open_pipe();
  start(read_pipe);
  CHECK_EQ(write(pipes[1], "seven b", 7), 7);
  CHECK_EQ(join(), 7);
  close_pipe();
}

/// waitid beside another thread, with and without a place for what it finds; the call that finds nobody.
static void children(void) {
  open_pipe();
  start(read_pipe);
  for (int place = 0; place < 2; ++place) {
    const pid_t child = fork();
    if (child == 0) {
      usleep(10000);
      _exit(7);
    }
    siginfo_t info = {0};
    CHECK_EQ(waitid(P_PID, (id_t)child, place ? &info : NULL, WEXITED), 0);
    if (place) CHECK_EQ(info.si_pid, child);
    if (place) CHECK_EQ(info.si_status, 7);
    CHECK_ERRNO(waitid(P_PID, (id_t)child, &info, WEXITED), ECHILD);
  }
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 1);
  close_pipe();
}

/// What fails at once fails at once beside another thread too.
static void refusals(void) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  open_pipe();
  start(read_pipe);
  CHECK_ERRNO(accept(ends[0], NULL, NULL), EINVAL);
  const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  CHECK_EQ(listen(listener, 1), 0);
  CHECK_EQ(getsockname(listener, (void*)&address, &length), 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_EQ(connect(client, (void*)&address, length), 0);
  char byte;
  CHECK_ERRNO(recv(client, &byte, 1, MSG_OOB), EINVAL);
  close(listener);
  close(client);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 1);
  close_pipe();
  close(ends[0]);
  close(ends[1]);
}

static void* fill_pipe(void* unused) {
  static char bytes[200000];
  began = 1;
  return (void*)write(pipes[1], bytes, sizeof bytes);
}
static void writes(void) {
  open_pipe();
  start(fill_pipe);
  static char bytes[65536];
  long got = 0;
  while (got < 200000) got += read(pipes[0], bytes, sizeof bytes);
  CHECK_EQ(join(), 200000);
  close_pipe();
}

static void* poll_pipe(void* unused) {
  struct pollfd entry = {pipes[0], POLLIN, 0};
  began = 1;
  const long ready = poll(&entry, 1, -1);
  return (void*)(ready * 100 + entry.revents);
}
static void polls(void) {
  open_pipe();
  start(poll_pipe);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 100 + POLLIN);
  close_pipe();
}

static void* poll_with_end(void* unused) {
  struct pollfd entry = {pipes[0], POLLIN, 0};
  began = 1;
  return (void*)(long)poll(&entry, 1, 20);
}
static void polls_that_end(void) {
  open_pipe();
  start(poll_with_end);
  CHECK_EQ(join(), 0);
  close_pipe();
}

static void* select_pipe(void* unused) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(pipes[0], &set);
  struct timeval timeout = {5, 0};
  began = 1;
  const long ready = select(pipes[0] + 1, &set, NULL, NULL, &timeout);
  return (void*)(ready * 10 + FD_ISSET(pipes[0], &set));
}
static void selects(void) {
  open_pipe();
  start(select_pipe);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 11);
  close_pipe();
}

static void* epoll_pipe(void* unused) {
  const int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {.u64 = 77}}, got = {0};
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event), 0);
  began = 1;
  CHECK_EQ(epoll_wait(epoll, &got, 1, -1), 1);
  close(epoll);
  return (void*)got.data.u64;
}
static void epolls(void) {
  open_pipe();
  start(epoll_pipe);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 77);
  close_pipe();
}

static int event_fd;
static void* read_event(void* unused) {
  uint64_t value;
  began = 1;
  CHECK_EQ(read(event_fd, &value, 8), 8);
  return (void*)value;
}
static void events(void) {
  event_fd = eventfd(0, 0);
  start(read_event);
  uint64_t value = 9;
  CHECK_EQ(write(event_fd, &value, 8), 8);
  CHECK_EQ(join(), 9);
  close(event_fd);
}

static void* read_timer(void* unused) {
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec soon = {{0, 0}, {0, 10000000}};
  uint64_t value;
  CHECK_EQ(timerfd_settime(timer, 0, &soon, NULL), 0);
  began = 1;
  CHECK_EQ(read(timer, &value, 8), 8);
  close(timer);
  return (void*)value;
}
static void timer_descriptors(void) {
  start(read_timer);
  CHECK_EQ(join(), 1);
}

static int sockets[2];
static void* receive(void* unused) {
  char bytes[32];
  began = 1;
  return (void*)recv(sockets[1], bytes, sizeof bytes, 0);
}
static void socket_pairs(void) {
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  start(receive);
  CHECK_EQ(send(sockets[0], "hello", 5, 0), 5);
  CHECK_EQ(join(), 5);
  CHECK_ERRNO(recv(sockets[1], pipes, 4, MSG_DONTWAIT), EAGAIN);
  close(sockets[0]);
  close(sockets[1]);
}

static void* sleep_a_while(void* unused) {
  struct timespec time = {0, 15000000}, before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  began = 1;
  CHECK_EQ(nanosleep(&time, NULL), 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  return (void*)((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec);
}
static void sleeps(void) {
  start(sleep_a_while);
  CHECK(join() >= 15000000);
}

// --- signals ---

static volatile int handled_by;
static void on_user(int number, siginfo_t* info, void* context) {
  (void)number, (void)info, (void)context;
  handled_by = (int)syscall(SYS_gettid);
}
static volatile int own_id;

static void* wait_to_be_interrupted(void* unused) {
  char byte;
  own_id = (int)syscall(SYS_gettid);
  began = 1;
  const long result = read(pipes[0], &byte, 1);
  return (void*)(result < 0 ? -(long)errno : result);
}
static void to_one_thread(void) {
  open_pipe();
  on_signal(SIGUSR1, on_user, 0);
  start(wait_to_be_interrupted);
  CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
  CHECK_EQ(join(), -EINTR);
  CHECK_EQ(handled_by, own_id);
  close_pipe();
}
static void restarted_in_one_thread(void) {
  open_pipe();
  on_signal(SIGUSR1, on_user, SA_RESTART);
  handled_by = 0;
  start(wait_to_be_interrupted);
  CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
  while (handled_by == 0) usleep(1000);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  CHECK_EQ(join(), 1);
  close_pipe();
}
static void to_the_process(void) {
  open_pipe();
  on_signal(SIGUSR1, on_user, 0);
  start(wait_to_be_interrupted);
  handled_by = 0;
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  CHECK_EQ(handled_by, getpid());
  // Blocked by the leader, it goes to the other one.
  change_mask(SIG_BLOCK, SIGUSR1);
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  CHECK_EQ(join(), -EINTR);
  CHECK_EQ(handled_by, own_id);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  close_pipe();
}

static void* wait_for_signal(void* unused) {
  sigset_t set;
  int number = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  began = 1;
  CHECK_EQ(sigwait(&set, &number), 0);
  return (void*)(long)number;
}
static void to_a_waiting_thread(void) {
  change_mask(SIG_BLOCK, SIGUSR2);
  start(wait_for_signal);
  CHECK_EQ(kill(getpid(), SIGUSR2), 0);
  CHECK_EQ(join(), SIGUSR2);
  change_mask(SIG_UNBLOCK, SIGUSR2);
}

static void* own_mask(void* unused) {
  sigset_t mask;
  CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
  CHECK_EQ(sigismember(&mask, SIGHUP), 1);
  change_mask(SIG_UNBLOCK, SIGHUP);
  began = 1;
  return NULL;
}
static void masks_are_inherited_and_own(void) {
  change_mask(SIG_BLOCK, SIGHUP);
  start(own_mask);
  join();
  sigset_t mask;
  CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
  CHECK_EQ(sigismember(&mask, SIGHUP), 1);
  change_mask(SIG_UNBLOCK, SIGHUP);
}

static volatile int alarms;
static void on_alarm(int number, siginfo_t* info, void* context) {
  (void)number, (void)info, (void)context;
  CHECK_EQ(syscall(SYS_gettid), getpid());
  ++alarms;
}
static volatile int stop;
static void* compute(void* unused) {
  began = 1;
  unsigned long value = 1;
  while (!stop) value = value * 6364136223846793005UL + 1;
  return (void*)(value & 1);
}
static void timers_go_to_the_leader(void) {
  stop = 0;
  start(compute);
  on_signal(SIGALRM, on_alarm, SA_RESTART);
  struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
  while (alarms < 10) pause();
  CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
  stop = 1;
  join();
}

static char* closed_page;
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  CHECK_EQ(info->si_addr, closed_page + 8);
  handled_by = (int)syscall(SYS_gettid);
  CHECK_EQ(mprotect(closed_page, 4096, PROT_READ | PROT_WRITE), 0);
}
static void* touch(void* unused) {
  own_id = (int)syscall(SYS_gettid);
  began = 1;
  closed_page[8] = 1;
  return NULL;
}
static void faults_are_the_threads_own(void) {
  closed_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  on_signal(SIGSEGV, on_fault, 0);
  start(touch);
  join();
  CHECK_EQ(handled_by, own_id);
}

int main(void) {
  RUN(reads);
  RUN(writes);
  RUN(polls);
  RUN(polls_that_end);
  RUN(selects);
  RUN(epolls);
  RUN(events);
  RUN(timer_descriptors);
  RUN(socket_pairs);
  RUN(sleeps);
  RUN(to_one_thread);
  RUN(restarted_in_one_thread);
  RUN(to_the_process);
  RUN(to_a_waiting_thread);
  RUN(masks_are_inherited_and_own);
  RUN(timers_go_to_the_leader);
  RUN(faults_are_the_threads_own);
  RUN(children);
  RUN(refusals);
  return 0;
}
