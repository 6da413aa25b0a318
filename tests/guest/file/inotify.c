// Watching a directory.
#include <sys/inotify.h>

#include "check.h"

static void directory_is_watched(void) {
  int notify = (int)syscall(SYS_inotify_init1, IN_NONBLOCK | IN_CLOEXEC),
      plain = (int)syscall(SYS_inotify_init);
  CHECK(notify >= 0 && plain >= 0);
  int watch = inotify_add_watch(notify, ".", IN_CREATE | IN_DELETE);
  CHECK(watch >= 1);
  char buffer[4096];
  CHECK_ERRNO(read(notify, buffer, sizeof buffer), EAGAIN);
  close(creat("file", 0600));
  CHECK_EQ(unlink("file"), 0);
  long bytes = read(notify, buffer, sizeof buffer);
  CHECK(bytes > 0);
  struct inotify_event* event = (struct inotify_event*)buffer;
  CHECK_EQ(event->wd, watch);
  CHECK_EQ(event->mask, IN_CREATE);
  CHECK_EQ(strcmp(event->name, "file"), 0);
  event = (struct inotify_event*)(buffer + sizeof *event + event->len);
  CHECK_EQ(event->mask, IN_DELETE);
  CHECK_EQ(inotify_rm_watch(notify, watch), 0);
  CHECK_ERRNO(inotify_rm_watch(notify, 99), EINVAL);
}

int main(void) {
  RUN(directory_is_watched);
  return 0;
}
