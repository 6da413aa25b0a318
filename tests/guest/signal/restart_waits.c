// Waiting for time, readiness, signals, futexes and queues, and what a signal does to it.
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "interrupt.h"

static int ends[2];
static int epoll;
static const struct timespec kLong = {20, 0};
static sigset_t nothing;

static struct timespec later(clockid_t clock) {
  struct timespec now;
  CHECK_EQ(clock_gettime(clock, &now), 0);
  now.tv_sec += 20;
  return now;
}

static long do_poll(void) {
  struct pollfd entry = {ends[0], POLLIN, 0};
  return outcome(poll(&entry, 1, 20000));
}
static long do_endless_poll(void) {
  struct pollfd entry = {ends[0], POLLIN, 0};
  return outcome(poll(&entry, 1, -1));
}
static long do_ppoll(void) {
  struct pollfd entry = {ends[0], POLLIN, 0};
  return outcome(ppoll(&entry, 1, &kLong, &nothing));
}
static long do_select(void) {
  fd_set set;
  struct timeval limit = {20, 0};
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  return outcome(select(ends[0] + 1, &set, NULL, NULL, &limit));
}
static long do_pselect(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  return outcome(pselect(ends[0] + 1, &set, NULL, NULL, &kLong, &nothing));
}
static long do_epoll_wait(void) {
  struct epoll_event event;
  return outcome(epoll_wait(epoll, &event, 1, 20000));
}
static long do_endless_epoll_wait(void) {
  struct epoll_event event;
  return outcome(epoll_wait(epoll, &event, 1, -1));
}
static long do_epoll_pwait(void) {
  struct epoll_event event;
  return outcome(epoll_pwait(epoll, &event, 1, 20000, &nothing));
}
static long do_epoll_pwait2(void) {
  struct epoll_event event;
  return outcome(syscall(SYS_epoll_pwait2, epoll, &event, 1, &kLong, &nothing, 8));
}

static long do_nanosleep(void) { return outcome(nanosleep(&kLong, NULL)); }
static long do_clock_nanosleep(void) { return -clock_nanosleep(CLOCK_BOOTTIME, 0, &kLong, NULL); }
static long do_clock_nanosleep_until(void) {
  const struct timespec until = later(CLOCK_REALTIME);
  return -clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}
static long do_pause(void) { return outcome(pause()); }
static long do_sigsuspend(void) { return outcome(sigsuspend(&nothing)); }
static long do_sigtimedwait(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return outcome(sigtimedwait(&set, NULL, &kLong));
}
static long do_sigwaitinfo(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return outcome(sigwaitinfo(&set, NULL));
}

// --- futexes: the handler changes the word, so that the call that is made again finds it changed ---

static volatile uint32_t word;
static void clear_word(void) { word = 0; }
static void set_word(void) { word = 1; }
static long futex(int operation, const struct timespec* limit) {
  return outcome(syscall(SYS_futex, &word, operation, 0, limit, NULL, FUTEX_BITSET_MATCH_ANY));
}
static long do_futex_wait(void) { return futex(FUTEX_WAIT_PRIVATE, NULL); }
static long do_futex_wait_for(void) { return futex(FUTEX_WAIT_PRIVATE, &kLong); }
static long do_futex_wait_until(void) {
  const struct timespec until = later(CLOCK_MONOTONIC);
  return futex(FUTEX_WAIT_BITSET_PRIVATE, &until);
}
static long do_futex_waitv(void) {
  struct {
    uint64_t value, address;
    uint32_t flags, reserved;
  } waiter = {0, (uintptr_t)&word, 2 | FUTEX_PRIVATE_FLAG, 0};
  return outcome(syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC));
}

// --- queues ---

static int queue, semaphore;
static mqd_t mailbox;
static struct {
  long type;
  char text[1024];
} message = {1, ""};

static void empty_queue(void) {
  while (msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT) >= 0) continue;
}
static void fill_queue(void) {
  message.type = 1;
  while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) >= 0) continue;
}
static long do_msgrcv(void) { return outcome(msgrcv(queue, &message, sizeof message.text, 0, 0)); }
static long do_msgsnd(void) { return outcome(msgsnd(queue, &message, sizeof message.text, 0)); }
static struct sembuf take = {0, -1, 0};
static long do_semop(void) { return outcome(semop(semaphore, &take, 1)); }
static long do_semtimedop(void) { return outcome(semtimedop(semaphore, &take, 1, &kLong)); }

