// A thread that waits for a lock of files, a partner at a FIFO or a System V or POSIX queue holds up no
// other, and a signal interrupts it as natively.
#include <mqueue.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "thread_case.h"

static int held, wanted;

static void open_twice(void) {
  held = open("locked", O_RDWR | O_CREAT, 0600);
  wanted = open("locked", O_RDWR);
  CHECK(held >= 0 && wanted >= 0);
}
static void close_both(void) {
  close(held);
  close(wanted);
  CHECK_EQ(unlink("locked"), 0);
}

// --- locks of files ---

static void* lock_file(void* unused) {
  WAIT_BEGINS();
  return outcome(flock(wanted, LOCK_EX));
}
static void file_locks(void) {
  open_twice();
  CHECK_EQ(flock(held, LOCK_EX), 0);
  start_waiting(lock_file);
  CHECK_EQ(flock(held, LOCK_UN), 0);
  CHECK_EQ(waited(), 0);
  CHECK_ERRNO(flock(held, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  close_both();
}
static void file_locks_interrupted(void) {
  open_twice();
  CHECK_EQ(flock(held, LOCK_EX), 0);
  start_waiting(lock_file);
  interrupt_waiting(0);
  CHECK_EQ(waited(), -EINTR);
  start_waiting(lock_file);
  interrupt_waiting(SA_RESTART);
  CHECK_EQ(flock(held, LOCK_UN), 0);
  CHECK_EQ(waited(), 0);
  close_both();
}

static int lock_range(int fd, int command, short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  return fcntl(fd, command, &range);
}
static void* lock_bytes(void* unused) {
  WAIT_BEGINS();
  return outcome(lock_range(wanted, F_OFD_SETLKW, F_WRLCK));
}
static void range_locks(void) {
  open_twice();
  CHECK_EQ(lock_range(held, F_OFD_SETLK, F_WRLCK), 0);
  CHECK_ERRNO(lock_range(wanted, F_OFD_SETLK, F_WRLCK), EAGAIN);
  start_waiting(lock_bytes);
  CHECK_EQ(lock_range(held, F_OFD_SETLK, F_UNLCK), 0);
  CHECK_EQ(waited(), 0);
  CHECK_EQ(lock_range(wanted, F_OFD_SETLK, F_UNLCK), 0);
  // Those of the process never stand in its own way.
  CHECK_EQ(lock_range(held, F_SETLKW, F_WRLCK), 0);
  CHECK_EQ(lock_range(wanted, F_SETLKW, F_WRLCK), 0);
  close_both();
}

// --- FIFOs ---

static void* open_to_read(void* unused) {
  WAIT_BEGINS();
  return outcome(open("fifo", O_RDONLY));
}
static void* open_to_write(void* unused) {
  WAIT_BEGINS();
  return outcome(open("fifo", O_WRONLY | O_CLOEXEC));
}
static void pass_bytes(int reader, int writer) {
  char bytes[8];
  CHECK(reader >= 0 && writer >= 0);
  CHECK_EQ(fcntl(reader, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
  CHECK_EQ(fcntl(writer, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY);
  CHECK_EQ(write(writer, "through", 7), 7);
  CHECK_EQ(read(reader, bytes, sizeof bytes), 7);
  close(writer);
  CHECK_EQ(read(reader, bytes, sizeof bytes), 0);
  close(reader);
}
static void readers_of_fifos(void) {
  CHECK_EQ(mkfifo("fifo", 0600), 0);
  start_waiting(open_to_read);
  const int writer = open("fifo", O_WRONLY);
  pass_bytes((int)waited(), writer);
  CHECK_EQ(unlink("fifo"), 0);
}
static void writers_of_fifos(void) {
  CHECK_EQ(mkfifo("fifo", 0600), 0);
  start_waiting(open_to_write);
  const int reader = open("fifo", O_RDONLY);
  const int writer = (int)waited();
  CHECK_EQ(fcntl(writer, F_GETFD), FD_CLOEXEC);
  pass_bytes(reader, writer);
  CHECK_EQ(unlink("fifo"), 0);
}
static void fifos_interrupted(void) {
  CHECK_EQ(mkfifo("fifo", 0600), 0);
  start_waiting(open_to_read);
  interrupt_waiting(0);
  CHECK_EQ(waited(), -EINTR);
  start_waiting(open_to_write);
  interrupt_waiting(0);
  CHECK_EQ(waited(), -EINTR);
  CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  start_waiting(open_to_read);
  interrupt_waiting(SA_RESTART);
  const int writer = open("fifo", O_WRONLY);
  pass_bytes((int)waited(), writer);
  CHECK_EQ(unlink("fifo"), 0);
}
/// A writer that came and went leaves the reader with an open descriptor at its end.
static void* write_and_leave(void* unused) {
  WAIT_BEGINS();
  const int writer = open("fifo", O_WRONLY);
  const long written = write(writer, "late", 4);
  close(writer);
  return outcome(written);
}
static void writers_that_leave(void) {
  char bytes[8];
  CHECK_EQ(mkfifo("fifo", 0600), 0);
  start_waiting(write_and_leave);
  const int reader = open("fifo", O_RDONLY);
  CHECK_EQ(read(reader, bytes, sizeof bytes), 4);
  CHECK_EQ(waited(), 4);
  CHECK_EQ(read(reader, bytes, sizeof bytes), 0);
  close(reader);
  CHECK_EQ(unlink("fifo"), 0);
}

// --- System V ---

struct message {
  long type;
  char text[16];
};
static int queue;
static void* receive_message(void* unused) {
  struct message got = {0};
  WAIT_BEGINS();
  const long result = msgrcv(queue, &got, sizeof got.text, 7, 0);
  if (result == 4) CHECK_EQ(memcmp(got.text, "four", 4), 0);
  return outcome(result);
}
static void* send_message(void* unused) {
  const struct message wanted_message = {9, "behind the rest"};
  WAIT_BEGINS();
  return outcome(msgsnd(queue, &wanted_message, sizeof wanted_message.text, 0));
}
static void message_queues(void) {
  const struct message other = {3, "not it"}, right = {7, "four"};
  struct message got;
  queue = msgget(IPC_PRIVATE, 0600);
  CHECK(queue >= 0);
  start_waiting(receive_message);
  CHECK_EQ(msgsnd(queue, &other, 6, 0), 0);
  usleep(3000);
  CHECK_EQ(msgsnd(queue, &right, 4, 0), 0);
  CHECK_EQ(waited(), 4);
  while (msgsnd(queue, &other, sizeof other.text, IPC_NOWAIT) == 0) continue;
  CHECK_EQ(errno, EAGAIN);
  start_waiting(send_message);
  CHECK_EQ(msgrcv(queue, &got, sizeof got.text, 0, 0), 6);
  CHECK_EQ(msgrcv(queue, &got, sizeof got.text, 0, 0), 16);
  CHECK_EQ(waited(), 0);
  CHECK_EQ(msgrcv(queue, &got, sizeof got.text, 9, 0), 16);
  CHECK_ERRNO(msgrcv(queue, &got, sizeof got.text, 9, IPC_NOWAIT), ENOMSG);
  CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
}
static void message_queues_interrupted(void) {
  queue = msgget(IPC_PRIVATE, 0600);
  start_waiting(receive_message);
  interrupt_waiting(SA_RESTART);
  CHECK_EQ(waited(), -EINTR);
  start_waiting(receive_message);
  CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
  CHECK_EQ(waited(), -EIDRM);
}

static int set;
static long change(short by, short flags, const struct timespec* timeout) {
  struct sembuf operation = {0, by, flags};
  return semtimedop(set, &operation, 1, timeout);
}
static void* take_semaphore(void* unused) {
  WAIT_BEGINS();
  return outcome(change(-2, 0, NULL));
}
static void* take_semaphore_soon(void* unused) {
  const struct timespec soon = {0, 20000000};
  const long before = milliseconds_now();
  WAIT_BEGINS();
  const long result = (long)outcome(change(-1, 0, &soon));
  CHECK(milliseconds_now() - before >= 19);
  return (void*)result;
}
static void semaphore_sets(void) {
  set = semget(IPC_PRIVATE, 1, 0600);
  CHECK(set >= 0);
  start_waiting(take_semaphore);
  CHECK_EQ(change(1, 0, NULL), 0);
  usleep(3000);
  CHECK_EQ(change(1, 0, NULL), 0);
  CHECK_EQ(waited(), 0);
  CHECK_ERRNO(change(-1, IPC_NOWAIT, NULL), EAGAIN);
  start_waiting(take_semaphore_soon);
  CHECK_EQ(waited(), -EAGAIN);
  start_waiting(take_semaphore);
  interrupt_waiting(SA_RESTART);
  CHECK_EQ(waited(), -EINTR);
  CHECK_EQ(semctl(set, 0, IPC_RMID), 0);
}
/// Two threads hand a token to and fro: each hand-over wakes the other at once.
static void* hand_over(void* unused) {
  struct sembuf take = {0, -1, 0}, give = {1, 1, 0};
  WAIT_BEGINS();
  for (int i = 0; i < 300; ++i) {
    CHECK_EQ(semop(set, &take, 1), 0);
    CHECK_EQ(semop(set, &give, 1), 0);
  }
  return NULL;
}
static void semaphores_to_and_fro(void) {
  struct sembuf take = {1, -1, 0}, give = {0, 1, 0};
  set = semget(IPC_PRIVATE, 2, 0600);
  start_waiting(hand_over);
  for (int i = 0; i < 300; ++i) {
    CHECK_EQ(semop(set, &give, 1), 0);
    CHECK_EQ(semop(set, &take, 1), 0);
  }
  CHECK_EQ(waited(), 0);
  CHECK_EQ(semctl(set, 0, IPC_RMID), 0);
}

// --- POSIX ---

static mqd_t posix_queue;
static char queue_name[64];
static void open_queue(void) {
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
  snprintf(queue_name, sizeof queue_name, "/orrery-guest-%d-%ld", getpid(), milliseconds_now());
  posix_queue = mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  CHECK(posix_queue >= 0);
}
static void close_queue(void) {
  CHECK_EQ(mq_close(posix_queue), 0);
  CHECK_EQ(mq_unlink(queue_name), 0);
}
static void* receive_from_queue(void* unused) {
  char bytes[16];
  WAIT_BEGINS();
  return outcome(mq_receive(posix_queue, bytes, sizeof bytes, NULL));
}
static void* receive_from_queue_soon(void* unused) {
  char bytes[16];
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 20000000;
  soon.tv_sec += soon.tv_nsec / 1000000000;
  soon.tv_nsec %= 1000000000;
  WAIT_BEGINS();
  return outcome(mq_timedreceive(posix_queue, bytes, sizeof bytes, NULL, &soon));
}
static void* send_to_queue(void* unused) {
  WAIT_BEGINS();
  return outcome(mq_send(posix_queue, "third", 5, 0));
}
static void posix_queues(void) {
  char bytes[16];
  open_queue();
  CHECK_ERRNO(mq_receive(posix_queue, bytes, 3, NULL), EMSGSIZE);
  start_waiting(receive_from_queue);
  CHECK_EQ(mq_send(posix_queue, "first", 5, 0), 0);
  CHECK_EQ(waited(), 5);
  start_waiting(receive_from_queue_soon);
  CHECK_EQ(waited(), -ETIMEDOUT);
  CHECK_EQ(mq_send(posix_queue, "a", 1, 0), 0);
  CHECK_EQ(mq_send(posix_queue, "bb", 2, 0), 0);
  start_waiting(send_to_queue);
  CHECK_EQ(mq_receive(posix_queue, bytes, sizeof bytes, NULL), 1);
  CHECK_EQ(waited(), 0);
  CHECK_EQ(mq_receive(posix_queue, bytes, sizeof bytes, NULL), 2);
  CHECK_EQ(mq_receive(posix_queue, bytes, sizeof bytes, NULL), 5);
  start_waiting(receive_from_queue);
  interrupt_waiting(0);
  CHECK_EQ(waited(), -EINTR);
  close_queue();
}

int main(void) {
  RUN(file_locks);
  RUN(file_locks_interrupted);
  RUN(range_locks);
  RUN(readers_of_fifos);
  RUN(writers_of_fifos);
  RUN(fifos_interrupted);
  RUN(writers_that_leave);
  RUN(message_queues);
  RUN(message_queues_interrupted);
  RUN(semaphore_sets);
  RUN(semaphores_to_and_fro);
  RUN(posix_queues);
  return 0;
}
