// System V message queues and semaphores.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "check.h"

struct message {
  long type;
  char text[16];
};

static void message_queue(void) {
  int queue = msgget(IPC_PRIVATE, 0600);
  if (queue < 0 && errno == ENOSYS) SKIP("no System V IPC");
  CHECK(queue >= 0);
  struct message sent = {7, "seven"}, got = {0};
  CHECK_EQ(msgsnd(queue, &sent, 6, 0), 0);
  sent = (struct message){3, "three"};
  CHECK_EQ(msgsnd(queue, &sent, 6, 0), 0);
  struct msqid_ds state;
  CHECK_EQ(msgctl(queue, IPC_STAT, &state), 0);
  CHECK_EQ(state.msg_qnum, 2);
  CHECK_EQ(msgrcv(queue, &got, sizeof got.text, 3, 0), 6);
  CHECK_EQ(strcmp(got.text, "three"), 0);
  CHECK_ERRNO(msgrcv(queue, &got, 2, 0, IPC_NOWAIT), E2BIG);
  CHECK_EQ(msgrcv(queue, &got, sizeof got.text, 0, IPC_NOWAIT), 6);
  CHECK_EQ(got.type, 7);
  CHECK_ERRNO(msgrcv(queue, &got, sizeof got.text, 0, IPC_NOWAIT), ENOMSG);
  CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
}

static void semaphore_set(void) {
  char name[] = "sem";
  int file = creat(name, 0600);
  CHECK(file >= 0);
  key_t key = ftok(name, 'x');
  int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
  if (set < 0 && errno == ENOSYS) SKIP("no System V IPC");
  CHECK(set >= 0);
  struct sembuf up = {0, 2, 0}, down = {0, -1, IPC_NOWAIT};
  struct timespec brief = {0, 1000000};
  CHECK_EQ(semop(set, &up, 1), 0);
  CHECK_EQ(semop(set, &down, 1), 0);
  CHECK_EQ(semtimedop(set, &down, 1, &brief), 0);
  CHECK_ERRNO(semop(set, &down, 1), EAGAIN);
  down.sem_flg = 0;
  CHECK_ERRNO(semtimedop(set, &down, 1, &brief), EAGAIN);
  unsigned short values[1] = {6};
  CHECK_EQ(semctl(set, 0, SETALL, values), 0);
  CHECK_EQ(semctl(set, 0, GETVAL), 6);
  CHECK_EQ(semctl(set, 0, SETVAL, 3), 0);
  CHECK_EQ(semctl(set, 0, GETALL, values), 0);
  CHECK_EQ(values[0], 3);
  struct semid_ds status;
  CHECK_EQ(semctl(set, 0, IPC_STAT, &status), 0);
  CHECK_EQ(status.sem_nsems, 1);
  CHECK_EQ(semctl(set, 0, GETPID), getpid());
  CHECK_EQ(semctl(set, 0, IPC_RMID), 0);
  unlink(name);
}

int main(void) {
  RUN(message_queue);
  RUN(semaphore_set);
  return 0;
}
