// Message queues and semaphores: order, limits, time-outs, what is refused.
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "check.h"

struct message {
  long type;
  char text[16];
};

static struct timespec soon(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_nsec += 20000000;
  if (at.tv_nsec >= 1000000000) at.tv_nsec -= 1000000000, ++at.tv_sec;
  return at;
}

static mqd_t make_queue(int flags) {
  char name[64];
  snprintf(name, sizeof name, "/orrery-rules-%d", getpid());
  struct mq_attr wanted = {.mq_maxmsg = 2, .mq_msgsize = 8};
  const mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &wanted);
  CHECK(queue >= 0);
  CHECK_ERRNO(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &wanted), EEXIST);
  CHECK_EQ(mq_unlink(name), 0);
  CHECK_ERRNO(mq_unlink(name), ENOENT);
  return queue;
}

static void posix_order_and_limits(void) {
  const mqd_t queue = make_queue(O_NONBLOCK);
  char text[8];
  unsigned priority = 0;
  CHECK_ERRNO(mq_receive(queue, text, sizeof text, NULL), EAGAIN);
  CHECK_EQ(mq_send(queue, "low", 3, 1), 0);
  CHECK_EQ(mq_send(queue, "high", 4, 9), 0);
  CHECK_ERRNO(mq_send(queue, "third", 5, 1), EAGAIN);
  CHECK_ERRNO(mq_send(queue, "much too long", 13, 1), EMSGSIZE);
  CHECK_ERRNO(mq_receive(queue, text, 7, NULL), EMSGSIZE);
  struct mq_attr state;
  CHECK_EQ(mq_getattr(queue, &state), 0);
  CHECK_EQ(state.mq_curmsgs, 2);
  CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 4);
  CHECK_EQ(priority, 9);
  CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 3);
  CHECK_EQ(memcmp(text, "low", 3), 0);
  CHECK_ERRNO(mq_send(queue, "x", 1, 99999), EINVAL);
  mq_close(queue);
}

static void posix_time_outs(void) {
  const mqd_t queue = make_queue(0);
  char text[8];
  struct timespec at = soon();
  CHECK_ERRNO(mq_timedreceive(queue, text, sizeof text, NULL, &at), ETIMEDOUT);
  CHECK_EQ(mq_send(queue, "1", 1, 0) | mq_send(queue, "2", 1, 0), 0);
  at = soon();
  CHECK_ERRNO(mq_timedsend(queue, "3", 1, 0, &at), ETIMEDOUT);
  at.tv_nsec = -1;
  CHECK_ERRNO(mq_timedsend(queue, "3", 1, 0, &at), EINVAL);
  CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);
  CHECK_EQ(text[0], '1');  // first come, first served
  mq_close(queue);
}

static volatile sig_atomic_t notified;
static void on_message(int number, siginfo_t* info, void* context) {
  notified = info->si_code == SI_MESGQ ? info->si_value.sival_int : -1;
}

static void posix_notification(void) {
  const mqd_t queue = make_queue(0);
  on_signal(SIGUSR1, on_message, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
  CHECK_EQ(mq_notify(queue, &event), 0);
  CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
  CHECK_EQ(mq_send(queue, "x", 1, 0), 0);
  CHECK_EQ(notified, 77);
  CHECK_EQ(mq_notify(queue, NULL), 0);
  mq_close(queue);
}

static void messages_by_type(void) {
  const int id = msgget(IPC_PRIVATE, 0600);
  CHECK(id >= 0);
  struct message message = {3, "three"};
  CHECK_EQ(msgsnd(id, &message, 6, 0), 0);
  message = (struct message){1, "one"};
  CHECK_EQ(msgsnd(id, &message, 4, 0), 0);
  message = (struct message){2, "two"};
  CHECK_EQ(msgsnd(id, &message, 4, 0), 0);
  CHECK_ERRNO(msgrcv(id, &message, 16, 9, IPC_NOWAIT), ENOMSG);
  CHECK_ERRNO(msgrcv(id, &message, 2, 3, IPC_NOWAIT), E2BIG);
  CHECK_EQ(msgrcv(id, &message, 16, -2, 0), 4);  // the lowest of at most two
  CHECK_EQ(message.type, 1);
  CHECK_EQ(msgrcv(id, &message, 16, 3, MSG_EXCEPT), 4);
  CHECK_EQ(message.type, 2);
  CHECK_EQ(msgrcv(id, &message, 2, 0, MSG_NOERROR), 2);  // the rest is lost
  CHECK_EQ(message.type, 3);
  message.type = 0;
  CHECK_ERRNO(msgsnd(id, &message, 1, 0), EINVAL);
  struct msqid_ds state;
  CHECK_EQ(msgctl(id, IPC_STAT, &state), 0);
  CHECK_EQ(state.msg_qnum, 0);
  CHECK_EQ(state.msg_lspid, getpid());
  state.msg_qbytes = 100;
  CHECK_EQ(msgctl(id, IPC_SET, &state), 0);
  struct {
    long type;
    char bytes[90];
  } large = {1, ""};
  CHECK_EQ(msgsnd(id, &large, 90, IPC_NOWAIT), 0);
  CHECK_ERRNO(msgsnd(id, &large, 90, IPC_NOWAIT), EAGAIN);
  CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
  CHECK_ERRNO(msgsnd(id, &large, 1, 0), EINVAL);
}

static void semaphores_together(void) {
  const int id = semget(IPC_PRIVATE, 3, 0600);
  CHECK(id >= 0);
  unsigned short values[3] = {1, 0, 5}, got[3];
  CHECK_EQ(semctl(id, 0, SETALL, values), 0);
  // All or nothing: the first would succeed, the second would wait.
  struct sembuf both[2] = {{0, -1, IPC_NOWAIT}, {1, -1, IPC_NOWAIT}};
  CHECK_ERRNO(semop(id, both, 2), EAGAIN);
  CHECK_EQ(semctl(id, 0, GETALL, got), 0);
  CHECK_EQ(memcmp(values, got, sizeof got), 0);
  struct sembuf exchange[3] = {{0, -1, 0}, {1, 2, 0}, {2, -5, SEM_UNDO}};
  CHECK_EQ(semop(id, exchange, 3), 0);
  CHECK_EQ(semctl(id, 1, GETVAL), 2);
  CHECK_EQ(semctl(id, 2, GETPID), getpid());
  struct sembuf zero = {2, 0, 0};
  CHECK_EQ(semop(id, &zero, 1), 0);  // it is zero
  const struct timespec brief = {0, 20000000};
  struct sembuf wait = {0, -1, 0};
  CHECK_ERRNO(syscall(SYS_semtimedop, id, &wait, 1, &brief), EAGAIN);
  struct sembuf beyond = {3, 1, 0};
  CHECK_ERRNO(semop(id, &beyond, 1), EFBIG);
  struct sembuf much = {0, 32767, 0};
  CHECK_EQ(semop(id, &much, 1), 0);
  CHECK_ERRNO(semop(id, &(struct sembuf){0, 1, 0}, 1), ERANGE);
  CHECK_ERRNO(semop(id, both, 0), EINVAL);
  CHECK_ERRNO(semctl(id, 0, SETVAL, 40000), ERANGE);
  CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
  CHECK_ERRNO(semop(id, &zero, 1), EINVAL);
}

int main(void) {
  RUN(posix_order_and_limits);
  RUN(posix_time_outs);
  RUN(posix_notification);
  RUN(messages_by_type);
  RUN(semaphores_together);
  return 0;
}
