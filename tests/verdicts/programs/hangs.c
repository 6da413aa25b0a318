// Programs that do not end.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER,
                       third = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t meeting;
static sem_t permits;
static volatile int ready;
static volatile long sink;

static pthread_t start(void* (*run)(void*), void* argument) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, argument);
  return thread;
}

static void* takes_both(void* unused) {
  pthread_mutex_lock(&second);
  usleep(50000);
  pthread_mutex_lock(&first);  // at: deadlock
  return unused;
}
static void deadlock(void) {
  const pthread_t thread = start(takes_both, NULL);
  pthread_mutex_lock(&first);
  usleep(50000);
  pthread_mutex_lock(&second);  // at: deadlock
  pthread_join(thread, NULL);
}

static void deadlock_alone(void) {
  pthread_mutex_lock(&first);
  pthread_mutex_lock(&first);  // at: deadlock_alone
}

struct Pair {
  pthread_mutex_t *one, *two;
};
static void* takes_pair(void* argument) {
  const struct Pair* pair = argument;
  pthread_mutex_lock(pair->one);
  usleep(50000);
  pthread_mutex_lock(pair->two);  // at: deadlock_of_three
  return NULL;
}
static void deadlock_of_three(void) {
  struct Pair pairs[3] = {{&first, &second}, {&second, &third}, {&third, &first}};
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) threads[i] = start(takes_pair, &pairs[i]);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
}

static void* ends_with_it(void* unused) {
  pthread_mutex_lock(&first);
  return unused;
}
static void lock_never_released(void) {
  pthread_join(start(ends_with_it, NULL), NULL);
  pthread_mutex_lock(&first);  // at: lock_never_released
}

static void writer_twice(void) {
  pthread_rwlock_rdlock(&table);
  pthread_rwlock_wrlock(&table);  // at: writer_twice
}

static void* reads_table(void* unused) {
  pthread_rwlock_rdlock(&table);  // at: writer_forgets
  return unused;
}
static void writer_forgets(void) {
  pthread_rwlock_wrlock(&table);
  pthread_join(start(reads_table, NULL), NULL);  // at: writer_forgets
}

static void lost_wakeup(void) {
  pthread_cond_signal(&filled);
  pthread_mutex_lock(&first);
  pthread_cond_wait(&filled, &first);  // at: lost_wakeup
}

static void* consumes(void* unused) {
  pthread_mutex_lock(&first);
  while (!ready) pthread_cond_wait(&filled, &first);  // at: never_signalled
  pthread_mutex_unlock(&first);
  return unused;
}
static void never_signalled(void) {
  const pthread_t thread = start(consumes, NULL);
  usleep(50000);
  ready = 1;
  pthread_join(thread, NULL);
}

static void never_posted(void) {
  sem_init(&permits, 0, 1);
  sem_wait(&permits);
  sem_wait(&permits);  // at: never_posted
}

static void* meets(void* unused) {
  pthread_barrier_wait(&meeting);  // at: too_few
  return unused;
}
static void too_few(void) {
  pthread_barrier_init(&meeting, NULL, 3);
  const pthread_t one = start(meets, NULL), two = start(meets, NULL);
  pthread_join(one, NULL);
  pthread_join(two, NULL);
}

static void* reads_with_lock(void* end) {
  char letter;
  pthread_mutex_lock(&first);
  sink = read(*(int*)end, &letter, 1);  // at: lock_held_over_read
  pthread_mutex_unlock(&first);
  return NULL;
}
static void lock_held_over_read(void) {
  int ends[2];
  sink = pipe(ends);
  start(reads_with_lock, &ends[0]);
  usleep(50000);
  pthread_mutex_lock(&first);
}

static void own_pipe(void) {
  int ends[2];
  char letter;
  sink = pipe(ends);
  sink = read(ends[0], &letter, 1);  // at: own_pipe
}

static void both_read(void) {
  int there[2], back[2];
  char letter;
  sink = pipe(there) + pipe(back);
  if (fork() == 0) {
    sink = read(there[0], &letter, 1);
    _exit(write(back[1], "x", 1) < 0);
  }
  sink = read(back[0], &letter, 1);  // at: both_read
  sink = write(there[1], "x", 1);
}

static void pipe_full(void) {
  int ends[2];
  static char data[4096];
  sink = pipe(ends);
  if (fork() == 0) {
    close(ends[1]);
    for (;;) pause();
  }
  close(ends[0]);
  for (;;) sink = write(ends[1], data, sizeof data);  // at: pipe_full
}

static void child_sleeps(void) {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();  // at: child_sleeps
  }
  waitpid(child, NULL, 0);  // at: child_sleeps
}

static void nobody_connects(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  bind(fd, (struct sockaddr*)&address, sizeof address);
  listen(fd, 1);
  accept(fd, NULL, NULL);  // at: nobody_connects
}

static void peer_is_silent(void) {
  int pair[2];
  char letter;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  if (fork() == 0) {
    close(pair[0]);
    sink = read(pair[1], &letter, 1);
    _exit(0);
  }
  close(pair[1]);
  sink = recv(pair[0], &letter, 1, 0);  // at: peer_is_silent
}

static void polls_for_ever(void) {
  int ends[2];
  sink = pipe(ends);
  struct pollfd wanted = {.fd = ends[0], .events = POLLIN};
  poll(&wanted, 1, -1);  // at: polls_for_ever
}

static void epoll_empty(void) {
  struct epoll_event event;
  epoll_wait(epoll_create1(0), &event, 1, -1);  // at: epoll_empty
}

static APART void compute(void) {
  while (!ready) sink = sink + 1;  // at: busy
}
static void busy(void) { compute(); }

static void* spins(void* unused) {
  while (!ready) {  // at: busy_threads
  }
  return unused;
}
static void busy_threads(void) { pthread_join(start(spins, NULL), NULL); }

static void busy_yielding(void) {
  while (!ready) sched_yield();  // at: busy_yielding
}

static void busy_reading(void) {
  int ends[2];
  char letter;
  sink = pipe2(ends, O_NONBLOCK);
  while (read(ends[0], &letter, 1) < 0 && errno == EAGAIN) {  // at: busy_reading
  }
}

static void locked_file(void) {
  char path[] = "/tmp/verdicts.XXXXXX";
  const int fd = mkstemp(path), other = open(path, O_RDWR);
  unlink(path);
  flock(fd, LOCK_EX);
  flock(other, LOCK_EX);  // at: locked_file
}

static void waits_for_signal(void) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  int signal;
  sigwait(&wanted, &signal);  // at: waits_for_signal
}

static void sleeps(void) { sleep(3600); }  // at: sleeps

static void retries(void) {
  while (open("/run/none/server.sock", O_RDWR) < 0) usleep(20000);  // at: retries
}

MAIN(CASE(deadlock), CASE(deadlock_alone), CASE(deadlock_of_three), CASE(lock_never_released),
     CASE(writer_twice), CASE(writer_forgets), CASE(lost_wakeup), CASE(never_signalled), CASE(never_posted),
     CASE(too_few), CASE(lock_held_over_read), CASE(own_pipe), CASE(both_read), CASE(pipe_full),
     CASE(child_sleeps), CASE(nobody_connects), CASE(peer_is_silent), CASE(polls_for_ever), CASE(epoll_empty),
     CASE(busy), CASE(busy_threads), CASE(busy_yielding), CASE(busy_reading), CASE(locked_file),
     CASE(waits_for_signal), CASE(sleeps), CASE(retries))
