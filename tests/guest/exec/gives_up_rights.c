// A process that gives up root: it maps and executes files as it could before, and what it executes has no
// rights left.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

enum { kNobody = 65534 };

static void become_nobody(void) {
  CHECK_EQ(setgroups(0, NULL), 0);
  CHECK_EQ(setresgid(kNobody, kNobody, kNobody), 0);
  CHECK_EQ(setresuid(kNobody, kNobody, kNobody), 0);
}

static int status_of(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static void maps_a_file(void) {
  if (getuid() != 0) SKIP("not root");
  const pid_t child = fork();
  if (child == 0) {
    become_nobody();
    const int fd = open("/etc/passwd", O_RDONLY);
    CHECK(fd >= 0);
    const char* text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(text != MAP_FAILED);
    _exit(memcmp(text, "root", 4) == 0 ? 0 : 1);
  }
  CHECK_EQ(status_of(child), 0);
}

static void executes(const char* script, int expected) {
  const pid_t child = fork();
  if (child == 0) {
    become_nobody();
    execl("/bin/sh", "sh", "-c", script, NULL);
    _exit(99);
  }
  CHECK_EQ(status_of(child), expected << 8);
}

static void executes_without_rights(void) {
  if (getuid() != 0) SKIP("not root");
  executes("exit 5", 5);
  executes("test -r /etc/shadow", 1);
  executes("/bin/cat /etc/hostname >/dev/null && exit 6", 6);
}

/// Rights that were kept on purpose (PR_SET_KEEPCAPS) are lost by exec all the same.
static void loses_kept_rights(void) {
  if (getuid() != 0) SKIP("not root");
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    become_nobody();
    execl("/bin/sh", "sh", "-c", "grep -q '^CapPrm:.0000000000000000' /proc/self/status", NULL);
    _exit(99);
  }
  CHECK_EQ(status_of(child), 0);
}

int main(void) {
  RUN(maps_a_file);
  RUN(executes_without_rights);
  RUN(loses_kept_rights);
  return 0;
}
