// POSIX message queues.
#include <mqueue.h>

#include "check.h"

static void message_queue(void) {
  char name[64], text[64];
  snprintf(name, sizeof name, "orrery-test-%d", getpid());
  struct mq_attr wanted = {.mq_maxmsg = 4, .mq_msgsize = 32}, got;
  int queue = (int)syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &wanted);
  if (queue < 0 && (errno == ENOSYS || errno == EACCES || errno == EMFILE)) SKIP("no POSIX message queues");
  CHECK(queue >= 0);
  CHECK_EQ(syscall(SYS_mq_getsetattr, queue, NULL, &got), 0);
  CHECK_EQ(got.mq_maxmsg, 4);
  CHECK_EQ(syscall(SYS_mq_timedsend, queue, "low", 3, 1, NULL), 0);
  CHECK_EQ(syscall(SYS_mq_timedsend, queue, "high", 4, 9, NULL), 0);
  unsigned priority = 0;
  CHECK_EQ(syscall(SYS_mq_timedreceive, queue, text, sizeof text, &priority, NULL), 4);
  CHECK_EQ(priority, 9);
  CHECK_EQ(memcmp(text, "high", 4), 0);
  CHECK_ERRNO(syscall(SYS_mq_timedreceive, queue, text, 3, NULL, NULL), EMSGSIZE);
  CHECK_EQ(syscall(SYS_mq_timedreceive, queue, text, sizeof text, NULL, NULL), 3);
  CHECK_ERRNO(syscall(SYS_mq_timedreceive, queue, text, sizeof text, NULL, NULL), EAGAIN);
  CHECK_EQ(syscall(SYS_mq_unlink, name), 0);
  CHECK_ERRNO(syscall(SYS_mq_unlink, name), ENOENT);
}

int main(void) {
  RUN(message_queue);
  return 0;
}
