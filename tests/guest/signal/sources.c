// The siginfo of each source: who sent it, why, with which value.
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static siginfo_t last;
static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  last = *info;
}

static void expect(int number, int code) {
  for (int i = 0; i < 500 && calls == 0; i++) usleep(10000);
  CHECK(calls > 0);
  CHECK_EQ(last.si_signo, number);
  CHECK_EQ(last.si_errno, 0);
  CHECK_EQ(last.si_code, code);
  calls = 0;
}

static void expect_self(int number, int code) {
  expect(number, code);
  CHECK_EQ(last.si_pid, getpid());
  CHECK_EQ(last.si_uid, getuid());
}

static void from_kill(void) {
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  expect_self(SIGUSR1, SI_USER);
}
static void from_kill_of_the_group(void) {
  if (getpgrp() != getpid()) CHECK_EQ(setpgid(0, 0), 0);
  CHECK_EQ(kill(0, SIGUSR1), 0);
  expect_self(SIGUSR1, SI_USER);
  CHECK_EQ(kill(-getpid(), SIGUSR1), 0);
  expect_self(SIGUSR1, SI_USER);
}
static void from_tkill(void) {
  CHECK_EQ(syscall(SYS_tkill, getpid(), SIGUSR1), 0);
  expect_self(SIGUSR1, SI_TKILL);
}
static void from_tgkill(void) {
  CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1), 0);
  expect_self(SIGUSR1, SI_TKILL);
}
static void from_sigqueue(void) {
  CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_ptr = &last}), 0);
  expect_self(SIGUSR1, SI_QUEUE);
  CHECK(last.si_ptr == &last);
}
static void from_rt_sigqueueinfo(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  memset(&info, 0x5a, 48);  // what the kernel keeps of it
  info.si_code = -77;
  info.si_errno = 0;
  CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), 0);
  expect(SIGUSR1, -77);
  CHECK_EQ(last.si_pid, 0x5a5a5a5a);
  CHECK_EQ(last.si_int, 0x5a5a5a5a);
}
static void from_rt_tgsigqueueinfo(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_ASYNCIO;
  info.si_int = 31;
  CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &info), 0);
  expect(SIGUSR1, SI_ASYNCIO);
  CHECK_EQ(last.si_int, 31);
}
static void code_of_the_kernel_to_oneself(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_KERNEL;
  CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), 0);
  expect(SIGUSR1, SI_KERNEL);
}
static void unknown_words_beyond_siginfo(void) {
  siginfo_t info;
  memset(&info, 0xff, sizeof info);
  info.si_code = -1000;  // no layout of the kernel's: what it does not keep must be zero
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), E2BIG);
  info.si_code = SI_QUEUE;
  info.si_errno = 0;
  CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), 0);
  expect(SIGUSR1, SI_QUEUE);
  const char* words = (const char*)&last;
  CHECK_EQ((unsigned char)words[47], 0xff);
  for (int i = 48; i < 128; i++) CHECK_EQ(words[i], 0);
}
static void from_pidfd_send_signal(void) {
  const int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  CHECK(fd >= 0);
  CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0), 0);
  expect_self(SIGUSR1, SI_USER);
  close(fd);
}
static void from_raise(void) {
  CHECK_EQ(raise(SIGUSR2), 0);
  expect_self(SIGUSR2, SI_TKILL);
}
static void from_alarm(void) {
  const struct itimerval soon = {.it_value = {.tv_usec = 1000}};
  CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
  expect(SIGALRM, SI_KERNEL);
  CHECK_EQ(last.si_pid, 0);
}
static void spin_until_called(void) {
  while (calls == 0) continue;
}
static void from_virtual_timer(void) {
  const struct itimerval soon = {.it_value = {.tv_usec = 1000}};
  CHECK_EQ(setitimer(ITIMER_VIRTUAL, &soon, NULL), 0);
  spin_until_called();
  expect(SIGVTALRM, SI_KERNEL);
}
static void from_profiling_timer(void) {
  const struct itimerval soon = {.it_value = {.tv_usec = 1000}};
  CHECK_EQ(setitimer(ITIMER_PROF, &soon, NULL), 0);
  spin_until_called();
  expect(SIGPROF, SI_KERNEL);
}
static void from_posix_timer(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  event.sigev_value.sival_ptr = &last;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  expect(SIGUSR1, SI_TIMER);
  CHECK(last.si_ptr == (void*)&last);
  CHECK_EQ(last.si_overrun, 0);
  CHECK_EQ(timer_delete(timer), 0);
}
static void from_message_queue(void) {
  char name[64];
  snprintf(name, sizeof name, "/orrery-source-%d", getpid());
  const mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
  if (queue < 0) SKIP("no POSIX message queues");
  mq_unlink(name);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  event.sigev_value.sival_int = 5;
  CHECK_EQ(mq_notify(queue, &event), 0);
  CHECK_EQ(mq_send(queue, "a", 1, 0), 0);
  expect_self(SIGUSR1, SI_MESGQ);
  CHECK_EQ(last.si_int, 5);
  CHECK_EQ(mq_send(queue, "b", 1, 0), 0);  // told once
  CHECK_EQ(calls, 0);
  mq_close(queue);
}
static void from_broken_pipe(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  close(ends[0]);
  CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
  expect_self(SIGPIPE, SI_USER);
  close(ends[1]);
}
static void none_with_msg_nosignal(void) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[0]);
  CHECK_ERRNO(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(calls, 0);
  CHECK_ERRNO(send(ends[1], "x", 1, 0), EPIPE);
  expect_self(SIGPIPE, SI_USER);
  close(ends[1]);
}
static void from_file_too_large(void) {
  struct rlimit limit, old;
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  limit = old;
  limit.rlim_cur = 1000;
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const int file = open("large", O_RDWR | O_CREAT, 0600);
  char block[1500] = "";
  CHECK_EQ(write(file, block, sizeof block), 1000);
  CHECK_EQ(calls, 0);
  CHECK_ERRNO(write(file, block, sizeof block), EFBIG);
  expect_self(SIGXFSZ, SI_USER);
  CHECK_ERRNO(ftruncate(file, 2000), EFBIG);
  expect_self(SIGXFSZ, SI_USER);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  close(file);
}
static void from_readiness(void) {
  int ends[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
  CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
  CHECK_EQ(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  expect(SIGIO, SI_KERNEL);
  close(ends[0]);
  close(ends[1]);
}
static void from_readiness_with_a_number(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
  CHECK_EQ(fcntl(ends[0], F_SETSIG, SIGRTMIN + 3), 0);
  CHECK_EQ(fcntl(ends[0], F_GETSIG), SIGRTMIN + 3);
  CHECK_EQ(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  expect(SIGRTMIN + 3, POLL_IN);
  CHECK_EQ(last.si_fd, ends[0]);
  CHECK_EQ(last.si_band, POLLIN | POLLRDNORM);
  close(ends[0]);
  close(ends[1]);
}
static void from_a_directory(void) {
  const int here = open(".", O_RDONLY | O_DIRECTORY);
  CHECK_EQ(fcntl(here, F_SETSIG, SIGUSR1), 0);
  if (fcntl(here, F_NOTIFY, DN_CREATE) != 0) SKIP("no F_NOTIFY");
  close(creat("created", 0600));
  expect(SIGUSR1, POLL_MSG);
  CHECK_EQ(last.si_fd, here);
  close(here);
}
static void from_urgent_data(void) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) SKIP("no IPv4");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  CHECK_EQ(bind(listener, (void*)&address, length), 0);
  CHECK_EQ(listen(listener, 1), 0);
  CHECK_EQ(getsockname(listener, (void*)&address, &length), 0);
  CHECK_EQ(connect(client, (void*)&address, length), 0);
  const int accepted = accept(listener, NULL, NULL);
  CHECK_EQ(fcntl(accepted, F_SETOWN, getpid()), 0);
  CHECK_EQ(send(client, "!", 1, MSG_OOB), 1);
  expect(SIGURG, SI_KERNEL);
  char byte = 0;
  CHECK_EQ(recv(accepted, &byte, 1, MSG_OOB), 1);
  CHECK_EQ(byte, '!');
  close(listener), close(client), close(accepted);
}
static void from_processor_time(void) {
  struct rlimit limit, old;
  struct rusage used;
  CHECK_EQ(getrlimit(RLIMIT_CPU, &old), 0);
  CHECK_EQ(getrusage(RUSAGE_SELF, &used), 0);
  limit = old;
  limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1);
  CHECK_EQ(setrlimit(RLIMIT_CPU, &limit), 0);
  spin_until_called();
  CHECK_EQ(setrlimit(RLIMIT_CPU, &old), 0);
  expect(SIGXCPU, SI_KERNEL);
}
static void numbers_that_are_none(void) {
  siginfo_t info = {.si_code = -1};
  CHECK_EQ(kill(getpid(), 0), 0);
  CHECK_ERRNO(kill(getpid(), -1), EINVAL);
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), getpid(), 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_tkill, getpid(), 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
  CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &info), 0);
  CHECK_EQ(calls, 0);
}
static void processes_that_are_none(void) {
  siginfo_t info = {.si_code = -1};
  CHECK_ERRNO(kill(0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(kill(-0x3fffffff, SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
  CHECK_ERRNO(syscall(SYS_tkill, -1, SIGUSR1), EINVAL);
  CHECK_ERRNO(syscall(SYS_tkill, 0x3fffffff, SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_tgkill, 0, getpid(), SIGUSR1), EINVAL);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0x3fffffff, SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_tgkill, 0x3fffffff, getpid(), SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 0x3fffffff, SIGUSR1, &info), ESRCH);
  CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, (void*)8), EFAULT);
  CHECK_EQ(calls, 0);
}

int main(void) {
  static const int caught[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
                               SIGPIPE, SIGXFSZ, SIGIO,   SIGURG,    SIGXCPU};
  for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) on_signal(caught[i], note, 0);
  on_signal(SIGRTMIN + 3, note, 0);
  RUN(from_kill);
  RUN(from_kill_of_the_group);
  RUN(from_tkill);
  RUN(from_tgkill);
  RUN(from_sigqueue);
  RUN(from_rt_sigqueueinfo);
  RUN(from_rt_tgsigqueueinfo);
  RUN(code_of_the_kernel_to_oneself);
  RUN(unknown_words_beyond_siginfo);
  RUN(from_pidfd_send_signal);
  RUN(from_raise);
  RUN(from_alarm);
  RUN(from_virtual_timer);
  RUN(from_profiling_timer);
  RUN(from_posix_timer);
  RUN(from_message_queue);
  RUN(from_broken_pipe);
  RUN(none_with_msg_nosignal);
  RUN(from_file_too_large);
  RUN(from_readiness);
  RUN(from_readiness_with_a_number);
  RUN(from_a_directory);
  RUN(from_urgent_data);
  RUN(from_processor_time);
  RUN(numbers_that_are_none);
  RUN(processes_that_are_none);
  return 0;
}