static void empty_mailbox(void) {
  char text[8];
  const struct timespec past = {1, 0};
  while (mq_timedreceive(mailbox, text, sizeof text, NULL, &past) >= 0) continue;
}
static void fill_mailbox(void) {
  const struct timespec past = {1, 0};
  while (mq_timedsend(mailbox, "fill", 4, 0, &past) >= 0) continue;
}
static void send_one(void) { CHECK_EQ(mq_send(mailbox, "one", 3, 0), 0); }
static void receive_one(void) {
  char text[8];
  CHECK(mq_receive(mailbox, text, sizeof text, NULL) > 0);
}
static long do_mq_receive(void) {
  char text[8];
  return outcome(mq_receive(mailbox, text, sizeof text, NULL));
}
static long do_mq_timedreceive(void) {
  char text[8];
  const struct timespec until = later(CLOCK_REALTIME);
  return outcome(mq_timedreceive(mailbox, text, sizeof text, NULL, &until));
}
static long do_mq_send(void) { return outcome(mq_send(mailbox, "last", 4, 0)); }

static const struct waiting_call waits[] = {
    {"poll", NULL, do_poll, NULL, 0},
    {"poll without end", NULL, do_endless_poll, NULL, 0},
    {"ppoll", NULL, do_ppoll, NULL, 0},
    {"select", NULL, do_select, NULL, 0},
    {"pselect", NULL, do_pselect, NULL, 0},
    {"epoll_wait", NULL, do_epoll_wait, NULL, 0},
    {"epoll_wait without end", NULL, do_endless_epoll_wait, NULL, 0},
    {"epoll_pwait", NULL, do_epoll_pwait, NULL, 0},
    {"epoll_pwait2", NULL, do_epoll_pwait2, NULL, 0},
    {"nanosleep", NULL, do_nanosleep, NULL, 0},
    {"clock_nanosleep", NULL, do_clock_nanosleep, NULL, 0},
    {"clock_nanosleep to a time", NULL, do_clock_nanosleep_until, NULL, 0},
    {"pause", NULL, do_pause, NULL, 0},
    {"sigsuspend", NULL, do_sigsuspend, NULL, 0},
    {"sigtimedwait", NULL, do_sigtimedwait, NULL, 0},
    {"sigwaitinfo", NULL, do_sigwaitinfo, NULL, 0},
    {"futex wait", clear_word, do_futex_wait, set_word, -EAGAIN},
    {"futex wait with time-out", clear_word, do_futex_wait_for, NULL, 0},
    {"futex wait to a time", clear_word, do_futex_wait_until, NULL, 0},
    {"futex_waitv", clear_word, do_futex_waitv, set_word, -EAGAIN},
};
static const struct waiting_call system_v[] = {
    {"msgrcv", empty_queue, do_msgrcv, NULL, 0},
    {"msgsnd to a full queue", fill_queue, do_msgsnd, NULL, 0},
    {"semop", NULL, do_semop, NULL, 0},
    {"semtimedop", NULL, do_semtimedop, NULL, 0},
};
static const struct waiting_call mailboxes[] = {
    {"mq_receive", empty_mailbox, do_mq_receive, send_one, 3},
    {"mq_timedreceive", empty_mailbox, do_mq_timedreceive, send_one, 3},
    {"mq_send to a full queue", fill_mailbox, do_mq_send, receive_one, 0},
};

int main(void) {
  sigemptyset(&nothing);
  CHECK_EQ(pipe(ends), 0);
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), 0);
  run_rows(waits, sizeof waits / sizeof *waits);

  queue = msgget(IPC_PRIVATE, 0600), semaphore = semget(IPC_PRIVATE, 1, 0600);
  if (queue >= 0 && semaphore >= 0) {
    run_rows(system_v, sizeof system_v / sizeof *system_v);
    CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
    CHECK_EQ(semctl(semaphore, 0, IPC_RMID), 0);
  }
  char name[64];
  snprintf(name, sizeof name, "/orrery-restart-%d", getpid());
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 8};
  mailbox = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  if (mailbox >= 0) {
    mq_unlink(name);
    run_rows(mailboxes, sizeof mailboxes / sizeof *mailboxes);
  }
  return 0;
}
